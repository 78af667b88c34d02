"""
Whether an entry is possible now, and if not, why and from when: of a coin, a venue, the whole.

Pure: facts come in, and what everybody shows comes out. The sidecar judges at every settled
minute and writes it down; bots, page and commands add what only they know (``now``).

A venue takes part in a decision once it was heard for all of the scored segment and for enough
of the baseline, see ``features``. When that will be is computed as it will be decided: the same
windows over the same minutes, with minutes to come that are all heard.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from liq_provider.core.arrays import BoolArray
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.moments import duration, moment
from liq_provider.measure.feature_rows import State, states
from liq_provider.measure.minute_grid import FeatureParams
from liq_provider.measure.window_sums import strided_count, trailing_count

Condition = Literal["ready", "warming_up", "too_thin", "unknown", "blocked"]

_OF_STATE: dict[State, Condition] = {
    State.UNCOVERED: "unknown",
    State.WARMING_UP: "warming_up",
    State.TOO_THIN: "too_thin",
    State.READY: "ready",
}

NOT_SETTLED = "the sidecar has not settled a minute yet"


@dataclass(frozen=True, slots=True)
class Hole:
    """A time in which a feed was not heard, and why."""

    from_ms: int
    to_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class FeedFacts:
    """
    :param trouble: its state in words, None while it is live
    :param heard_ms: since when it is heard without a break, None if it is not
    :param hole: the newest time in which it was not heard
    """

    trouble: str | None = None
    heard_ms: int | None = None
    hole: Hole | None = None


@dataclass(frozen=True, slots=True)
class KnownSegments:
    """
    What is known of the minutes before a close, the newest last.

    :param scored: what may be scored
    :param baseline: what baselines may use; more than ``scored`` where holes were filled later
    """

    scored: BoolArray
    baseline: BoolArray


@dataclass(frozen=True, slots=True)
class Readiness:
    """
    :param reason: why no entry is possible, empty if one is
    :param from_ms: the first close at which one becomes possible if nothing fails; None if it
        is possible, or nobody can know
    """

    condition: Condition
    reason: str = ""
    from_ms: int | None = None

    @property
    def ready(self) -> bool:
        """Whether an entry is possible."""
        return self.condition == "ready"

    def countdown(self, now_ms: int) -> str:
        """:return: such as ``in 5 h 3 min``, empty if nobody can know"""
        if self.from_ms is None:
            return ""
        return f"in {duration(self.from_ms - now_ms)}" if self.from_ms > now_ms else "any moment"

    def words(self, now_ms: int | None = None) -> str:
        """
        :param now_ms: for the countdown, left out if it is None
        :return: the reason and from when, or that entries are possible
        """
        if self.ready:
            return "entries are possible"
        if self.from_ms is None:
            return self.reason
        text = f"{self.reason}; possible from {moment(self.from_ms)}"
        return text if now_ms is None else f"{text} ({self.countdown(now_ms)})"

    def as_json(self) -> dict[str, Any]:
        """:return: what is not empty"""
        told: dict[str, Any] = {"condition": self.condition}
        if self.reason:
            told["reason"] = self.reason
        if self.from_ms is not None:
            told["from_ms"] = self.from_ms
        return told

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> "Readiness":
        """:return: the inverse of ``as_json``"""
        return cls(told["condition"], told.get("reason", ""), told.get("from_ms"))


READY = Readiness("ready")


@dataclass(frozen=True, slots=True)
class ReadinessReport:
    """
    Of a settled minute.

    :param close_ms: its close
    :param venues: by name
    :param coins: those with liquidations since the baseline began
    :param uncounted: by venue that counts, those of the coins that it does not count for
    """

    close_ms: int
    whole: Readiness
    venues: Mapping[str, Readiness]
    coins: Mapping[str, Readiness]
    uncounted: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def counts(self, among: Collection[str] | None = None) -> dict[str, int]:
        """
        :param among: None for all coins
        :return: how many coins are ready, and so on
        """
        counts: dict[str, int] = dict.fromkeys(_OF_STATE.values(), 0)
        for coin, readiness in self.coins.items():
            if among is None or coin in among:
                counts[readiness.condition] += 1
        return counts

    def as_json(self) -> dict[str, Any]:
        """:return: JSON values, for the store and the page"""
        return {
            "close_ms": self.close_ms,
            "whole": self.whole.as_json(),
            "venues": {name: one.as_json() for name, one in self.venues.items()},
            "coins": {name: one.as_json() for name, one in self.coins.items()},
            "uncounted": {name: list(coins) for name, coins in self.uncounted.items()},
        }

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> "ReadinessReport":
        """:return: the inverse of ``as_json``"""
        return cls(
            int(told["close_ms"]),
            Readiness.of_json(told["whole"]),
            {name: Readiness.of_json(one) for name, one in told["venues"].items()},
            {name: Readiness.of_json(one) for name, one in told["coins"].items()},
            dict(told.get("uncounted", {})),
        )

    def for_coins(self, wanted: Iterable[str], windows: FeatureParams) -> "ReadinessReport":
        """:return: what it is to a bot that trades these coins only"""
        names = set(wanted)
        coins = {name: one for name, one in self.coins.items() if name in names}
        whole = whole_readiness(self.venues, coins, windows)
        theirs = {venue: [n for n in some if n in names] for venue, some in self.uncounted.items()}
        uncounted = {venue: some for venue, some in theirs.items() if some}
        return ReadinessReport(self.close_ms, whole, self.venues, coins, uncounted)


def segments_known(baseline: BoolArray, windows: FeatureParams) -> int:
    """:return: baseline segments that are known at the newest minute's close"""
    whole = trailing_count(baseline, windows.segment_min) == windows.segment_min
    counts = strided_count(whole, windows.segment_min, windows.baseline_segments)
    return int(counts[-1]) if len(counts) else 0


def first_possible_ms(
    known: KnownSegments, close_ms: int, heard_ms: int | None, windows: FeatureParams
) -> int | None:
    """
    :param close_ms: close of the newest of the known minutes
    :param heard_ms: since when the feed is heard without a break, None if it is not
    :return: the first close, from this one on, at which the segment and enough of the baseline
        are known if nothing fails from now on; None if that may be never
    """
    size, length = len(known.scored), windows.segment_min
    future = np.zeros(0, dtype=bool)
    if heard_ms is not None:
        begins = max(0, -(-(heard_ms - close_ms) // MINUTE_MS))
        future = np.ones(begins + length * (windows.baseline_segments + 1), dtype=bool)
        future[:begins] = False
    scored = np.concatenate([known.scored, future])
    baseline = np.concatenate([known.baseline, future])
    whole = trailing_count(baseline, length) == length
    enough = strided_count(whole, length, windows.baseline_segments)
    possible = trailing_count(scored, length) == length
    possible &= enough >= windows.min_baseline_segments
    rows = np.flatnonzero(possible[max(0, size - 1) :])
    return close_ms + int(rows[0]) * MINUTE_MS if len(rows) else None


def venue_readiness(
    name: str, known: KnownSegments, close_ms: int, feed: FeedFacts, windows: FeatureParams
) -> Readiness:
    """:return: whether the venue takes part in what is decided at ``close_ms``"""
    missing = _unheard(known.scored, close_ms, windows)
    segments = segments_known(known.baseline, windows)
    if not missing and segments >= windows.min_baseline_segments:
        # Its feed may be down by now; what was settled is known all the same.
        return READY
    from_ms = first_possible_ms(known, close_ms, feed.heard_ms, windows)
    if feed.trouble is not None:
        return Readiness("unknown", f"{name} is {feed.trouble}", from_ms)
    # What is last to come is the reason: the baseline of a recorder that has just started.
    heard = replace(windows, min_baseline_segments=0)
    if missing and from_ms == first_possible_ms(known, close_ms, feed.heard_ms, heard):
        return Readiness("unknown", f"{name}: {_hole_words(missing, feed)}", from_ms)
    return Readiness("warming_up", _warming(segments, windows), from_ms)


def coin_readiness(
    state: State, baseline_n: int, active_n: int, from_ms: int | None, windows: FeatureParams
) -> Readiness:
    """
    :param state: of the coin at a settled minute
    :param from_ms: the first close at which its venues allow it
    """
    if state is State.READY:
        return READY
    if state is State.TOO_THIN:
        # When the market will liquidate more of it is nobody's to know.
        return Readiness("too_thin", too_thin_words(active_n, windows.min_active_segments))
    if state is State.WARMING_UP:
        return Readiness("warming_up", _warming(baseline_n, windows), from_ms)
    return Readiness(
        "unknown", f"of no venue are all of the last {windows.segment_min} min known", from_ms
    )


def whole_readiness(
    venues: Mapping[str, Readiness], coins: Mapping[str, Readiness], windows: FeatureParams
) -> Readiness:
    """:return: whether any coin may be entered at this close"""
    if any(coin.ready for coin in coins.values()):
        return READY
    if any(venue.ready for venue in venues.values()):
        later = [coin for coin in coins.values() if coin.from_ms is not None]
        if later:
            return min(later, key=lambda coin: coin.from_ms or 0)
        thin = sum(coin.condition == "too_thin" for coin in coins.values())
        return Readiness(
            "too_thin",
            f"no coin had liquidations in {windows.min_active_segments} segments of its baseline "
            f"yet ({thin} had some)",
        )
    # Of those that may come back the first, so that the reason belongs to the time.
    waiting = sorted(
        (venue.from_ms, name) for name, venue in venues.items() if venue.from_ms is not None
    )
    if waiting:
        first = venues[waiting[0][1]]
        if first.condition == "warming_up":
            return first
        return Readiness(
            "unknown",
            f"of no venue are all of the last {windows.segment_min} min known ({first.reason})",
            first.from_ms,
        )
    reasons = "; ".join(venue.reason for venue in venues.values())
    return Readiness("unknown", f"no venue is heard: {reasons}" if reasons else "no venue is heard")


def at_once(whole: Readiness, problem: str | None) -> Readiness:
    """
    :param whole: as of the newest settled minute
    :param problem: why whoever asks would enter nothing whatever the minutes say: what it has
        is old, its clock is off, its settings do not fit
    :return: the readiness of the whole for whoever asks
    """
    return whole if problem is None else Readiness("blocked", problem)


def before_first_minute(whole: Readiness, close_ms: int) -> Readiness:
    """
    :param whole: as it would be at ``close_ms``, the newest close, which nobody settled
    :return: the readiness while the sidecar has just started
    """
    from_ms = close_ms + MINUTE_MS if whole.ready else whole.from_ms
    return Readiness("unknown", NOT_SETTLED, from_ms)


def venues_now(
    venues: Mapping[str, Readiness], troubles: Mapping[str, str | None]
) -> dict[str, Readiness]:
    """
    :param venues: as of a settled minute
    :param troubles: by venue, what its feed is instead of live now
    :return: the venues of this moment; one that was just lost is not ready for what comes next
    """
    now = dict(venues)
    for name, trouble in troubles.items():
        if trouble is not None:
            now[name] = Readiness("unknown", f"{name} is {trouble}")
    return now


def state_of(covered: bool, baseline_n: int, active_n: int, windows: FeatureParams) -> State:
    """:return: the state of a coin, as ``features`` would have it"""
    one = np.array([covered]), np.array([baseline_n]), np.array([active_n])
    return State(int(states(*one, windows)[0]))


def warming_up_words(baseline_n: int, needed: int, segment_min: int) -> str:
    """:return: why there is no score while too little of the baseline is known"""
    return f"warming up: {baseline_n} of {needed} baseline segments of {segment_min} min are known"


def too_thin_words(active_n: int, needed: int) -> str:
    """:return: why there is no score where too few segments of the baseline have liquidations"""
    return f"too thin: liquidations in {active_n} of its baseline segments, {needed} are needed"


def _warming(baseline_n: int, windows: FeatureParams) -> str:
    return warming_up_words(baseline_n, windows.min_baseline_segments, windows.segment_min)


def _unheard(scored: BoolArray, close_ms: int, windows: FeatureParams) -> list[int]:
    """:return: opens of the minutes of the segment that are not known"""
    flags = scored[-windows.segment_min :]
    from_ms = close_ms - windows.segment_min * MINUTE_MS
    missing = windows.segment_min - len(flags)
    unknown = [*range(missing), *(missing + int(i) for i in np.flatnonzero(~flags))]
    return [from_ms + i * MINUTE_MS for i in unknown]


def _hole_words(missing: list[int], feed: FeedFacts) -> str:
    first, end = missing[0], missing[-1] + MINUTE_MS
    if len(missing) == 1:
        text, is_ = f"minute {moment(first)}", "is"
    else:
        text, is_ = f"{len(missing)} minutes from {moment(first)} on", "are"
    hole = feed.hole
    if hole is not None and hole.to_ms > first and hole.from_ms < end:
        why = f"{hole.why}, not connected for {duration(hole.to_ms - hole.from_ms)}"
    elif feed.heard_ms is not None and feed.heard_ms > first:
        why = f"heard since {moment(feed.heard_ms)}"
    else:
        why = "something may be missing"
    return f"{text} {is_} not known ({why})"
