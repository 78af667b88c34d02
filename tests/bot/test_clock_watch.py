"""A clock that is set, or that differs from the exchange's, is noticed in the next loop."""

from typing import Any

import pytest

from liq_provider.bot import clock_watch
from liq_provider.bot.clock_watch import ClockWatch, read_clocks


class Clocks:
    """A wall clock that a test sets, beside one that it cannot."""

    def __init__(self) -> None:
        self.wall_ms = 1_795_350_000_000.0
        self.elapsed_s = 1_000.0

    def __call__(self) -> tuple[float, float]:
        return self.wall_ms, self.elapsed_s

    def passes(self, seconds: float) -> None:
        self.elapsed_s += seconds
        self.wall_ms += seconds * 1000

    def heard(self, late_s: float = 0.2, count: int = 3) -> tuple[float, ...]:
        """Statuses of a sidecar whose clock is right now the same as this one."""
        return (self.wall_ms - self.elapsed_s * 1000 - late_s * 1000,) * count


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def watch(clocks: Clocks) -> ClockWatch:
    made = ClockWatch(500, clocks)
    assert made.problem(status(1), ()) is None
    clocks.passes(20)
    return made


def status(number: int, skew_ms: int = 0) -> dict[str, Any]:
    return {"skew_ms": skew_ms, "now_ms": number}


@pytest.mark.parametrize("jump_s", [600.0, -600.0, 0.6])
def test_a_jump_is_a_problem_in_the_next_loop_and_ends_when_it_is_taken_back(
    clocks: Clocks, watch: ClockWatch, jump_s: float
) -> None:
    clocks.wall_ms += jump_s * 1000
    clocks.passes(2)
    for _ in range(3):
        problem = watch.problem(status(1), ())
        assert problem == f"this machine's clock jumped by {jump_s:+.1f} s (max_skew_ms)"
        clocks.passes(2)
    clocks.wall_ms -= jump_s * 1000
    assert watch.problem(status(1), ()) is None


def test_small_steps_add_up(clocks: Clocks, watch: ClockWatch) -> None:
    problems = []
    for _ in range(3):
        clocks.wall_ms += 200
        clocks.passes(2)
        problems.append(watch.problem(status(1), ()))
    assert problems[:2] == [None, None]
    assert "jumped by +0.6 s" in str(problems[2])


def test_a_long_time_without_a_loop_is_no_jump(clocks: Clocks, watch: ClockWatch) -> None:
    clocks.passes(100_000)
    assert watch.problem(status(1), ()) is None


def test_a_status_that_was_written_after_a_jump_proves_the_clock(
    clocks: Clocks, watch: ClockWatch
) -> None:
    """Such as when a clock that was two seconds slow is set right."""
    clocks.wall_ms += 2_000
    right = clocks.heard()
    assert watch.problem(status(1), right) is not None
    clocks.passes(10)
    assert watch.problem(status(2), right) is not None, "it may have been written before"
    clocks.passes(10)
    assert watch.problem(status(3, skew_ms=-2_000), right) is not None, "its own clock is off"
    assert watch.problem(status(4), ()) is not None, "nobody knows when it was written"
    slow = tuple(heard - 1_000 for heard in right)
    assert watch.problem(status(5), slow) is not None, "it was slow, or this clock is ahead"
    assert watch.problem(status(6), right) is None
    clocks.passes(10)
    assert watch.problem(status(6), right) is None


def test_a_status_that_is_new_in_the_loop_of_the_jump_proves_nothing(
    clocks: Clocks, watch: ClockWatch
) -> None:
    clocks.wall_ms += 700
    assert "jumped" in str(watch.problem(status(2), clocks.heard(late_s=0)))


def test_a_clock_that_stays_wrong_is_not_proven_by_a_sidecar_that_knows(
    clocks: Clocks, watch: ClockWatch
) -> None:
    right = clocks.heard()
    clocks.wall_ms += 600_000
    for number in range(2, 60):
        assert watch.problem(status(number, skew_ms=-600_000), right) is not None
        clocks.passes(5)


def test_a_clock_that_the_sidecar_contradicts_is_a_problem(
    clocks: Clocks, watch: ClockWatch
) -> None:
    assert watch.problem(status(1), clocks.heard()) is None
    ahead = tuple(heard - 5_000 for heard in clocks.heard())
    assert "5.2 s ahead of the exchange's" in str(watch.problem(status(1), ahead))
    behind = tuple(heard + 5_000 for heard in clocks.heard())
    assert "4.8 s behind the exchange's" in str(watch.problem(status(1), behind))


def test_a_status_that_was_long_on_its_way_is_no_clock_that_is_ahead(
    clocks: Clocks, watch: ClockWatch
) -> None:
    late = clocks.heard(late_s=30, count=5)
    assert watch.problem(status(1), (*late, *clocks.heard(count=1))) is None
    assert watch.problem(status(1), late[:2]) is None, "two may both have been late"


def test_a_jump_that_the_sidecar_shares_is_not_excused_by_it(
    clocks: Clocks, watch: ClockWatch
) -> None:
    """As on one machine, before it asked the exchange for the first time."""
    clocks.wall_ms += 600_000
    assert "jumped by +600.0 s" in str(watch.problem(status(1), clocks.heard()))


def test_clocks_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that lost the processor between the two would see a jump."""
    times = iter([0.0, 9.0, 9.0, 9.001])
    monkeypatch.setattr(clock_watch, "elapsed_s", lambda: next(times))
    _, elapsed_s = read_clocks()
    assert elapsed_s == pytest.approx(9.0005)
