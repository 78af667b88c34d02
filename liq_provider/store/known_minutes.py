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

    :param until_ms: of those that were known to the decision at their own close, the first
        close that does not know them any more, far in the future if they still are known; 0 for
        the others
    :param learned_ms: of the others, the first close that knows them; 0 for never
    """

    until_ms: IntArray
    learned_ms: IntArray


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
        until = np.zeros(minutes, dtype=np.int64)
        learned = np.full(minutes, FOREVER_MS)
        closes = from_ms + MINUTE_MS * np.arange(1, minutes + 1, dtype=np.int64)
        for heard_by, heard in self.heard.items():
            own = np.full(minutes, FOREVER_MS)
            for span, available_at in self._against(heard_by):
                columns = columns_of(span, from_ms)
                own[columns] = np.minimum(own[columns], available_at)
            for delay_ms in {delay_ms for _, delay_ms in heard}:
                spans = merge(span for span, delay in heard if delay == delay_ms)
                there = _marked(spans, from_ms, minutes)
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
        return KnownMinutes(until, learned)

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


def later(times_ms: IntArray) -> IntArray | None:
    """:return: the closes at which something changes, None if nothing does"""
    changing = (times_ms > 0) & (times_ms < FOREVER_MS)
    return np.where(changing, times_ms, 0) if changing.any() else None
