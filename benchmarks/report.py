"""The table and what is told below it, as Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.figures import (
    goal_met,
    goal_words,
    growth_costs,
    growth_words,
    number,
    ratio,
    spread_of,
    where_set,
)
from benchmarks.referee import Outcome

_MET = {True: "yes", False: "**no**", None: "-"}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """
    :param machine: what it ran on
    :param own: versions of LiqTrend's environment
    :param peers: versions of the peers' environment
    :param load: before and after
    """

    machine: str
    own: str
    peers: str
    begun: str
    minutes: float
    load: tuple[str, str]


def markdown(outcomes: Sequence[Outcome], around: Circumstances) -> str:
    """:return: the whole page"""
    failed = [outcome for outcome in outcomes if outcome.failure]
    lines = [
        "# Benchmarks",
        "",
        f"`make bench`, {around.begun}, {around.minutes:.0f} minutes. {around.machine}. "
        f"Load before {around.load[0]}, after {around.load[1]}.",
        "",
        f"LiqTrend's environment: {around.own}.  ",
        f"The peers' environment: {around.peers}.",
        "",
        "Medians; in brackets the quartiles. Each run is a process of its own, and who is compared "
        "takes turns. A ratio is LiqTrend's figure in the other's, the median of the rounds. What "
        "is counted is time of the processor, unless the row says something else. How to read it: "
        "[operations](../docs/operations.md#how-fast-it-is).",
        "",
        "| row | LiqTrend | beside it | ratio | goal | met |",
        "| --- | --- | --- | --- | --- | --- |",
        *(_line(outcome) for outcome in outcomes),
        "",
        f"Rows that were not computed, or not equal: {len(failed) or 'none'}.",
    ]
    for outcome in outcomes:
        lines += ["", f"## {outcome.row.name}", "", *_details(outcome, outcomes)]
    return "\n".join(lines) + "\n"


def _figure(outcome: Outcome, name: str) -> str:
    spread = spread_of(outcome.runs[name])
    return f"{number(spread.middle)} ({number(spread.low)} to {number(spread.high)})"


def _line(outcome: Outcome) -> str:
    row = outcome.row
    work = f"{row.work}, {row.unit}"
    if outcome.failure:
        return f"| {work} | **{outcome.failure.partition(':')[0]}** | | | {goal_words(row)} | - |"
    own, *others = (each.name for each in row.contestants)
    beside = "<br>".join(f"{name} {_figure(outcome, name)}" for name in others) or "-"
    runs = outcome.runs
    ratios = "<br>".join(f"{ratio(runs[own], runs[name]):.2f}" for name in others) or "-"
    met = _MET[goal_met(outcome)]
    return f"| {work} | {_figure(outcome, own)} | {beside} | {ratios} | {goal_words(row)} | {met} |"


def _details(outcome: Outcome, outcomes: Sequence[Outcome]) -> list[str]:
    row = outcome.row
    if outcome.failure:
        return [f"**{outcome.failure}**", "", row.compares]
    lines = [row.compares, ""]
    for each in row.contestants:
        runs = outcome.runs[each.name]
        rounds = f"{len(runs)} rounds" if len(runs) > 1 else "one round"
        peak = max(run.peak_mb for run in runs)
        words = [f"- {each.name}: {rounds}, peak {number(peak)} MB"]
        words += [run.said for run in runs[-1:] if run.said]
        if each.differs:
            words.append(f"not equal by its nature: {each.differs}")
        lines.append("; ".join(words))
    lines.append("")
    for growth in row.growth:
        costs = growth_costs(growth, outcome, outcomes)
        lines += [growth_words(growth, row.unit, costs)] if costs else []
    scaled = where_set(outcome)
    if scaled is not None and row.goal is not None:
        value, met = scaled
        lines += [
            "",
            f"The goal was set where {row.goal.peer} came to {number(row.goal.peer_made)}. At that "
            f"pace LiqTrend comes to {number(value)}, which {'meets' if met else 'misses'} it.",
        ]
    if goal_met(outcome) is False and row.proof:
        lines += ["", f"Why not: {row.proof}"]
    return lines
