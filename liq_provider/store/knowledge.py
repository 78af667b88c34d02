"""
What the store says is known: the minutes that somebody heard, less what is in doubt.

A minute is known if at least one sidecar heard all of it, or an import states it, and if no
order that belongs to it counts nowhere or elsewhere. A fill is made of all orders of its minute,
wherever they were counted before, so it is in no doubt.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Select, select

from liq_provider.coverage import Interval, merge, whole_minutes, without
from liq_provider.liquidation import MINUTE_MS
from liq_provider.rolling import IntArray
from liq_provider.store import schema

# What may take part in a scored segment; a fill serves baselines only.
SCORING_SOURCES = ("live", "import")

_FOREVER_MS = 2**62
_EVERYBODY = ""


@dataclass(slots=True)
class Knowledge:
    """
    Of one venue and coin.

    :param heard: spans by the sidecar that heard them; those of imports are nobody's
    :param filled: spans that were completed from a venue's history
    :param doubts: whole minutes, by the sidecar that may have missed something (empty for all),
        each with the first close that may know of it
    """

    heard: dict[str, list[Interval]] = field(default_factory=dict)
    filled: list[Interval] = field(default_factory=list)
    doubts: dict[str, list[tuple[Interval, int]]] = field(default_factory=dict)

    def spans(self) -> list[Interval]:
        """:return: what is known by now, merged"""
        known = list(self.filled)
        for heard_by, spans in self.heard.items():
            known += without(merge(spans), [span for span, _ in self._against(heard_by)])
        return merge(known)

    def until_ms(self, from_ms: int, minutes: int) -> IntArray:
        """
        :return: of each minute the first close at which it was not known any more: 0 if it
            never was, far in the future if it still is
        """
        until = _marked(merge(self.filled), from_ms, minutes)
        for heard_by, spans in self.heard.items():
            heard = _marked(merge(spans), from_ms, minutes)
            for span, available_at in self._against(heard_by):
                columns = columns_of(span, from_ms)
                heard[columns] = np.minimum(heard[columns], available_at)
            until = np.maximum(until, heard)
        return until

    def _against(self, heard_by: str) -> list[tuple[Interval, int]]:
        own = self.doubts.get(heard_by, []) if heard_by != _EVERYBODY else []
        return [*own, *self.doubts.get(_EVERYBODY, [])]


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


def gather(claims: Iterable[Any], doubts: Iterable[Any]) -> dict[tuple[str, str], Knowledge]:
    """
    :param claims: rows of ``claims_query``
    :param doubts: rows of ``doubts_query``
    :return: by venue and coin, empty for what concerns the whole venue
    """
    gathered: dict[tuple[str, str], Knowledge] = {}
    for venue, base, source, heard_by, start_ms, end_ms in claims:
        known = gathered.setdefault((venue, base), Knowledge())
        spans = known.filled if source == "fill" else known.heard.setdefault(heard_by, [])
        spans.append(Interval(start_ms, end_ms))
    for venue, base, heard_by, start_ms, end_ms, available_at in doubts:
        known = gathered.setdefault((venue, base), Knowledge())
        doubt = (Interval(start_ms, end_ms), available_at)
        known.doubts.setdefault(heard_by, []).append(doubt)
    return gathered


def together(whole_venue: Knowledge, coin: Knowledge | None) -> Knowledge:
    """:return: what concerns one coin: the venue's and its own"""
    if coin is None or coin is whole_venue:
        return whole_venue
    both = Knowledge(filled=[*whole_venue.filled, *coin.filled])
    for part in (whole_venue, coin):
        for heard_by, spans in part.heard.items():
            both.heard.setdefault(heard_by, []).extend(spans)
        for heard_by, doubts in part.doubts.items():
            both.doubts.setdefault(heard_by, []).extend(doubts)
    return both


def columns_of(span: Interval, from_ms: int) -> slice:
    """:return: positions of the whole minutes of a span in a grid that begins at ``from_ms``"""
    whole = whole_minutes(span)
    first = max(0, (whole.start_ms - from_ms) // MINUTE_MS)
    return slice(first, max(0, (whole.end_ms - from_ms) // MINUTE_MS))


def _marked(spans: Iterable[Interval], from_ms: int, minutes: int) -> IntArray:
    until = np.zeros(minutes, dtype=np.int64)
    for span in spans:
        until[columns_of(span, from_ms)] = _FOREVER_MS
    return until


def doubted(until_ms: IntArray, from_ms: int) -> tuple[Any, IntArray | None]:
    """
    :param until_ms: shape (venues, minutes)
    :return: which minutes were known when they were decided on, and the close at which some of
        them were not any more, 0 for never; None if that is none of them
    """
    closes = from_ms + MINUTE_MS * np.arange(1, until_ms.shape[1] + 1, dtype=np.int64)
    covered = until_ms > closes
    later = covered & (until_ms < _FOREVER_MS)
    return covered, np.where(later, until_ms, 0) if later.any() else None
