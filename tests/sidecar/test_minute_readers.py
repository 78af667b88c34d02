"""Who reads a minute that was settled, and one that runs."""

import asyncio
from typing import Any, cast

from liq_provider.core.loose_tasks import LooseTasks
from liq_provider.measure.minute_results import Settled
from liq_provider.sidecar.minute_readers import MinuteReaders
from liq_provider.sidecar.page_protocol import Unwatched
from liq_provider.sidecar.running_minute import Running
from tests.store.helpers import MINUTE, T0


class SlowReaders:
    """Readiness, the judge and the page in one; each of them takes its time."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.said: list[str] = []

    async def assess(self, close_ms: int, now_ms: int) -> None:
        await self.go.wait()
        self.said.append(f"ready at {close_ms - T0}, told at {now_ms - T0}")

    async def judge(self, settled: Settled) -> None:
        await self.go.wait()
        self.said.append(f"judged {settled.close_ms - T0}")

    async def foresee(self, running: Running) -> None:
        self.said.append(f"foreseen {running.close_ms - T0}")


class RecordingList:
    def __init__(self, said: list[str]) -> None:
        self._said = said

    def take_settled(self, settled: Settled) -> None:
        self._said.append("listed")

    def take_running(self, running: Running) -> None:
        self._said.append("listed")


class RecordingPage(Unwatched):
    def __init__(self, said: list[str]) -> None:
        self._said = said

    def take_running(self, running: Running) -> None:
        self._said.append("shown")


def readers_of(slow: SlowReaders, tasks: LooseTasks) -> MinuteReaders:
    both, pairs = cast(Any, slow), cast(Any, RecordingList(slow.said))
    page = RecordingPage(slow.said)
    return MinuteReaders(both, both, page, pairs, lambda: T0 + 500, tasks)


async def test_the_next_minute_waits_for_no_reader_of_the_one_before() -> None:
    slow, tasks = SlowReaders(), LooseTasks()
    readers_of(slow, tasks).settled(Settled(T0, (), {}, ()))
    await asyncio.sleep(0.01)
    # A bot must know of its pairs before it hears what was said of them.
    assert slow.said == ["listed"] and len(list(tasks)) == 2
    slow.go.set()
    await asyncio.wait(list(tasks))
    assert sorted(slow.said[1:]) == ["judged 0", "ready at 0, told at 500"]


async def test_a_running_minute_is_shown_before_anybody_is_asked_about_it() -> None:
    slow = SlowReaders()
    rows = {"BTC": {"z": 3.0}}
    await readers_of(slow, LooseTasks()).running(Running(T0 + MINUTE, T0, rows=rows))
    assert slow.said == ["listed", "shown", f"foreseen {MINUTE}"]


async def test_a_coin_that_only_grows_is_listed_and_not_shown_again() -> None:
    slow = SlowReaders()
    running = Running(T0 + MINUTE, T0, growing={"BTC": 9_000.0})
    await readers_of(slow, LooseTasks()).running(running)
    assert slow.said == ["listed"]
