"""Between the feeds and the store: nothing is lost without being counted."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from liq_provider.core.coverage import Interval
from liq_provider.core.doubts import Doubt, Doubts
from liq_provider.core.liquidation import Liquidation
from liq_provider.core.one_thread import OneThread
from liq_provider.sidecar.ingest import Ingest
from liq_provider.store import schema
from liq_provider.store.appending import Appended
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.spool import Spool
from liq_provider.store.writer import Writer

T0 = 1_795_350_000_000
MINUTE = 60_000


def orders(count: int, first: int = 0, delay_ms: int = 500) -> list[Liquidation]:
    return [
        Liquidation(
            venue="bybit",
            market_id="BTCUSDT",
            pair="BTC/USDT:USDT",
            base_asset="BTC",
            position_side="long",
            price=50_000.0,
            quantity=0.002,
            notional_usd=100.0,
            event_ms=T0 + n,
            received_ms=T0 + n + delay_ms,
        )
        for n in range(first, first + count)
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def executor() -> Iterator[OneThread]:
    with OneThread("store") as executor:
        yield executor


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    writer = Writer(open_engine(f"sqlite:///{path}", busy_timeout_s=0.05))
    yield writer
    writer.close()


@pytest.fixture
def ingest(writer: Writer, executor: OneThread, path: Path) -> Ingest:
    return Ingest(writer, executor, Spool(path.with_suffix(".spool")), Doubts(2_000))


@pytest.fixture
def lock(path: Path, writer: Writer) -> Iterator[sqlite3.Connection]:
    """Somebody else's connection; ``BEGIN IMMEDIATE`` on it locks the store."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def stored(writer: Writer) -> list[tuple[int, int]]:
    table = schema.liquidations.c
    with writer.engine.connect() as connection:
        query = select(table.event_ms, table.received_ms).order_by(table.event_ms)
        return [(row[0] - T0, row[1] - T0) for row in connection.execute(query)]


async def test_what_is_put_is_stored(ingest: Ingest, writer: Writer) -> None:
    ingest.put(orders(3), 0)
    ingest.put(orders(4), 0)
    assert await ingest.flush()
    assert stored(writer) == [(n, n + 500) for n in range(4)]
    stats = ingest.stats
    assert (stats.stored, stats.duplicates, dict(stats.booked)) == (4, 3, {"event": 4})
    assert (stats.lost, stats.spooled, stats.error) == (0, 0, None)


async def test_a_store_that_fails_sends_liquidations_to_disk_and_back(
    ingest: Ingest, writer: Writer, lock: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    lock.execute("BEGIN IMMEDIATE")
    ingest.put(orders(3), 0)
    assert not await ingest.flush()
    ingest.put(orders(2, first=3), 0)
    assert not await ingest.flush()
    assert ingest.stats.spooled == 5
    assert "locked by another process" in (ingest.stats.error or "")
    lock.execute("ROLLBACK")
    ingest.put(orders(1, first=5), 0)
    assert await ingest.flush()
    assert stored(writer) == [(n, n + 500) for n in range(6)]
    assert (ingest.stats.spooled, ingest.stats.error, ingest.stats.lost) == (0, None, 0)
    told = [r for r in caplog.records if "wait on disk" in r.message]
    assert len(told) == 1


async def test_the_spool_is_emptied_even_if_nothing_new_comes(
    ingest: Ingest, writer: Writer, lock: sqlite3.Connection
) -> None:
    lock.execute("BEGIN IMMEDIATE")
    ingest.put(orders(2), 0)
    await ingest.flush()
    lock.execute("ROLLBACK")
    assert await ingest.flush()
    assert len(stored(writer)) == 2


async def test_the_next_run_stores_what_the_last_one_left_on_disk(
    ingest: Ingest,
    writer: Writer,
    executor: OneThread,
    path: Path,
    lock: sqlite3.Connection,
) -> None:
    lock.execute("BEGIN IMMEDIATE")
    ingest.put(orders(2), 0)
    await ingest.flush()
    lock.execute("ROLLBACK")
    with path.with_suffix(".spool").open("ab") as file:
        file.write(b'{"liqui')  # killed while it wrote
    again = Ingest(writer, executor, Spool(path.with_suffix(".spool")), Doubts(2_000))
    assert again.stats.spooled == 3
    assert await again.flush()
    assert stored(writer) == [(n, n + 500) for n in range(2)]
    assert (again.stats.spooled, again.stats.lost) == (0, 1)


async def test_a_spool_that_is_removed_is_waited_for_no_more(
    writer: Writer, executor: OneThread, path: Path, lock: sqlite3.Connection
) -> None:
    doubts, spool = Doubts(2_000), Spool(path.with_suffix(".spool"))
    ingest = Ingest(writer, executor, spool, doubts)
    lock.execute("BEGIN IMMEDIATE")
    ingest.put(orders(5), 0)
    assert not await ingest.flush()
    path.with_suffix(".spool").unlink()
    lock.execute("ROLLBACK")
    ingest.put(orders(2, first=MINUTE), 0)
    assert await ingest.flush()
    assert [event for event, _ in stored(writer)] == [MINUTE, MINUTE + 1]
    stats = ingest.stats
    assert (stats.lost, stats.spooled, stats.error) == (5, 0, None)
    assert doubts.take(T0 + 9 * MINUTE) == [Doubt("bybit", "BTC", Interval(T0, T0 + MINUTE))]


async def test_what_fits_nowhere_is_counted_and_its_coins_minute_is_in_doubt(
    writer: Writer, executor: OneThread, path: Path, lock: sqlite3.Connection
) -> None:
    doubts = Doubts(2_000)
    spool = Spool(path.with_suffix(".spool"), max_bytes=1_000)
    ingest = Ingest(writer, executor, spool, doubts, max_queue=10)
    lock.execute("BEGIN IMMEDIATE")
    ingest.put(orders(10), 0)
    assert not await ingest.flush()
    spooled = ingest.stats.spooled
    assert 0 < spooled < 10
    assert ingest.stats.lost == 0, "there is room in memory"
    ingest.put(orders(10, first=10), 0)
    assert ingest.stats.lost == 10 - spooled
    assert doubts.take(T0 + MINUTE) == [Doubt("bybit", "BTC", Interval(T0, T0 + MINUTE))]
    assert doubts.take(T0 + MINUTE) == []


async def test_a_queue_that_overflows_is_counted(
    writer: Writer, executor: OneThread, path: Path
) -> None:
    ingest = Ingest(writer, executor, Spool(path.with_suffix(".spool")), Doubts(2_000), max_queue=5)
    ingest.put(orders(3), 0)
    ingest.put(orders(4, first=3), 0)
    ingest.put(orders(1, first=7), 0)
    assert ingest.stats.lost == 3
    assert await ingest.flush()
    assert [event for event, _ in stored(writer)] == [0, 1, 2, 3, 4]


async def test_a_loss_is_told_for_its_own_minute_only(
    writer: Writer, executor: OneThread, path: Path
) -> None:
    doubts = Doubts(2_000)
    spool = Spool(path.with_suffix(".spool"))
    ingest = Ingest(writer, executor, spool, doubts, max_queue=0)
    ingest.put(orders(1, first=MINUTE + 1), 0)  # of the minute after the one being settled
    assert doubts.take(T0 + MINUTE) == []
    second = Doubt("bybit", "BTC", Interval(T0 + MINUTE, T0 + 2 * MINUTE))
    assert doubts.take(T0 + 2 * MINUTE) == [second]
    ingest.put(orders(1, first=1), 0)  # of a minute that is settled
    assert doubts.take(T0 + 3 * MINUTE) == [Doubt("bybit", "BTC", Interval(T0, T0 + MINUTE))]


async def test_an_order_that_fits_only_where_it_came_too_late_is_missing_in_its_minute(
    ingest: Ingest, writer: Writer, path: Path
) -> None:
    # The process stood still, so that everything seems to have come a minute and more late.
    ingest.put(orders(1, delay_ms=70_000), 0)
    await ingest.flush()
    writer.settle(T0 + MINUTE, {"bybit": [Interval(T0, T0 + MINUTE)]}, T0 + 62_000)
    reader = Reader(f"sqlite:///{path}")
    grids = reader.grids(["BTC", "ETH"], ["bybit"], T0, T0 + MINUTE)
    assert {base: grid.covered.tolist() for base, grid in grids.items()} == {
        "BTC": [[False]],
        "ETH": [[True]],
    }
    reader.close()


async def test_a_flush_that_is_cancelled_before_its_turn_loses_nothing(
    ingest: Ingest, writer: Writer, executor: OneThread
) -> None:
    free = threading.Event()
    executor.submit(free.wait)
    ingest.put(orders(3), 0)
    flushing = asyncio.create_task(ingest.flush())
    await asyncio.sleep(0.01)
    flushing.cancel()
    with suppress(asyncio.CancelledError):
        await flushing
    free.set()
    assert await ingest.flush()
    assert len(stored(writer)) == 3


async def test_a_flush_ends_although_more_keeps_coming(ingest: Ingest) -> None:
    ingest.put(orders(1), 0)
    flushing = asyncio.create_task(ingest.flush())
    numbers = iter(range(1, 1_000_000))
    async with asyncio.timeout(60):
        while not flushing.done():
            ingest.put(orders(1, first=next(numbers)), 0)
            await asyncio.sleep(0)
    assert flushing.result()


async def test_stopping_stores_what_is_queued(ingest: Ingest, writer: Writer) -> None:
    running = asyncio.create_task(ingest.run(interval_s=60))
    await asyncio.sleep(0)
    ingest.put(orders(2), 0)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert len(stored(writer)) == 2


# -- a store that does not come back, and one that refuses


class StuckWriter:
    """A writer whose next call does not return before it is let go."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.begun = threading.Event()
        self.go = threading.Event()

    def append(self, items: Sequence[Incoming]) -> Appended:
        self.begun.set()
        assert self.go.wait(30)
        return self._writer.append(items)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that takes a tenth of a second is overdue."""
    monkeypatch.setattr("liq_provider.sidecar.ingest._OVERDUE_S", 0.1)


def on_disk(path: Path) -> int:
    spool = path.with_suffix(".spool")
    return spool.read_bytes().count(b"\n") if spool.exists() else 0


@pytest.mark.usefixtures("quick")
async def test_while_a_call_does_not_return_all_that_waits_is_on_disk(
    writer: Writer, executor: OneThread, path: Path
) -> None:
    stuck = StuckWriter(writer)
    ingest = Ingest(stuck, executor, Spool(path.with_suffix(".spool")), Doubts(2_000))  # type: ignore[arg-type]
    ingest.put(orders(3), 0)
    assert not await ingest.flush(patience_s=0)
    assert stuck.begun.is_set()
    assert on_disk(path) == 3, "what the call has in hand"
    ingest.put(orders(2, first=3), 0)
    assert not await ingest.flush(patience_s=0)
    assert on_disk(path) == 5
    assert (ingest.in_memory, ingest.stats.spooled) == (0, 5)
    assert "does not answer" in (ingest.stats.error or "")
    stuck.go.set()
    assert await ingest.flush()
    assert [event for event, _ in stored(writer)] == list(range(5))
    stats = ingest.stats
    assert (stats.stored, stats.duplicates, stats.spooled, stats.error) == (5, 0, 0, None)


@pytest.mark.usefixtures("quick")
async def test_the_end_does_not_wait_for_a_call_that_does_not_return(
    writer: Writer, path: Path
) -> None:
    stuck, executor = StuckWriter(writer), OneThread("stuck")
    ingest = Ingest(stuck, executor, Spool(path.with_suffix(".spool")), Doubts(2_000))  # type: ignore[arg-type]
    running = asyncio.create_task(ingest.run(interval_s=0.01))
    ingest.put(orders(3), 0)
    await asyncio.sleep(0.05)
    ingest.put(orders(2, first=3), 0)
    running.cancel()
    async with asyncio.timeout(10):
        with suppress(asyncio.CancelledError):
            await running
    assert on_disk(path) == 5
    again = Ingest(writer, OneThread("next run"), Spool(path.with_suffix(".spool")), Doubts(2_000))
    assert await again.flush()
    assert len(stored(writer)) == 5
    stuck.go.set()
    # Else it holds a connection when the store is closed, which nobody takes back from it.
    await asyncio.wrap_future(executor.submit(stuck.begun.is_set))


async def test_a_call_that_returns_within_patience_costs_no_minute(
    writer: Writer, executor: OneThread, path: Path, quick: None
) -> None:
    stuck = StuckWriter(writer)
    ingest = Ingest(stuck, executor, Spool(path.with_suffix(".spool")), Doubts(2_000))  # type: ignore[arg-type]
    ingest.put(orders(3), 0)
    flushing = asyncio.create_task(ingest.flush())
    async with asyncio.timeout(20):
        while on_disk(path) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    stuck.go.set()
    assert await flushing
    assert len(stored(writer)) == 3


class Line(OneThread):
    """A thread that is busy with others, each of whom is answered at once, until it is told."""

    hangs = False

    @property
    def busy_s(self) -> float:
        return super().busy_s if self.hangs else 0.0


@pytest.mark.usefixtures("quick")
async def test_who_waits_in_a_line_that_moves_does_not_call_the_store_unanswering(
    writer: Writer, path: Path
) -> None:
    go = threading.Event()
    with Line("store") as line:
        line.submit(go.wait, 60)
        ingest = Ingest(writer, line, Spool(path.with_suffix(".spool")), Doubts(2_000))
        ingest.put(orders(3), 0)
        flushing = asyncio.create_task(ingest.flush(patience_s=0))
        await asyncio.sleep(0.5)
        assert not flushing.done()
        assert (ingest.stats.error, on_disk(path)) == (None, 0)
        line.hangs = True
        assert not await flushing
        assert "does not answer" in (ingest.stats.error or "")
        assert on_disk(path) == 3
        go.set()
        assert await ingest.flush()


async def test_while_the_process_stood_still_nobody_could_answer(
    writer: Writer, executor: OneThread, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liq_provider.sidecar.ingest._OVERDUE_S", 2.0)
    monkeypatch.setattr("liq_provider.sidecar.ingest._LOOK_S", 0.1)
    stuck = StuckWriter(writer)
    ingest = Ingest(stuck, executor, Spool(path.with_suffix(".spool")), Doubts(2_000))  # type: ignore[arg-type]
    ingest.put(orders(3), 0)
    flushing = asyncio.create_task(ingest.flush(patience_s=0))
    while not stuck.begun.is_set():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    time.sleep(3.0)  # noqa: ASYNC251 - the whole loop is to stand still
    await asyncio.sleep(0.05)
    assert not flushing.done()
    assert ingest.stats.error is None
    stuck.go.set()
    assert await flushing


async def test_one_that_the_store_refuses_holds_up_no_other(
    ingest: Ingest, writer: Writer, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = replace(orders(1, first=4)[0], ordinal=2**70)
    ingest.put([*orders(4), bad, *orders(5, first=5)], 0)
    assert await ingest.flush()
    assert [event for event, _ in stored(writer)] == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert (ingest.stats.lost, ingest.stats.set_aside) == (1, 1)
    in_doubt = ingest._doubts.take(T0 + MINUTE)
    assert in_doubt == [Doubt("bybit", "BTC", Interval(T0, T0 + MINUTE))]
    assert path.with_suffix(".spool-bad").read_bytes().count(b"\n") == 1
    assert "set aside" in caplog.text


async def test_what_has_room_in_memory_only_is_kept_there_until_there_is_room(
    writer: Writer,
    executor: OneThread,
    path: Path,
    lock: sqlite3.Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spool = Spool(path.with_suffix(".spool"), max_bytes=0)
    doubts = Doubts(2_000)
    ingest = Ingest(writer, executor, spool, doubts, max_queue=10)
    lock.execute("BEGIN IMMEDIATE")
    for n in range(5):
        ingest.put(orders(3, first=3 * n), 0)
        assert not await ingest.flush()
        ingest._losses.tell(ingest.stats.lost)
    assert (ingest.in_memory, ingest.stats.lost) == (10, 5)
    assert sum("being lost" in text for text in caplog.messages) == 1
    assert sum("spool is full" in text for text in caplog.messages) == 1
    assert doubts.take(T0 + MINUTE) == [Doubt("bybit", "BTC", Interval(T0, T0 + MINUTE))]
    lock.execute("ROLLBACK")
    assert await ingest.flush()
    assert [event for event, _ in stored(writer)] == list(range(10))
