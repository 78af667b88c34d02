"""Readiness from the store: what the pure ``readiness`` needs to know, read and handed over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from liq_provider.config.measuring import feature_params_of, windows_of
from liq_provider.config.settings import Settings
from liq_provider.core.arrays import BoolArray
from liq_provider.core.coverage import Interval, whole_minutes
from liq_provider.core.durations import MINUTE_MS
from liq_provider.measure.baseline import BaselineCounts, mask_of
from liq_provider.measure.feature_rows import FeatureRows, State
from liq_provider.measure.minute_grid import FeatureParams
from liq_provider.measure.readiness import (
    FeedFacts,
    Hole,
    KnownSegments,
    Readiness,
    ReadinessReport,
    coin_readiness,
    first_possible_ms,
    segments_known,
    state_of,
    venue_readiness,
    whole_readiness,
)
from liq_provider.measure.zscore import covered_segments
from liq_provider.store.reader import Reader

_UNHEARD = FeedFacts("not heard: no sidecar listens to it")
# Nobody knows: it may hear the venue all the same, and only not reach the store.
UNTOLD = FeedFacts("unknown: the sidecar does not answer")


def feed_facts(feed: Mapping[str, Any]) -> FeedFacts:
    """
    :param feed: what the sidecar tells of it
    """
    hole, state = feed.get("hole"), feed.get("state", "not told of")
    live = state == "live"
    return FeedFacts(
        None if live else f"{state}: {feed.get('detail', '')}",
        feed.get("since_ms") if live else None,
        Hole(*hole) if hole else None,
    )


@dataclass(frozen=True, slots=True)
class Assessed:
    """
    :param coins: of each coin its state, the baseline segments that are known, and those of
        them that are not empty
    """

    report: ReadinessReport
    coins: Mapping[str, tuple[State, int, int]]

    def rows(self, names: Mapping[str, str]) -> list[dict[str, Any]]:
        """
        :param names: the pair that stands for a coin
        :return: rows of the table ``readiness``
        """
        return [
            {
                "base_asset": coin,
                "pair": names.get(coin, coin),
                "close_ms": self.report.close_ms,
                "state": int(state),
                "baseline_n": baseline_n,
                "active_n": active_n,
            }
            for coin, (state, baseline_n, active_n) in self.coins.items()
        ]


def assess(
    reader: Reader, settings: Settings, feeds: Mapping[str, FeedFacts], close_ms: int
) -> Assessed:
    """
    Who is ready at a settled minute.

    :param feeds: by venue; those that are left out are not heard
    :param close_ms: close of the newest settled minute
    """
    params = feature_params_of(settings)
    segment_ms = params.segment_min * MINUTE_MS
    start_ms = close_ms - params.lookback_min * MINUTE_MS
    names = sorted(settings.venues.enabled)
    facts = [feeds.get(name, _UNHEARD) for name in names]
    busy = reader.segment_counts(start_ms, close_ms - segment_ms, segment_ms)
    coins = sorted({*busy, *reader.active(close_ms - segment_ms, close_ms)})
    known = reader.known_minutes(coins, names, start_ms, close_ms)
    theirs = (reader.states(["sidecar"]).get("sidecar") or {}).get("windows")
    # Features of other windows than the asker's say nothing of what it will decide.
    same = theirs is None or theirs == windows_of(settings)
    computed = reader.features(None, close_ms, close_ms) if same else {}
    alike: dict[bytes, _Alike] = {}
    states: dict[str, tuple[State, int, int]] = {}
    without: dict[str, list[str]] = {name: [] for name in names}
    readiness: dict[str, Readiness] = {}
    for coin in coins:
        scored, baseline = known[coin]
        key = scored.tobytes() + baseline.tobytes()
        if key not in alike:
            alike[key] = _Alike(scored, baseline, params, facts, close_ms)
        one = alike[key]
        states[coin] = _computed(computed.get(coin)) or one.state(busy.get(coin, 0))
        readiness[coin] = coin_readiness(*states[coin], one.from_ms, params)
        for name in one.left_out(names):
            without[name].append(coin)
    spans = reader.coverage(names, start_ms, close_ms)
    venues = {}
    for row, (name, feed) in enumerate(zip(names, facts, strict=True)):
        heard = minute_flags(spans[name], start_ms, close_ms)
        # Holes are filled coin by coin, so the coin that knows most speaks for the venue.
        usable = max(
            (heard, *(one.baseline[row] for one in alike.values())),
            key=lambda flags: segments_known(flags, params),
        )
        venues[name] = venue_readiness(name, KnownSegments(heard, usable), close_ms, feed, params)
    whole = whole_readiness(venues, readiness, params)
    uncounted = {name: some for name, some in without.items() if some and venues[name].ready}
    return Assessed(ReadinessReport(close_ms, whole, venues, readiness, uncounted), states)


class _Alike:
    """Coins of which the same minutes are known on the same venues."""

    def __init__(
        self,
        scored: BoolArray,
        baseline: BoolArray,
        params: FeatureParams,
        feeds: Sequence[FeedFacts],
        close_ms: int,
    ) -> None:
        self.baseline = baseline
        self._params = params
        covering = np.stack([covered_segments(row, params.segment_min) for row in scored])
        usable = np.stack([covered_segments(row, params.segment_min) for row in baseline])
        chosen, counted = BaselineCounts.of_every_close(usable, params).choose(mask_of(covering))
        self._mask, self.baseline_n = int(chosen[-1]), int(counted[-1])
        times = [
            first_possible_ms(
                KnownSegments(scored[row], baseline[row]), close_ms, feed.heard_ms, params
            )
            for row, feed in enumerate(feeds)
        ]
        self.from_ms = min((ms for ms in times if ms is not None), default=None)

    def left_out(self, names: Sequence[str]) -> list[str]:
        """:return: those of the venues that do not count for these coins"""
        return [name for bit, name in enumerate(names) if not self._mask >> bit & 1]

    def state(self, active_n: int) -> tuple[State, int, int]:
        """
        :param active_n: baseline segments of the coin that are not empty
        """
        state = state_of(self._mask > 0, self.baseline_n, active_n, self._params)
        return state, self.baseline_n, active_n


def _computed(rows: FeatureRows | None) -> tuple[State, int, int] | None:
    """What decisions see of a coin with liquidations in the segment."""
    if rows is None or not len(rows):
        return None
    return State(int(rows.state[-1])), int(rows.baseline_n[-1]), int(rows.active_n[-1])


def minute_flags(spans: Sequence[Interval], from_ms: int, to_ms: int) -> BoolArray:
    """:return: which minutes of ``[from_ms, to_ms)`` lie wholly in one of the spans"""
    flags = np.zeros((to_ms - from_ms) // MINUTE_MS, dtype=bool)
    for span in spans:
        whole = whole_minutes(span)
        first = max(0, (whole.start_ms - from_ms) // MINUTE_MS)
        flags[first : max(0, (whole.end_ms - from_ms) // MINUTE_MS)] = True
    return flags


def told(sidecar: Mapping[str, Any]) -> dict[str, FeedFacts]:
    """
    :param sidecar: the status of one that runs
    :return: facts of its feeds
    """
    return {name: feed_facts(feed) for name, feed in sidecar.get("feeds", {}).items()}
