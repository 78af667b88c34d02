"""Days of liquidations of twenty coins, made up and always the same, in both environments."""

import random
from collections.abc import Iterator
from typing import Any

START_MS = 1_790_000_040_000  # whole minutes
DAY_MS = 24 * 60 * 60 * 1_000
SEGMENT_MIN = 5
_PER_DAY = 1_000
_COINS = 20
_VENUES = ("binance", "bybit", "okx")
COLUMNS = (
    *("venue", "market_id", "pair", "base_asset", "position_side", "price", "quantity"),
    *("notional_usd", "event_ms", "received_ms"),
)


def days_of_orders(days: int) -> Iterator[tuple[Any, ...]]:
    """:return: by time, as ``COLUMNS``; the first coins have most, and they come in crowds"""
    rng = random.Random(1)  # noqa: S311
    times: set[int] = set()
    while len(times) < days * _PER_DAY:
        at_ms = START_MS + rng.randrange(days * DAY_MS - 600_000)
        times.update(at_ms + rng.randrange(90_000) for _ in range(rng.randrange(1, 6)))
    for n, event_ms in enumerate(sorted(times)[: days * _PER_DAY]):
        coin = f"C{min(int(rng.expovariate(0.25)), _COINS - 1)}"
        price = round(rng.uniform(1, 2), 4)
        quantity = round(rng.lognormvariate(4, 1.5), 1) + 0.1
        yield (
            *(_VENUES[n % 3], f"{coin}USDT", f"{coin}/USDT:USDT", coin),
            *(rng.choice(("long", "short")), price, quantity, price * quantity),
            *(event_ms, event_ms + rng.randrange(50, 900)),
        )
