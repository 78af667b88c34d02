"""When a minute is settled, in which thread, and who waits for that."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from liq_provider.core.doubts import Doubts
from liq_provider.core.one_thread import OneThread
from liq_provider.errors import StoreUnusable
from liq_provider.measure.minute_results import Settled
from liq_provider.sidecar.ingest import Ingest
from liq_provider.sidecar.running_minute import RunningLoop, RunningMinute
from liq_provider.sidecar.settle_minute import Settler
from liq_provider.sidecar.settling_schedule import SettlingSchedule
from liq_provider.store.reader import Reader
from liq_provider.store.spool import Spool
from tests.sidecar.test_settle_minute import SETTINGS, Store, cascade
from tests.store.helpers import MINUTE, T0, order


class Slow(Settler):
    """It reads until it is let go, or until its connection is broken off."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.begun, self.go = threading.Event(), threading.Event()
        self.broken = False

    def compute(self, close_ms: int, now_ms: int) -> Settled:
        self.begun.set()
        assert self.go.wait(60)
        if self.broken:
            raise StoreUnusable("Reading the store: broken off")
        return super().compute(close_ms, now_ms)

    def break_off(self) -> None:
        self.broken = True
        self.go.set()


class Parts:
    """As much of a sidecar as settles minutes."""

    def __init__(self, directory: Path, threads: ExitStack) -> None:
        self.store = Store(directory)
        self.store.past(40)
        cascade(self.store, 0)
        self.writing = threads.enter_context(OneThread("store"))
        self.computing = threads.enter_context(OneThread("computing"))
        self.looking = threads.enter_context(OneThread("running"))
        doubts = Doubts(2_000)
        writer, reader = self.store.writer, self.store.reader
        self.ingest = Ingest(writer, self.writing, Spool(directory / "spool"), doubts)
        self.settler = Slow(writer, reader, SETTINGS, None, self.writing)
        self.settled: list[Settled] = []
        self.close_ms = T0 + MINUTE
        self.now_ms = self.close_ms + 2_000
        self.schedule = SettlingSchedule(
            *({}, self.ingest, self.settler, self.writing, self.computing),
            *(lambda: self.now_ms, doubts, 2_000, 30_000, self.settled.append),
            self.settler.break_off,
        )

    async def until_it_computes(self) -> None:
        while not self.settler.begun.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with ExitStack() as threads:
        parts = Parts(tmp_path, threads)
        yield parts
        parts.settler.go.set()
    parts.store.writer.close()


async def test_while_a_minute_is_measured_what_comes_is_stored(parts: Parts) -> None:
    parts.now_ms = T0 + 30_000
    running = asyncio.create_task(parts.schedule.run())
    await asyncio.sleep(0)
    parts.now_ms = parts.close_ms + 2_000
    async with asyncio.timeout(60):
        await parts.until_it_computes()
    parts.ingest.put([order(parts.close_ms + 100)], 0)
    async with asyncio.timeout(50):
        assert await parts.ingest.flush()
    table = parts.store.reader
    assert table.span() == (T0 - 40 * MINUTE + 1_000, parts.close_ms + 100)
    assert not parts.settled
    parts.settler.go.set()
    async with asyncio.timeout(50):
        while not parts.settled:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    running.cancel()


async def test_results_are_written_by_the_stores_thread(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, names = parts.store.writer.put_results, []

    def noted(*arguments: Any) -> None:
        names.append(threading.current_thread().name)
        put(*arguments)

    monkeypatch.setattr(parts.store.writer, "put_results", noted)
    parts.settler.go.set()
    await parts.schedule._settle(parts.close_ms)
    assert names == ["store"]
    (rows,) = parts.store.reader.features(None, parts.close_ms, parts.close_ms).values()
    assert len(rows) == 1


async def test_reading_that_hangs_is_broken_off_and_the_next_minute_comes(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("liq_provider.sidecar.settling_schedule._HANG_UP_S", 0.1)
    async with asyncio.timeout(50):
        assert await parts.schedule._settle(parts.close_ms) is None
    assert "broken off" in caplog.text
    assert parts.schedule.unsettled == 1
    parts.settler.broken = False
    parts.close_ms += MINUTE
    parts.now_ms += MINUTE
    async with asyncio.timeout(50):
        assert await parts.schedule._settle(parts.close_ms) is not None


async def test_nobody_looks_ahead_while_a_minute_is_settled(parts: Parts) -> None:
    looks: list[int] = []

    class Noted(RunningMinute):
        def look(self, close_ms: int, *arguments: Any) -> Any:
            looks.append(close_ms)
            return super().look(close_ms, *arguments)

    class Covering:
        def covers(self, _ms: int) -> bool:
            return True

    async def nothing(_running: object) -> None:
        return None

    schedule = parts.schedule
    schedule.settled_ms = T0
    loop = RunningLoop(
        *(Noted(Reader(parts.store.reader.url), SETTINGS), {"bybit": Covering()}),  # type: ignore[arg-type, dict-item]
        *(schedule, dict, parts.looking, lambda: T0 + 30_000, nothing),
    )
    schedule.settling = True
    await loop._look()
    assert looks == []
    schedule.settling = False
    await loop._look()
    assert looks == [T0 + MINUTE]
