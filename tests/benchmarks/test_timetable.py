"""Rows that wait come first and at once, others beside them, and the rest by itself."""

from dataclasses import replace
from threading import Barrier, Event

import pytest

from benchmarks.contest import Contestant, Row
from benchmarks.referee import Outcome
from benchmarks.timetable import in_turn

PLAIN = Row(
    name="plain",
    work="adding",
    unit="numbers",
    better="more",
    goal=None,
    contestants=(Contestant("LiqTrend", "nowhere:at_all"),),
    size=1,
    compares="Sums are equal.",
)


def row(name: str, waits: int = 0, interruptible: bool = False) -> Row:
    return replace(PLAIN, name=name, waits=waits, interruptible=interruptible)


ROWS = (row("alone"), row("second", 2), row("first", 1), row("beside", 0, True), row("third", 2))


class Judge:
    """Whoever must run at once with another waits for it."""

    def __init__(self, fails: str = "") -> None:
        self.running: set[str] = set()
        self.beside_alone: set[str] | None = None
        first, second = Barrier(2, timeout=30), Barrier(2, timeout=30)
        self._meet = {"first": first, "beside": first, "second": second, "third": second}
        self._fails = fails

    def __call__(self, row: Row) -> Outcome:
        if row.name == self._fails:
            raise KeyboardInterrupt
        self.running.add(row.name)
        if row.name == "alone":
            self.beside_alone = self.running - {"alone"}
        else:
            self._meet[row.name].wait()
        self.running.discard(row.name)
        return Outcome(row)


def test_rows_that_wait_run_first_and_the_rest_by_itself() -> None:
    judge = Judge()
    outcomes = in_turn(ROWS, judge, Event())
    assert [outcome.row.name for outcome in outcomes] == [row.name for row in ROWS]
    assert judge.beside_alone == set()


def test_rows_in_other_threads_end_when_this_is_interrupted() -> None:
    ended, judge = Event(), Judge("beside")

    def until_ended(row: Row) -> Outcome:
        if row.name == "beside":
            return judge(row)
        ended.wait(30)
        return Outcome(row, failure="not computed: interrupted")

    with pytest.raises(KeyboardInterrupt):
        in_turn(ROWS, until_ended, ended)
    assert ended.is_set()
