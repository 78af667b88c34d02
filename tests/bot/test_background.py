"""Work that blocks for ever holds up nobody, and goes on by itself."""

import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from liq_provider.bot import background as module
from liq_provider.bot.background import Background


class CountingWork:
    """Counts its turns; hangs while it is told to."""

    def __init__(self, hangs: threading.Event, frees: threading.Event) -> None:
        self._hangs = hangs
        self._frees = frees
        self.closed = 0
        self.hung_up = 0

    def __call__(self, before: int, answered: Callable[[], None]) -> int:
        if self._hangs.is_set():
            self._frees.wait(60)
        answered()
        return before + 1

    def hang_up(self) -> None:
        self.hung_up += 1

    def close(self) -> None:
        self.closed += 1


class Breakable(CountingWork):
    """One whose connection can be broken off, as a database's."""

    def __init__(self, hangs: threading.Event, frees: threading.Event) -> None:
        super().__init__(hangs, threading.Event())

    def hang_up(self) -> None:
        super().hang_up()
        self._frees.set()


class BackgroundRig:
    """A ``Background`` of such works."""

    def __init__(
        self, give_up_s: float | None = None, kind: type[CountingWork] = CountingWork
    ) -> None:
        self._kind = kind
        self.hangs, self.frees = threading.Event(), threading.Event()
        self.made: list[CountingWork] = []
        self.background = Background("counting", self._make, 0, 0.01, give_up_s)

    def _make(self) -> CountingWork:
        self.made.append(self._kind(self.hangs, self.frees))
        return self.made[-1]

    def until(self, true: Callable[[int], Any], seconds: float = 60) -> int:
        deadline = time.monotonic() + seconds
        while not true(value := self.background.take()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return value


@pytest.fixture
def make() -> Iterator[Callable[..., BackgroundRig]]:
    benches: list[BackgroundRig] = []

    def new(**how: Any) -> BackgroundRig:
        benches.append(BackgroundRig(**how))
        return benches[-1]

    yield new
    for bench in benches:
        bench.frees.set()
        bench.background.end()
        bench.until(lambda _, bench=bench: not bench.background.threads)  # type: ignore[misc]


def test_nothing_runs_before_it_is_asked_for(make: Callable[..., BackgroundRig]) -> None:
    bench = make()
    assert bench.background.threads == 0
    assert bench.made == []
    assert bench.until(lambda value: value > 3) > 3
    assert bench.background.threads == 1


def test_who_takes_does_not_wait_and_sees_how_old_it_is(make: Callable[..., BackgroundRig]) -> None:
    bench = make()
    bench.until(lambda value: value > 1)
    bench.hangs.set()
    bench.until(lambda _: bench.background.unanswered_s > 0.5)
    stays = bench.background.take()
    begun_s = time.perf_counter()
    assert all(bench.background.take() == stays for _ in range(100))
    assert time.perf_counter() - begun_s < 10
    bench.hangs.clear()
    bench.frees.set()
    bench.until(lambda value: value > stays + 1)
    bench.until(lambda _: bench.background.unanswered_s < 0.5)


def test_a_thread_that_hangs_is_replaced_and_what_it_brings_later_is_not_read(
    make: Callable[..., BackgroundRig],
) -> None:
    bench = make(give_up_s=0.3)
    bench.until(lambda value: value > 1)
    bench.hangs.set()
    bench.until(lambda _: bench.background.threads == 2)
    bench.hangs.clear()  # such as a connection that is half open, beside new ones that work
    before = bench.until(lambda _: bench.background.unanswered_s < 0.1)
    bench.until(lambda value: value > before + 2)
    bench.frees.set()
    bench.until(lambda _: bench.background.threads == 1)
    assert bench.made[0].closed == 1, "it came back and gave back what it held"
    assert bench.background.take() > before


def test_threads_that_do_not_come_back_are_few(
    make: Callable[..., BackgroundRig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_THREADS", 3)
    bench = make(give_up_s=0.05)
    bench.hangs.set()
    bench.until(lambda _: bench.background.threads == 3)
    for _ in range(30):
        bench.background.take()
        time.sleep(0.01)
    assert bench.background.threads == 3
    assert bench.background.unanswered_s > 0.3, "as long as nobody answered"


def test_who_hangs_is_broken_off_and_trying_never_ends(
    make: Callable[..., BackgroundRig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_THREADS", 3)
    bench = make(give_up_s=0.1, kind=Breakable)
    bench.hangs.set()
    bench.until(lambda _: len(bench.made) > 5)
    assert bench.background.threads <= 3
    bench.hangs.clear()
    seen = bench.until(lambda value: bench.background.unanswered_s < 0.1)
    bench.until(lambda value: value > seen + 2)
    bench.until(lambda _: bench.background.threads == 1)


def test_when_there_may_be_no_more_threads_those_that_hang_are_broken_off_at_times(
    make: Callable[..., BackgroundRig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_THREADS", 2)
    bench = make(give_up_s=0.2)
    bench.hangs.set()
    begun_s = time.monotonic()
    bench.until(lambda _: bench.made[-1].hung_up >= 2)
    assert len(bench.made) == 2
    tries = (time.monotonic() - begun_s) / 0.2
    assert bench.made[0].hung_up <= tries + 1, "no more often than that"


@pytest.mark.parametrize("how", ["in making it", "in doing it", "after an answer"])
@pytest.mark.parametrize("error", [SystemExit, ValueError])
def test_work_that_dies_again_and_again_has_answered_nothing(
    make: Callable[..., BackgroundRig],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    how: str,
    error: type[BaseException],
) -> None:
    def dies(self: CountingWork, before: int, answered: Callable[[], None]) -> int:
        if how == "after an answer":
            answered()
        raise error("planted")

    bench = make()
    with monkeypatch.context() as patch:
        if how == "in making it":
            patch.setattr(CountingWork, "__init__", lambda *_: dies(bench.made[0], 0, int))
            bench.made.append(CountingWork.__new__(CountingWork))
        patch.setattr(CountingWork, "__call__", dies)
        bench.until(lambda _: bench.background.unanswered_s > 0.5)
        assert bench.background.threads == 1
        assert len([row for row in caplog.records if "The thread" in row.message]) == 1
    assert bench.until(lambda value: value > 2) > 2
    bench.until(lambda _: bench.background.unanswered_s < 0.5)


def test_a_thread_that_cannot_be_started_is_tried_again(
    make: Callable[..., BackgroundRig], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make()

    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        bench.until(lambda _: bench.background.unanswered_s > 0.3)
    assert bench.until(lambda value: value > 2) > 2


def test_work_that_fails_is_done_again(
    make: Callable[..., BackgroundRig], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make()
    failures = iter([True, True])
    original = CountingWork.__call__

    def fails(self: CountingWork, before: int, answered: Callable[[], None]) -> int:
        if next(failures, False):
            raise ValueError("planted")
        return original(self, before, answered)

    monkeypatch.setattr(CountingWork, "__call__", fails)
    assert bench.until(lambda value: value > 2) > 2


def test_the_thread_ends_with_whom_it_works_for() -> None:
    bench = BackgroundRig()
    bench.until(lambda value: value > 1)
    thread = next(t for t in threading.enumerate() if t.name == "counting")
    del bench.background
    gc.collect()
    thread.join(20)
    assert not thread.is_alive()
