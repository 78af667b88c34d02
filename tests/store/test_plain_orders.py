"""The quick way of nearly all orders gives the store that the ordinary way gives, bit for bit."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from liq_provider.core.coverage import Interval
from liq_provider.store import appending, schema
from liq_provider.store.appending import Appended
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.writer import Writer
from tests.store.helpers import MINUTE, T0, incoming

_TABLES = (schema.liquidations, schema.minutes, schema.doubts, schema.coverage)


def batches(seed: int) -> Iterator[tuple[int, list[Incoming], int | None]]:
    """Whose writer, a batch, and the close of a minute that is settled after it."""
    rng = random.Random(seed)
    seen: list[Incoming] = []
    for number in range(30):
        now_ms = T0 + number * 20_000
        batch = []
        for _ in range(rng.randrange(1, 30)):
            coin = rng.choice("ABC")
            quote = rng.choice(("USDT", "USDC", "USD"))
            event_ms = now_ms + rng.randrange(20_000)
            delay_ms = rng.randrange(900)
            if rng.random() < 0.03:  # late, or dated ahead
                delay_ms = rng.choice((70_000, 200_000, -30_000))
            price, quantity = rng.uniform(1, 2), rng.lognormvariate(3, 1)
            batch.append(
                incoming(
                    event_ms,
                    since_ms=event_ms + 1 if rng.random() < 0.01 else 0,
                    **{"venue": rng.choice(("bybit", "okx")), "market_id": f"{coin}{quote}"},
                    **{"pair": f"{coin}/{quote}:{quote}", "base_asset": coin},
                    **{"position_side": rng.choice(("long", "short")), "price": price},
                    **{"quantity": quantity, "received_ms": event_ms + delay_ms},
                    notional_usd=price * quantity * rng.choice((1.0, 1.0, 0.1)),
                )
            )
        again = rng.sample(seen, min(len(seen), rng.choice((0, 0, 0, 5))))
        seen += batch
        settled = now_ms - now_ms % MINUTE if rng.random() < 0.3 else None
        yield rng.randrange(2), batch + again + batch[:1], settled


def store_of(path: Path, seed: int) -> tuple[list[Appended], list[Any]]:
    writers = [
        Writer(open_engine(f"sqlite:///{path}"), min_event_usd=5.0, heard_by=name) for name in "xy"
    ]
    done = []
    for whose, batch, settled in batches(seed):
        writer = writers[whose]
        done.append(writer.append(batch))
        if settled is not None:
            span = Interval(settled - MINUTE, settled)
            writer.settle(settled, {"bybit": [span]}, settled + 2_000)
    with writers[0].engine.connect() as connection:
        rows = [
            [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in _TABLES
        ]
    for writer in writers:
        writer.close()
    return done, rows


@pytest.mark.parametrize("seed", range(6))
def test_any_batches_give_the_same_store_as_the_ordinary_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    taken: list[int | None] = []

    def counted(*args: Any) -> int | None:
        taken.append(plain(*args))
        return taken[-1]

    plain = appending.put_plain
    monkeypatch.setattr(appending, "put_plain", counted)
    quick = store_of(tmp_path / "quick.sqlite", seed)
    assert None in taken and any(small is not None for small in taken), "both ways are taken"
    monkeypatch.setattr(appending, "put_plain", lambda *_: None)
    assert store_of(tmp_path / "ordinary.sqlite", seed) == quick


def test_a_plain_batch_is_counted_like_any_other(writer: Writer) -> None:
    writer.min_event_usd = 50.0
    orders = [incoming(T0 + n, notional_usd=10.0 * n) for n in range(10)]
    done = writer.append([*orders, orders[3]])
    assert (done.inserted, done.duplicates, done.rebooked) == (10, 1, 0)
    assert done.booked == {"event": 5, "small": 5}
    assert writer.append(orders).duplicates == 10
