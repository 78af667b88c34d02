"""Orders as columns are put in the order of their key, the first of equal ones, as sorting does."""

from random import Random
from typing import Any

import pytest

from liq_provider.core.liquidation import Liquidation
from liq_provider.core.order_columns import MarketNames, OrderColumns
from liq_provider.store.booked_columns import each_once
from tests.store.helpers import T0, incoming


def an_order(random: Random, times: int) -> Liquidation:
    market = random.choice(["BTCUSDT", "ETHUSDT", "AAAUSDT"])
    return incoming(
        T0 + random.randrange(times),
        venue=random.choice(["okx", "bybit"]),
        market_id=market,
        position_side=random.choice(["long", "short"]),
        price=random.choice([50.0, 0.1]),
        notional_usd=random.choice([100.0, 0.3]),
        ordinal=random.choice([0, 0, 1]),
    ).liquidation


def key(order: Liquidation) -> tuple[Any, ...]:
    side = order.position_side == "short"
    market = (order.venue, order.market_id)
    return (order.event_ms, market, side, order.price, order.quantity, order.ordinal)


@pytest.mark.parametrize("sorted_by_time", [True, False])
@pytest.mark.parametrize("times", [1, 9, 300, 100_000])
def test_each_order_stands_once_where_its_key_does(times: int, sorted_by_time: bool) -> None:
    for seed in range(30):
        random = Random(seed)
        orders = [an_order(random, times) for _ in range(random.choice([1, 2, 40, 200]))]
        orders += random.choices(orders, k=random.choice([0, 5]))
        if sorted_by_time:
            orders.sort(key=lambda order: order.event_ms)
        first: dict[tuple[Any, ...], int] = {}
        for place, order in enumerate(orders):
            first.setdefault(key(order), place)
        expected = [first[of] for of in sorted(first)]
        columns = OrderColumns.of(orders, MarketNames())
        assert each_once(columns).tolist() == expected
