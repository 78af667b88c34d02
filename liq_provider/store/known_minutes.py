"""
What the store says is known: the minutes that somebody heard, less what is in doubt.

A minute is known if at least one sidecar heard all of it, or an import states it, and if no
order that belongs to it counts nowhere or elsewhere. A fill is made of all orders of its minute,
wherever they were counted before, so it is in no doubt.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Select, select

from liq_provider.core.arrays import BoolArray, IntArray
from liq_provider.core.coverage import Interval, merge, whole_minutes, without
from liq_provider.core.durations import FOREVER_MS, MINUTE_MS
from liq_provider.store import schema
from liq_provider.store.schema import EVERYBODY

# What may take part in a scored segment; a fill serves baselines only.
SCORING_SOURCES = ("live", "import")
EVERY_SOURCE = (*SCORING_SOURCES, "fill")

Gathered = dict[tuple[str, str], "Knowledge"]
"""By venue and coin; the coin is empty for what concerns the whole venue."""


@dataclass(frozen=True, slots=True)
class KnownMinutes:
    """
    Minutes of a grid and the closes whose decisions know them, one value per minute.

    :param covered: they were known to the decision at their own close
    :param doubted_ms: of those, the first close that does not know them any more; 0 for never.
        None: of no minute
    :param learned_ms: of the others, the first close that knows them; 0 for never. None: of no
        minute
    """

    covered: BoolArray
    doubted_ms: IntArray | None = None
    learned_ms: IntArray | None = None

    @classmethod
    def of_venues(cls, venues: Sequence["KnownMinutes"]) -> "KnownMinutes":
        """:return: the same with one row per venue"""
        dated: dict[str, Any] = {}
        for name in ("doubted_ms", "learned_ms"):
            times = [getattr(venue, name) for venue in venues]
            if any(row is not None for row in times):
                nothing = np.zeros(len(venues[0].covered), dtype=np.int64)
                dated[name] = np.stack([nothing if row is None else row for row in times])
        return cls(np.stack([venue.covered for venue in venues]), **dated)

    def since(self, first: Sequence[int]) -> "KnownMinutes":
        """
        :param first: for each venue the first minute that can be known
        :return: without what lies before
        """
        early = np.arange(self.covered.shape[1]) < np.array(first)[:, None]
        dated = (
            None if times is None else _if_any(np.where(early, 0, times))
            for times in (self.doubted_ms, self.learned_ms)
        )
        return KnownMinutes(self.covered & ~early, *dated)

    def at(self, close_ms: int) -> BoolArray:
        """:return: what the decision at ``close_ms`` knows"""
        known = self.covered
        if self.doubted_ms is not None:
            known = known & ~((self.doubted_ms > 0) & (self.doubted_ms <= close_ms))
        if self.learned_ms is not None:
            known = known | ((self.learned_ms > 0) & (self.learned_ms <= close_ms))
        return known


@dataclass(slots=True)
class Knowledge:
    """
    Of one venue and coin.

    :param heard: spans by the sidecar that heard them, each with how long after its own close
        a minute was known; those of imports are nobody's
    :param filled: spans that were completed from a venue's history
    :param doubts: whole minutes, by the sidecar that may have missed something (empty for all),
        each with the first close that may know of it
    """

    heard: dict[str, list[tuple[Interval, int]]] = field(default_factory=dict)
    filled: list[Interval] = field(default_factory=list)
    doubts: dict[str, list[tuple[Interval, int]]] = field(default_factory=dict)

    def spans(self) -> list[Interval]:
        """:return: what is known by now, merged"""
        known = list(self.filled)
        for heard_by, heard in self.heard.items():
            doubted = [span for span, _ in self._against(heard_by)]
            known += without(merge(span for span, _ in heard), doubted)
        return merge(known)

    def minutes(self) -> list[Interval]:
        """:return: the whole minutes of it"""
        # Joined before they are cut: two imports may share one.
        return [whole_minutes(span) for span in self.spans()]

    def known(self, from_ms: int, minutes: int) -> KnownMinutes:
        """:return: what of a grid was known, and to which decisions"""
        runs = self._runs()
        in_time = [span for (_, delay_ms), spans in runs.items() if not delay_ms for span in spans]
        covered = _marked(in_time, from_ms, minutes)
        unsure = [span for (_, delay_ms), spans in runs.items() if delay_ms for span in spans]
        unsure += [span for doubts in self.doubts.values() for span, _ in doubts]
        # Of a year few minutes are in doubt or were learned of later. Only they are weighed.
        weighed = np.flatnonzero(_marked(unsure, from_ms, minutes))
        if not len(weighed):
            return KnownMinutes(covered)
        until, learned = self._weighed(runs, from_ms, weighed)
        covered[weighed] = until > 0
        until[until == FOREVER_MS] = 0
        dated = (_at(weighed, times, minutes) for times in (until, learned))
        return KnownMinutes(covered, *dated)

    def _runs(self) -> dict[tuple[str, int], list[Interval]]:
        """:return: what was heard, merged, by who heard it and how late a minute was known"""
        spans: dict[tuple[str, int], list[Interval]] = {}
        for heard_by, heard in self.heard.items():
            for span, delay_ms in heard:
                spans.setdefault((heard_by, delay_ms), []).append(span)
        return {key: merge(several) for key, several in spans.items()}

    def _weighed(
        self, runs: dict[tuple[str, int], list[Interval]], from_ms: int, positions: IntArray
    ) -> tuple[IntArray, IntArray]:
        """
        :param runs: see ``_runs``
        :param positions: of minutes in a grid, ascending
        :return: for each, the first close that does not know it any more, far in the future if
            all do that come after its own, 0 if its own did not; and for those of which it did
            not, the first close that knows it, 0 for never
        """

        def columns(span: Interval) -> slice:
            own = columns_of(span, from_ms)
            first, end = np.searchsorted(positions, (own.start, own.stop))
            return slice(int(first), int(end))

        until = np.zeros(len(positions), dtype=np.int64)
        learned = np.full(len(positions), FOREVER_MS)
        closes = from_ms + MINUTE_MS * (positions + 1)
        for (heard_by, delay_ms), spans in runs.items():
            own = np.full(len(positions), FOREVER_MS)
            for span, available_at in self._against(heard_by):
                here = columns(span)
                own[here] = np.minimum(own[here], available_at)
            there = np.zeros(len(positions), dtype=bool)
            for span in spans:
                there[columns(span)] = True
            if delay_ms:
                # One that somebody doubted afterwards is rather not known at all.
                there &= own == FOREVER_MS
                learned[there] = np.minimum(learned, closes + delay_ms)[there]
            else:
                until[there] = np.maximum(until, own)[there]
        until[until <= closes] = 0
        later_known = learned < FOREVER_MS
        # Who learned of it later stands in where the first one was doubted after all.
        until[(until > 0) & later_known] = FOREVER_MS
        learned[(until > 0) | ~later_known] = 0
        return until, learned

    def _against(self, heard_by: str) -> list[tuple[Interval, int]]:
        own = self.doubts.get(heard_by, []) if heard_by != EVERYBODY else []
        return [*own, *self.doubts.get(EVERYBODY, [])]


def claims_query(
    venues: Sequence[str],
    base_assets: Sequence[str] | None,
    span: Interval,
    sources: Sequence[str] = SCORING_SOURCES,
) -> Select[Any]:
    """
    :param base_assets: None for all; the coin is empty for the whole venue
    :return: what overlaps a span
    """
    table = schema.coverage.c
    query = (
        select(
            table.venue,
            table.base_asset,
            table.source,
            table.heard_by,
            table.available_at,
            table.start_ms,
            table.end_ms,
        )
        .where(table.venue.in_(venues))
        .where(table.source.in_(sources))
        .where(table.end_ms > span.start_ms)
        .where(table.start_ms < span.end_ms)
    )
    return query if base_assets is None else query.where(table.base_asset.in_(base_assets))


def doubts_query(
    venues: Sequence[str], base_assets: Sequence[str] | None, span: Interval
) -> Select[Any]:
    """
    :param base_assets: None for all; the coin is empty for all coins of the venue
    :return: what overlaps a span
    """
    table = schema.doubts.c
    query = (
        select(
            table.venue,
            table.base_asset,
            table.heard_by,
            table.start_ms,
            table.end_ms,
            table.available_at,
        )
        .where(table.venue.in_(venues))
        .where(table.end_ms > span.start_ms)
        .where(table.start_ms < span.end_ms)
    )
    return query if base_assets is None else query.where(table.base_asset.in_(base_assets))


def gather(claims: Iterable[Any], doubts: Iterable[Any]) -> Gathered:
    """
    :param claims: rows of ``claims_query``
    :param doubts: rows of ``doubts_query``
    """
    gathered: Gathered = {}
    for venue, base, source, heard_by, available_at, start_ms, end_ms in claims:
        known, span = gathered.setdefault((venue, base), Knowledge()), Interval(start_ms, end_ms)
        if source == "fill":
            known.filled.append(span)
            continue
        delay_ms = max(0, available_at - start_ms - MINUTE_MS) if source == "live" else 0
        known.heard.setdefault(heard_by, []).append((span, delay_ms))
    for venue, base, heard_by, start_ms, end_ms, available_at in doubts:
        known = gathered.setdefault((venue, base), Knowledge())
        doubt = (Interval(start_ms, end_ms), available_at)
        known.doubts.setdefault(heard_by, []).append(doubt)
    return gathered


def of_coin(gathered: Gathered, venue: str, base_asset: str) -> Knowledge:
    """
    :param base_asset: empty for the venue alone
    :return: what concerns one coin: the venue's and its own
    """
    whole_venue, coin = gathered.get((venue, ""), Knowledge()), gathered.get((venue, base_asset))
    if coin is None or coin is whole_venue:
        return whole_venue
    both = Knowledge(filled=[*whole_venue.filled, *coin.filled])
    for part in (whole_venue, coin):
        for heard_by, heard in part.heard.items():
            both.heard.setdefault(heard_by, []).extend(heard)
        for heard_by, doubts in part.doubts.items():
            both.doubts.setdefault(heard_by, []).extend(doubts)
    return both


def known_spans(
    ask: Callable[[Select[Any]], Iterable[Any]], venue: str, base_asset: str, span: Interval
) -> list[Interval]:
    """
    :param ask: the store
    :param base_asset: empty for the venue alone
    :return: whole minutes in which something is known of a coin, heard or filled, and not in doubt
    """
    wanted = ["", base_asset] if base_asset else [""]
    claims = ask(claims_query([venue], wanted, span, EVERY_SOURCE))
    doubts = ask(doubts_query([venue], wanted, span))
    return of_coin(gather(claims, doubts), venue, base_asset).minutes()


def columns_of(span: Interval, from_ms: int) -> slice:
    """:return: positions of the whole minutes of a span in a grid that begins at ``from_ms``"""
    whole = whole_minutes(span)
    first = max(0, (whole.start_ms - from_ms) // MINUTE_MS)
    return slice(first, max(0, (whole.end_ms - from_ms) // MINUTE_MS))


def _marked(spans: Iterable[Interval], from_ms: int, minutes: int) -> BoolArray:
    there = np.zeros(minutes, dtype=bool)
    for span in spans:
        there[columns_of(span, from_ms)] = True
    return there


def _at(positions: IntArray, times_ms: IntArray, minutes: int) -> IntArray | None:
    """:return: times of some minutes as those of a grid, None if there is none"""
    if not times_ms.any():
        return None
    dated = np.zeros(minutes, dtype=np.int64)
    dated[positions] = times_ms
    return dated


def _if_any(times_ms: IntArray) -> IntArray | None:
    return times_ms if times_ms.any() else None
