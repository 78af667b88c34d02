"""What the runs of a row come to: medians, spread, ratios, whether the goal was met, and growth."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from statistics import linear_regression, median, quantiles

from benchmarks.contest import Growth, Measured, Row
from benchmarks.referee import Outcome


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles of what was measured."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """:return: with quartiles as they are between the values; one value is all three"""
        if len(values) < 2:
            return cls(values[0], values[0], values[0])
        low, _, high = quantiles(values, n=4, method="inclusive")
        return cls(median(values), low, high)


def spread_of(runs: Sequence[Measured]) -> Spread:
    """:return: of the values in the row's unit; of one run, what it says itself"""
    first = runs[0]
    if len(runs) == 1 and first.low is not None and first.high is not None:
        return Spread(first.value, first.low, first.high)
    return Spread.of([run.value for run in runs])


def ratio(own: Sequence[Measured], other: Sequence[Measured]) -> float:
    """
    :return: LiqTrend's value in the other's, the median of the rounds, as both ran beside the
        same load
    """
    return median(mine.value / theirs.value for mine, theirs in zip(own, other, strict=True))


def goal_met(outcome: Outcome) -> bool | None:
    """:return: none where there is no goal or no result"""
    row, goal = outcome.row, outcome.row.goal
    if goal is None or outcome.failure:
        return None
    own = outcome.runs[row.contestants[0].name]
    return _reaches(row, ratio(own, outcome.runs[goal.of]) if goal.of else spread_of(own).middle)


def _reaches(row: Row, value: float) -> bool:
    assert row.goal is not None
    return value >= row.goal.limit if row.better == "more" else value <= row.goal.limit


def where_set(outcome: Outcome) -> tuple[float, bool] | None:
    """
    :return: LiqTrend's value on a machine on which the peer is as fast as where the goal was set,
        and whether that meets it; none where that is not known
    """
    goal = outcome.row.goal
    if goal is None or not goal.peer or outcome.failure:
        return None
    runs = outcome.runs
    value = ratio(runs[outcome.row.contestants[0].name], runs[goal.peer]) * goal.peer_made
    return value, _reaches(outcome.row, value)


def goal_words(row: Row) -> str:
    """:return: such as "15 or more", or "1.5 x precomputed or less" """
    if row.goal is None:
        return "-"
    of = f" x {row.goal.of}" if row.goal.of else ""
    return f"{number(row.goal.limit)}{of} or {row.better}"


def power(sizes: Sequence[int], costs: Sequence[float]) -> float:
    """:return: of the size, that the cost grows with; a line through their logarithms"""
    floor = 1e-6  # a clock that did not move is no reason to fail
    return linear_regression(
        [log(size) for size in sizes], [log(max(cost, floor)) for cost in costs]
    ).slope


def growth_costs(
    growth: Growth, outcome: Outcome, others: Sequence[Outcome]
) -> Sequence[float] | None:
    """
    :param others: all outcomes, for what rows have measured already
    :return: the cost with each size, none where it was not measured
    """
    if not growth.rows:
        return outcome.growth.get(growth.what)
    by_name = {each.row.name: each for each in others if not each.failure}
    if not set(growth.rows) <= by_name.keys():
        return None
    measured = [by_name[name] for name in growth.rows]
    return [spread_of(each.runs[each.row.contestants[0].name]).middle for each in measured]


def growth_words(growth: Growth, unit: str, costs: Sequence[float]) -> str:
    """:return: one sentence"""
    sizes = growth.sizes
    steps = ", ".join(
        f"{size / sizes[0]:g} x: "
        f"{seconds(cost) if growth.cost == 'cpu_s' else f'{number(cost)} {unit}'}"
        for size, cost in zip(sizes, costs, strict=True)
    )
    grows = power(sizes, costs)
    how = (
        "falls"
        if grows < -0.2
        else "hardly grows"
        if grows < 0.2
        else "grows less than in proportion"
        if grows < 0.8
        else "grows in proportion"
        if grows <= 1.2
        else "grows more than in proportion"
    )
    what = "time" if growth.cost == "cpu_s" else "figure"
    return (
        f"With {growth.what} ({sizes[0]:,} first) the {what} {how}, to the power of {grows:.2f}: "
        f"{steps}."
    )


def number(value: float) -> str:
    """:return: three figures, without zeros at the end"""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def seconds(value: float) -> str:
    """:return: in the unit that suits it"""
    return f"{number(value * 1e3)} ms" if value < 1 else f"{number(value)} s"
