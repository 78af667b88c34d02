"""Medians, quartiles, ratios and goals, and the page that tells them."""

from dataclasses import replace
from pathlib import Path

import pytest

import benchmarks.__main__ as command
from benchmarks.contest import Contestant, Goal, Growth, Measured, Row
from benchmarks.figures import (
    Spread,
    goal_met,
    goal_words,
    growth_costs,
    growth_words,
    power,
    ratio,
    spread_of,
)
from benchmarks.referee import ROOT, Outcome
from benchmarks.report import Circumstances, markdown
from benchmarks.rows import ROWS

AROUND = Circumstances("2 cores", "Python 3", "DuckDB 2", "2026-01-01 00:00 UTC", 12, ("1", "2"))

GROWTH = Growth("rows", "nowhere:at_all", (1_000, 4_000, 16_000))


def runs(*values: float) -> list[Measured]:
    return [Measured(value, "same", 1.0, 1.0, 50.0, f"said {value:g}") for value in values]


def row_of(goal: Goal | None, better: str = "more", **changes: object) -> Row:
    peer = Contestant("peer", "nowhere:at_all", differs="it rounds")
    values = {
        "name": "sum",
        "work": "adding",
        "unit": "numbers a second",
        "better": better,
        "goal": goal,
        "contestants": (Contestant("LiqTrend", "nowhere:at_all"), peer),
        "size": 5,
        "compares": "Sums are equal.",
    }
    return Row(**(values | changes))  # type: ignore[arg-type]


def outcome_of(row: Row, **changes: object) -> Outcome:
    measured = {"LiqTrend": runs(10, 30, 20), "peer": runs(20, 30, 80)}
    return Outcome(row, measured, **changes)  # type: ignore[arg-type]


def test_the_spread_is_that_of_the_quartiles() -> None:
    assert Spread.of([1, 2, 3, 4, 100]) == Spread(3, 2, 4)
    assert Spread.of([7]) == Spread(7, 7, 7)


def test_a_run_that_measures_several_times_says_its_own_spread() -> None:
    assert spread_of([replace(runs(7)[0], low=5.0, high=8.0)]) == Spread(7, 5, 8)
    assert spread_of(runs(1, 2, 3)) == Spread(2, 1.5, 2.5)


def test_growth_is_told_by_rows_that_measured_it() -> None:
    growth = Growth("pairs", "", (1, 4), cost="value", rows=("small", "large"))
    small, large = (
        replace(row_of(None), name=name, growth=(growth,)) for name in ("small", "large")
    )
    outcomes = [outcome_of(small), Outcome(large, {"LiqTrend": runs(40), "peer": runs(1)})]
    assert growth_costs(growth, outcomes[0], outcomes) == [20, 40]
    assert "1 x: 20 numbers a second, 4 x: 40 numbers a second." in markdown(outcomes, AROUND)
    # A row was left out, or came to nothing.
    assert growth_costs(growth, outcomes[0], outcomes[:1]) is None
    failed = [outcomes[0], replace(outcomes[1], failure="not equal: peer is off")]
    assert growth_costs(growth, failed[0], failed) is None
    assert "1 x:" not in markdown(outcomes[:1], AROUND)


def test_a_ratio_is_the_median_of_those_of_each_round() -> None:
    assert ratio(runs(10, 30, 20), runs(20, 30, 80)) == 0.5


@pytest.mark.parametrize(
    ("goal", "better", "met"),
    [
        (Goal(20), "more", True),
        (Goal(21), "more", False),
        (Goal(20), "less", True),
        (Goal(19), "less", False),
        (Goal(0.5, "peer"), "less", True),
        (Goal(0.6, "peer"), "more", False),
        (None, "more", None),
    ],
)
def test_a_goal_is_met_by_the_median(goal: Goal | None, better: str, met: bool | None) -> None:
    assert goal_met(outcome_of(row_of(goal, better))) is met


@pytest.mark.parametrize(("limit", "words"), [(44, "45, which meets it"), (46, "45, which misses")])
def test_a_slow_machine_is_told_by_how_slow_the_peer_is(limit: float, words: str) -> None:
    # Half of what the peer makes here; where the goal was set the peer made 90.
    page = markdown([outcome_of(row_of(Goal(limit, peer="peer", peer_made=90)))], AROUND)
    assert f"The goal was set where peer came to 90. At that pace LiqTrend comes to {words}" in page
    assert "| **no** |" in page


def test_what_was_not_computed_meets_nothing() -> None:
    assert goal_met(outcome_of(row_of(Goal(1)), failure="not computed: it fell")) is None


@pytest.mark.parametrize(
    ("costs", "words"),
    [
        ([1.0, 4.0, 16.0], "grows in proportion, to the power of 1.00"),
        ([4.0, 2.0, 1.0], "falls, to the power of -0.50"),
        ([1.0, 1.0, 1.0], "hardly grows, to the power of 0.00"),
        ([1.0, 2.0, 4.0], "less than in proportion, to the power of 0.50"),
        ([1.0, 16.0, 256.0], "more than in proportion, to the power of 2.00"),
        ([0.0, 0.0, 0.0], "hardly grows"),
    ],
)
def test_growth_is_said_in_words(costs: list[float], words: str) -> None:
    assert words in growth_words(GROWTH, "bytes", costs)


def test_growth_of_a_figure_is_said_in_its_unit() -> None:
    growth = Growth("days", "nowhere:at_all", (8, 32), cost="value")
    words = "With days (8 first) the figure hardly grows, to the power of 0.00: 1 x: 90 bytes, "
    assert growth_words(growth, "bytes", [90, 90]) == f"{words}4 x: 90 bytes."


def test_the_power_is_that_of_a_line_through_logarithms() -> None:
    assert power([1, 10, 100], [3, 300, 30_000]) == pytest.approx(2)


def test_the_page_has_figures_quartiles_ratio_goal_and_what_differs() -> None:
    growth = Growth("rows", "nowhere:at_all", (1, 4))
    row = row_of(Goal(0.6, "peer"), growth=(growth,), proof="It is not to be had.")
    page = markdown([outcome_of(row, growth={"rows": [1.0, 4.0]})], AROUND)
    assert (
        "| adding, numbers a second | 20 (15 to 25) | peer 30 (25 to 55) | 0.50 "
        "| 0.6 x peer or more | **no** |"
    ) in page
    assert "- LiqTrend: 3 rounds, peak 50 MB; said 20" in page
    assert "not equal by its nature: it rounds" in page
    assert (
        "With rows (1 first) the time grows in proportion, to the power of 1.00: 1 x: 1 s, 4 x"
        in page
    )
    assert "Why not: It is not to be had." in page
    assert "not computed, or not equal: none." in page


def test_the_page_says_what_was_not_computed_and_shows_no_figure_of_it() -> None:
    page = markdown([outcome_of(row_of(Goal(9)), failure="not equal: peer is off")], AROUND)
    assert "| adding, numbers a second | **not equal** | | | 9 or more | - |" in page
    assert "**not equal: peer is off**" in page
    assert "not computed, or not equal: 1." in page


def test_a_goal_is_worded() -> None:
    assert goal_words(row_of(Goal(1.5, "peer"), "less")) == "1.5 x peer or less"
    assert goal_words(row_of(Goal(200_000), "more")) == "200,000 or more"
    assert goal_words(row_of(None)) == "-"


@pytest.mark.parametrize(("failure", "status"), [("", 0), ("not equal: peer is off", 1)])
def test_the_exit_status_says_whether_all_is_computed_and_equal(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    failure: str,
    status: int,
) -> None:
    row = row_of(Goal(1_000_000))  # not met, which is no failure
    monkeypatch.setattr(command, "ROWS", (row,))
    monkeypatch.setattr(command, "RESULTS", tmp_path / "results.md")
    monkeypatch.setattr(command, "versions", lambda python: "Python 3")
    monkeypatch.setattr(
        command.Referee, "judge", lambda self, row, rounds: outcome_of(row, failure=failure)
    )
    monkeypatch.setattr("sys.argv", ["benchmarks"])
    assert command.main() == status
    assert (tmp_path / "results.md").read_text() in capsys.readouterr().out
    assert str(ROOT) not in (tmp_path / "results.md").read_text()

    (tmp_path / "results.md").unlink()
    monkeypatch.setattr("sys.argv", ["benchmarks", "sum"])
    assert command.main() == status
    assert not (tmp_path / "results.md").exists(), "some rows are no table"


def test_an_unknown_row_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", "nothing"])
    with pytest.raises(SystemExit):
        command.main()
    assert f"no row is called nothing; there are {ROWS[0].name}" in capsys.readouterr().err


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_row_runs_five_times_and_says_what_it_compares(row: Row) -> None:
    assert row.rounds * row.repeats >= 5
    assert row.compares.endswith(".")
    names = {"", *(each.name for each in row.contestants)}
    assert row.goal is None or {row.goal.of, row.goal.peer} <= names
    assert not row.contestants[0].peer
    assert row.growth or row.repeats > 1


def test_each_row_has_a_name_of_its_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
