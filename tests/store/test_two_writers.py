"""Two sidecars, or a sidecar and an import, on one store."""

import multiprocessing
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from liq_provider.core.coverage import Interval
from liq_provider.core.doubts import ANY_COIN, Doubt
from liq_provider.errors import StoreBusy
from liq_provider.store import schema
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.liquidation_rows import identity
from liq_provider.store.reader import Reader
from liq_provider.store.rebooking import _minutes_query
from liq_provider.store.writer import Writer
from tests.store.helpers import MINUTE, T0, incoming

COUNT = 3_000


def orders() -> list[Incoming]:
    coins = ("BTC", "ETH", "SOL")
    return [
        incoming(
            T0 + n * 10,
            market_id=f"{coins[n % 3]}USDT",
            pair=f"{coins[n % 3]}/USDT:USDT",
            base_asset=coins[n % 3],
        )
        for n in range(COUNT)
    ]


def begin(url: str) -> Writer:
    """SQLite refuses at once, without waiting, while somebody else switches a new file to WAL."""
    while True:
        try:
            return Writer(open_engine(url))
        except StoreBusy:
            continue


def write_all(url: str, seed: int) -> None:
    """Everything once, in an order and in batches of its own, as another sidecar would."""
    rng = random.Random(seed)
    items = orders()
    rng.shuffle(items)
    writer = begin(url)
    while items:
        batch, items = items[:50], items[50:]
        while True:
            try:
                writer.append(batch)
                break
            except StoreBusy:
                continue
    writer.close()


def by_threads(url: str) -> None:
    threads = [threading.Thread(target=write_all, args=(url, seed)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def by_processes(url: str) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=write_all, args=(url, seed)) for seed in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0


@pytest.mark.parametrize(
    "both", [by_threads, pytest.param(by_processes, marks=pytest.mark.processes)]
)
def test_two_at_once_count_everything_once(store_url: str, both: Callable[[str], None]) -> None:
    # Neither finds a store, so both also set it up.
    both(store_url)
    reader = Reader(store_url)
    assert reader.count("liquidations") == COUNT
    engine = open_engine(store_url)
    table = schema.minutes.c
    with engine.connect() as connection:
        sums = connection.execute(select(func.sum(table.long_usd), func.sum(table.long_count)))
        assert sums.one() == (100.0 * COUNT, COUNT)
    engine.dispose()
    reader.close()


def test_an_order_that_the_other_one_overtook_makes_its_own_minute_doubtful(
    store_url: str,
) -> None:
    first, second = Writer(open_engine(store_url)), Writer(open_engine(store_url))
    minute = Interval(T0, T0 + MINUTE)
    second.settle(T0 + MINUTE, {"okx": [minute], "bybit": [minute]}, T0 + 62_000)
    in_time = incoming(T0 + 59_000, received_ms=T0 + 61_000)
    late = incoming(T0 + 58_000, received_ms=T0 + 63_000, venue="okx")
    done = first.append([in_time, late])
    assert dict(done.booked) == {"arrival": 2}
    first.settle(T0 + 2 * MINUTE, {}, T0 + 122_000)
    assert known(store_url, "bybit", 2) == {"BTC": [False, False], "ETH": [True, False]}
    assert known(store_url, "okx", 2) == {"BTC": [True, False], "ETH": [True, False]}
    for writer in (first, second):
        writer.close()


def known(url: str, venue: str, minutes: int) -> dict[str, list[bool]]:
    """By coin, which minutes are known to the decision at the newest close."""
    reader = Reader(url)
    end_ms = T0 + minutes * MINUTE
    grids = reader.grids(["BTC", "ETH"], [venue], T0, end_ms)
    reader.close()
    return {base: grid.as_of(end_ms).covered[0].tolist() for base, grid in grids.items()}


def test_nothing_enters_a_minute_that_the_other_one_settles(store_url: str) -> None:
    """One appends while the other settles; the minute's sum must not move afterwards."""
    first, second = Writer(open_engine(store_url)), Writer(open_engine(store_url))
    reader = Reader(store_url)
    started = threading.Event()

    def append() -> None:
        for n in range(150):
            first.append([incoming(T0 + n)])
            started.set()

    thread = threading.Thread(target=append)
    thread.start()
    started.wait(60)
    second.settle(T0 + MINUTE, {"bybit": [Interval(T0, T0 + MINUTE)]}, T0 + 62_000)
    (grid,) = reader.grids(["BTC"], ["bybit"], T0, T0 + MINUTE).values()
    settled_usd = grid.long_usd.sum()
    thread.join()
    (grid,) = reader.grids(["BTC"], ["bybit"], T0, T0 + MINUTE).values()
    assert grid.long_usd.sum() == settled_usd
    (both,) = reader.grids(["BTC"], ["bybit"], T0, T0 + 2 * MINUTE).values()
    assert both.long_usd.sum() == 150 * 100.0
    for writer in (first, second):
        writer.close()
    reader.close()


def test_looking_for_known_orders_reads_those_and_not_the_whole_store(
    tmp_path: Path,
) -> None:
    writer = Writer(open_engine(f"sqlite:///{tmp_path / 'store'}"))
    query = _minutes_query([identity(order.liquidation) for order in orders()[:100]])
    compiled = query.compile(writer.engine, compile_kwargs={"render_postcompile": True})
    with writer.engine.connect() as connection:
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {compiled}",
            tuple(compiled.params[n] for n in compiled.positiontup),
        ).all()
    steps = [row[3] for row in plan if "liquidations" in row[3]]
    assert steps and all(step.startswith("SEARCH") for step in steps)
    writer.close()


def test_what_the_slower_one_says_is_known_from_the_next_decision_on(store_url: str) -> None:
    first, second = (Writer(open_engine(store_url), heard_by=name) for name in ("a", "b"))
    late = incoming(T0 + 1_000, received_ms=T0 + 90_000, venue="okx")
    for close in (1, 2):
        minute = Interval(T0 + (close - 1) * MINUTE, T0 + close * MINUTE)
        first.settle(minute.end_ms, {"bybit": [minute]}, minute.end_ms + 2_000)
        if close == 1:
            first.append([late])
        second.settle(minute.end_ms, {"okx": [minute]}, minute.end_ms + 20_000)
    reader = Reader(store_url)
    grid = reader.grids(["BTC"], ["bybit", "okx"], T0, T0 + 2 * MINUTE)["BTC"]
    at = {close: grid.as_of(T0 + close * MINUTE).covered.tolist() for close in (1, 2, 3)}
    assert at[1] == [[True, True], [False, False]]  # as the first one's bot decided
    assert at[2] == [[True, True], [False, False]]  # the late order is of okx's first minute
    assert at[3] == [[True, True], [False, True]]
    assert len(reader.coverage(["okx"], T0, T0 + 2 * MINUTE)["okx"]) == 1
    for part in (first, second, reader):
        part.close()


def test_who_learned_of_a_minute_later_stands_in_for_the_one_that_is_doubted(
    store_url: str,
) -> None:
    first, second = (Writer(open_engine(store_url), heard_by=name) for name in ("a", "b"))
    minute = Interval(T0, T0 + MINUTE)
    for writer in (first, second):
        writer.settle(minute.end_ms, {"okx": [minute]}, minute.end_ms + 2_000)
    first.put_doubts([Doubt("okx", ANY_COIN, minute)], minute.end_ms + 30_000)
    reader = Reader(store_url)
    grid = reader.grids(["BTC"], ["okx"], T0, T0 + MINUTE)["BTC"]
    assert [grid.as_of(T0 + close * MINUTE).covered.item() for close in (1, 2, 9)] == [True] * 3
    second.put_doubts([Doubt("okx", ANY_COIN, minute)], minute.end_ms + 40_000)
    grid = reader.grids(["BTC"], ["okx"], T0, T0 + MINUTE)["BTC"]
    assert [grid.as_of(T0 + close * MINUTE).covered.item() for close in (1, 2, 9)] == [
        True,
        False,
        False,
    ]
    for part in (first, second, reader):
        part.close()


def test_two_that_book_each_others_orders_anew_never_wait_for_each_other(store_url: str) -> None:
    """What one of them stored as a snapshot of the past belongs where the other heard it."""
    writers = [Writer(open_engine(store_url), heard_by=name) for name in ("a", "b")]
    failures: list[StoreBusy] = []

    def append(number: int) -> None:
        rng = random.Random(number)
        for _ in range(25):
            some = [
                incoming(T0 + rng.randrange(500), since_ms=T0 + rng.choice([0, 1_000]))
                for _ in range(40)
            ]
            try:
                writers[number].append(some)
            except StoreBusy as busy:
                failures.append(busy)

    threads = [threading.Thread(target=append, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with writers[0].engine.connect() as connection:
        booked = connection.execute(
            select(func.count()).where(schema.liquidations.c.minute_ms == T0)
        ).scalar()
        counted = connection.execute(select(func.sum(schema.minutes.c.long_count))).scalar()
    assert booked == counted
    for writer in writers:
        writer.close()
