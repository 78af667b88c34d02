"""Orders as columns come into the store as single orders do, with the same bits."""

import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from liq_provider.core.coverage import Interval
from liq_provider.core.order_columns import MarketNames, OrderColumns
from liq_provider.store import schema
from liq_provider.store.booked_columns import WAYS, book
from liq_provider.store.booked_minute import BookingRules, Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.writer import Writer
from tests.store.helpers import MINUTE, T0, incoming

TABLES = (schema.liquidations, schema.minutes, schema.coverage, schema.doubts)


def content(writer: Writer) -> list[list[tuple[Any, ...]]]:
    with writer.engine.connect() as connection:
        return [sorted(map(tuple, connection.execute(select(table))), key=repr) for table in TABLES]


def columns(orders: list[Incoming], names: MarketNames) -> OrderColumns:
    return OrderColumns.of([order.liquidation for order in orders], names)


def any_order(random: Random) -> Incoming:
    event_ms = T0 + random.randrange(4 * MINUTE)
    delay_ms = random.choice([0, 500, 500, 500, 30_000, 61_000, 90_000, 300_000, -4_000, -20_000])
    market = random.choice(
        [
            {},
            {"market_id": "ETHUSDT", "pair": "ETH/USDT:USDT", "base_asset": "ETH"},
            {"market_id": "BTCPERP", "pair": "BTC/USDC:USDC"},
            {"venue": "okx", "market_id": "BTC-USDT-SWAP"},
        ]
    )
    return incoming(
        event_ms,
        received_ms=event_ms + delay_ms,
        position_side=random.choice(["long", "short"]),
        price=random.choice([50.0, 0.1, random.random()]),
        notional_usd=random.choice([100.0, 0.3, random.random() * 1e3]),
        ordinal=random.choice([0, 0, 0, 1]),
        **market,
    )


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without anything in it: to make one takes longer than to copy it."""
    path = tmp_path_factory.mktemp("empty") / "store.sqlite"
    Writer(open_engine(f"sqlite:///{path}")).close()
    return path


def copied(empty: Path, path: Path) -> Writer:
    shutil.copy(empty, path)
    return Writer(open_engine(f"sqlite:///{path}"), min_event_usd=0.2)


@pytest.mark.parametrize("seed", range(30))
def test_random_batches_give_the_same_store_either_way(
    empty: Path, tmp_path: Path, seed: int
) -> None:
    random, names = Random(seed), MarketNames()
    writers = [copied(empty, tmp_path / f"{name}.sqlite") for name in ("rows", "columns")]
    told: list[tuple[Any, Any]] = []
    orders: list[Incoming] = []
    for _ in range(random.choice([1, 4])):
        if random.random() < 0.4:
            some = [any_order(random) for _ in range(random.choice([1, 20]))]
            close_ms = T0 + random.randrange(4) * MINUTE
            heard = {"bybit": [Interval(T0 - random.randrange(3) * MINUTE, close_ms)]}
            for writer in writers:
                writer.append(some)
                writer.settle(close_ms, heard, close_ms + 2_000)
        orders = [any_order(random) for _ in range(random.choice([1, 60]))]
        orders += random.choices(orders, k=len(orders) // 3)
        told.append(
            (writers[0].import_batch(orders), writers[1].import_columns(columns(orders, names)))
        )
    stores = [content(writer) for writer in writers]
    for writer in writers:
        writer.close()
    assert [rows for rows, _ in told] == [at_once for _, at_once in told]
    assert stores[0] == stores[1]
    assert stores[0][0]


def test_orders_are_booked_as_one_by_one() -> None:
    random, rules = Random(1), BookingRules()
    orders = [any_order(random) for _ in range(2_000)]
    booked = book(columns(orders, MarketNames()), rules)
    assert [
        (None if minute_ms < 0 else minute_ms, WAYS[how])
        for minute_ms, how in zip(booked.minute_ms.tolist(), booked.how.tolist(), strict=True)
    ] == [rules.book(order, 0) for order in orders]
    assert {rules.book(order, 0)[1] for order in orders} == set(WAYS)


def test_columns_are_the_orders_that_they_were_made_of() -> None:
    random = Random(2)
    orders = [any_order(random) for _ in range(100)]
    assert [*columns(orders, MarketNames()).liquidations()] == [o.liquidation for o in orders]


def test_columns_come_in_once_on_every_database(writer: Writer) -> None:
    names = MarketNames()
    orders = [incoming(T0 + 1_000), incoming(T0 + 2_000, position_side="short"), incoming(T0)]
    first = writer.import_columns(columns([*orders, orders[0]], names))
    again = writer.import_columns(columns([*orders, incoming(T0 + 3_000)], names))
    assert (first.inserted, first.duplicates, first.booked) == (3, 1, {"event": 3})
    assert (again.inserted, again.duplicates) == (1, 3)
    (minute,) = content(writer)[1]
    assert minute[4:6] == (300.0, 100.0)
    assert writer.import_columns(columns([], names)).inserted == 0
