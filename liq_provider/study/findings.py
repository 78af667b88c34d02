"""The study's findings in plain sentences; what was not found is said as such."""

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np

from liq_provider.core.durations import DAY_MIN
from liq_provider.judge.gate_list import BEGINNING_UNSEEN
from liq_provider.study.event_study import (
    ALPHA,
    LEVEL,
    MIN_DAYS,
    MIN_EVENTS,
    Hypothesis,
    Options,
    Study,
)
from liq_provider.venues.registry import sampling_words

_LONGEST_DAYS = 730


def headline(study: Study) -> str:
    """:return: the answer in one line"""
    qualified = [tested for tested in study.hypotheses if tested.finding == "qualified"]
    if len(qualified) == 1:
        runs_on = qualified[0].way == "follow"
        return (
            "Price RUNS ON after waves that the candles agree with: follow qualifies."
            if runs_on
            else "Price REVERTS after waves that the candles disagree with: fade qualifies."
        )
    if qualified:
        return "Both follow and fade qualify, each on its own waves."
    if all(tested.finding == "not enough data" for tested in study.hypotheses):
        return "NOT ENOUGH DATA to answer whether price runs on or reverts after a wave."
    return "NOT QUALIFIED: no edge after costs is shown by this recording."


def sentences(study: Study, options: Options) -> list[str]:
    """:return: what was looked at, then one or two sentences for each hypothesis"""
    known = sum(pair.known for pair in study.pairs)
    candles = sum(pair.candles for pair in study.pairs)
    said = [
        f"{minute_text(study.from_ms)} to {minute_text(study.to_ms)} UTC, "
        f"{len(study.pairs)} pair(s) at {study.timeframe_min} min: "
        f"{candles:,} candles, liquidations known for "
        f"{known / candles:.1%} of them.",
        f"{study.events:,} wave(s), which are {study.clusters:,} event(s) (waves at the same time "
        f"are one) on {study.days:,} minute_text(s).",
        f"Asked before looking: is the mean return over {study.horizon_min} minutes, after "
        f"{options.cost:.3%} of costs for a round trip, above zero with {LEVEL:.0%} "
        f"confidence, and beyond random times and random signs (p <= "
        f"{ALPHA / options.trials:g}, {options.trials} setting(s) declared as tried)?",
    ]
    if study.unseen:
        said.insert(
            2,
            f"{study.unseen:,} more wave(s) are left out: their {BEGINNING_UNSEEN}, and no bot "
            "would have entered them.",
        )
    return said + [line for tested in study.hypotheses for line in _about(tested, study)]


def _about(tested: Hypothesis, study: Study) -> list[str]:
    what = {
        "follow": "follow (waves that the candles agree with)",
        "fade": "fade (waves whose candles agree with the opposite)",
    }[tested.way]
    mean = tested.mean
    if not mean.n:
        return [f"{what}: NOT ENOUGH DATA, there was no such wave. {_wanted(tested, study)}"]
    if tested.finding == "not enough data":
        return [
            f"{what}: NOT ENOUGH DATA, {mean.n} event(s) on {mean.days} minute_text(s). "
            f"{_wanted(tested, study)}"
        ]
    numbers = (
        f"{mean.n} events on {mean.days} days, mean {percent(mean.mean)} before and "
        f"{percent(tested.net)} after costs ({LEVEL:.0%} interval {percent(tested.net_low)} to "
        f"{percent(tested.net_high)}), {percent(tested.net_2x)} after twice the costs; "
        f"random times {percent(tested.placebo_mean)} (p {tested.placebo_p:.4f}), random signs "
        f"p {tested.sign_flip_p:.4f}."
    )
    if tested.finding == "qualified":
        return [f"{what}: QUALIFIED. {numbers}"]
    return [f"{what}: NOT QUALIFIED. {numbers}", _missing(tested, study)]


def _missing(tested: Hypothesis, study: Study) -> str:
    if tested.net_high <= 0:
        return (
            f"The whole {LEVEL:.0%} interval lies below the costs: this recording speaks against "
            "an edge of any size."
        )
    return _wanted(tested, study)


def _wanted(tested: Hypothesis, study: Study) -> str:
    """How long to record for an edge of each size, by the spread and the rate that were seen."""
    # Days that something was known on, not those that the candles span.
    rate = tested.mean.n / max(study.known_days, 1 / DAY_MIN)
    said = ""
    if tested.finding == "not enough data":
        said = f"At least {MIN_EVENTS} events on {MIN_DAYS} days are needed"
        if rate:
            said += f", at this rate {max(MIN_EVENTS / rate, MIN_DAYS):,.0f} days of recording"
        said += ". "
    parts = [(edge, events) for edge, events in tested.needed_events.items() if events is not None]
    if not rate or not parts:
        return said.rstrip()
    days = {edge: events / rate for edge, events in parts}
    sizes = ", ".join(f"{10_000 * edge:.0f} bp {days[edge]:,.0f} days" for edge, _ in parts)
    counts = ", ".join(f"{events:,}" for _, events in parts)
    said += (
        f"By the spread and the {rate:.2g} events a day of this recording, a mean after costs can "
        f"be told from chance (power 80%) at {sizes} ({counts} events)."
    )
    long = [f"{10_000 * edge:.0f} bp" for edge in days if days[edge] > _LONGEST_DAYS]
    if long:
        said += (
            f" For {_listed(long)} this configuration cannot answer within two years: add pairs "
            "or shorten the segment."
        )
    return said


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def percent(share: float) -> str:
    """:return: with sign and three digits, as costs are of that size"""
    return "none" if not np.isfinite(share) else f"{share:+.3%}"


def minute_text(ms: int) -> str:
    """:return: a moment to the minute"""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


_NO_PROMISE = "The past of one recording, not a promise: nothing here says that it goes on."
_LIMITS = (
    "Returns are from the open of the next candle (a bot acts a few seconds later) to the close "
    "of the horizon, without stops, funding or the depth of the book.",
    "Only the questions above were fixed before looking. The tables below describe; the best of "
    "many cells looks good by chance.",
    "Judges are compared on waves that they judged live, in time: what they would have said of "
    "others, and what waiting for them costs, is not in it.",
)


def limits(venues: Iterable[str]) -> list[str]:
    """
    :param venues: that were looked at
    :return: what is to be kept in mind
    """
    sampled = sampling_words(venues)
    quiet = [f"{sampled} A quiet window is not a quiet market."] if sampled else []
    return [_NO_PROMISE, *quiet, *_LIMITS]
