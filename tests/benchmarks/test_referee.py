"""A small contest, run as ``make bench`` runs them: in processes of their own."""

import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks.contest import Contestant, Goal, Growth, Row
from benchmarks.minute_ends import MinuteEnds
from benchmarks.referee import Outcome, Referee
from tests.integration.harness import until

pytestmark = pytest.mark.processes
HERE = "tests.benchmarks.contestants"


def contestant(function: str, differs: str = "") -> Contestant:
    return Contestant(function, f"{HERE}:{function}", differs=differs)


def row_of(*contestants: Contestant, **changes: object) -> Row:
    values = {
        "name": "sum",
        "work": "adding numbers",
        "unit": "numbers",
        "better": "more",
        "goal": Goal(400, ""),
        "contestants": contestants,
        "size": 500,
        "compares": "The sums are equal.",
        "prepare": f"{HERE}:write_numbers",
        "rounds": 3,
        "warm": False,
        "timeout_s": 60.0,
    }
    return Row(**(values | changes))  # type: ignore[arg-type]


def judge(tmp_path: Path, row: Row, told: list[str] | None = None) -> Outcome:
    tell = (lambda line: None) if told is None else told.append
    return Referee(Path(sys.executable), Path(sys.executable), tmp_path, tell).judge(row)


def test_equal_results_of_all_rounds_are_kept_and_the_scene_is_made_once(tmp_path: Path) -> None:
    told: list[str] = []
    row = row_of(contestant("adds"), contestant("counts_up"))
    outcome = judge(tmp_path, row, told)
    assert outcome.failure == ""
    assert [len(runs) for runs in outcome.runs.values()] == [3, 3]
    assert {run.value for run in outcome.runs["counts_up"]} == {1_000}
    assert all(run.peak_mb > 5 for run in outcome.runs["adds"])
    (scene,) = tmp_path.iterdir()
    assert (scene / "made.txt").read_text() == "once\n"
    # Whoever was first in a round is second in the next.
    names = [line.split()[2].rstrip(":") for line in told]
    assert names == ["adds", "counts_up", "counts_up", "adds", "adds", "counts_up"]


def test_a_first_round_that_warms_does_not_count(tmp_path: Path) -> None:
    outcome = judge(tmp_path, row_of(contestant("adds"), warm=True, rounds=1))
    assert len(outcome.runs["adds"]) == 1


def test_another_result_is_not_equal(tmp_path: Path) -> None:
    outcome = judge(tmp_path, row_of(contestant("adds"), contestant("forgets_one")))
    assert outcome.failure == "not equal: forgets_one came to another result than adds"


def test_a_result_that_differs_by_its_nature_is_not_compared(tmp_path: Path) -> None:
    row = row_of(contestant("adds"), contestant("forgets_one", "it adds all but one"))
    assert judge(tmp_path, row).failure == ""


def test_results_that_differ_between_rounds_are_not_equal(tmp_path: Path) -> None:
    row = row_of(contestant("adds"), contestant("other_each_time", "whatever it is"))
    assert judge(tmp_path, row).failure.startswith("not equal: other_each_time came to 3 results")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("crashes", "ended with 1: ValueError: no 500 here, in ./tests/benchmarks/contestants.py"),
        ("dies", "says no figures"),
        ("says_nothing", "says no figures"),
        ("no_figures", "says no figures"),
        ("is_not_there", "ended with 1: AttributeError"),
    ],
)
def test_whoever_says_no_figures_makes_a_row_that_was_not_computed(
    tmp_path: Path, function: str, words: str
) -> None:
    outcome = judge(tmp_path, row_of(contestant("adds"), contestant(function), rounds=1))
    assert outcome.failure.startswith(f"not computed: {function}: ")
    assert words in outcome.failure


def test_whoever_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    row = row_of(contestant("hangs"), rounds=1, timeout_s=8.0)
    assert "took more than 8 s" in judge(tmp_path, row).failure
    (child,) = tmp_path.glob("*/child.txt")
    pid = int(child.read_text())
    until(
        lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE,
        20,
    )


def test_whoever_may_be_interrupted_stands_still_while_others_act(tmp_path: Path) -> None:
    class Once(MinuteEnds):
        """The end of a minute comes half a second after the start, and lasts for two."""

        def __init__(self) -> None:
            super().__init__()
            self.begin_s = time.monotonic() + 0.5

        def still_s(self, now_s: float) -> float:
            due = time.monotonic() > self.begin_s
            self.begin_s += 1e9 * due
            return 2.0 if due else 0.0

    row = row_of(contestant("waits"), rounds=1, interruptible=True, prepare="")
    here = Path(sys.executable)
    stood, ran = (
        Referee(here, here, tmp_path, print, Once()).judge(each).runs["waits"][0].wall_s
        for each in (row, replace(row, interruptible=False))
    )
    assert stood > 3.5
    assert ran < stood - 1.0


def test_whoever_runs_ends_with_everything(tmp_path: Path) -> None:
    here = Path(sys.executable)
    referee = Referee(here, here, tmp_path)
    referee.ended.set()
    begun = time.monotonic()
    told = referee.judge(row_of(contestant("hangs"))).failure
    assert told.startswith("not computed: ") and told.endswith("interrupted")
    assert time.monotonic() - begun < 60


def test_peers_that_are_not_installed_are_said(tmp_path: Path) -> None:
    row = row_of(contestant("adds"), Contestant("peer", f"{HERE}:adds", peer=True))
    outcome = Referee(Path(sys.executable), tmp_path / "none", tmp_path, print).judge(row)
    assert "`make peers` makes it" in outcome.failure


def test_a_scene_that_cannot_be_made_fails_each_row_that_wants_it(tmp_path: Path) -> None:
    row = row_of(contestant("adds"), prepare=f"{HERE}:crashes")
    assert judge(tmp_path, row).failure.startswith("not computed:")
    assert judge(tmp_path, row).failure.startswith("not computed:")


def test_growth_is_measured_once_with_each_size(tmp_path: Path) -> None:
    growth = Growth("numbers", f"{HERE}:proportional", (100, 400, 1_600))
    outcome = judge(tmp_path, row_of(contestant("adds"), rounds=1, growth=(growth,)))
    assert outcome.growth == {"numbers": [0.1, 0.4, 1.6]}
