"""What is known of venues and coins, and what of it is in doubt, as spans."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from liq_provider.core.coverage import Interval
from liq_provider.store import schema
from liq_provider.store.known_minutes import (
    SCORING_SOURCES,
    Gathered,
    claims_query,
    doubts_query,
    gather,
    known_spans,
    of_coin,
)
from liq_provider.store.read_access import ReadAccess


class KnownReader(ReadAccess):
    """What somebody heard, imported or filled."""

    def coverage(
        self,
        venues: Sequence[str],
        from_ms: int,
        to_ms: int,
        sources: Sequence[str] = SCORING_SOURCES,
    ) -> dict[str, list[Interval]]:
        """
        :return: per venue the merged spans that overlap ``[from_ms, to_ms)`` and are known of
            the whole venue; what is known of, or in doubt for, single coins only is left out
        """
        known = self._knowledge(venues, [""], Interval(from_ms, to_ms), sources)
        return {venue: of_coin(known, venue, "").spans() for venue in venues}

    def known_shares(self, venues: Sequence[str], from_ms: int, to_ms: int) -> dict[str, float]:
        """:return: share of ``[from_ms, to_ms)`` that is known of each venue; none of no time"""
        if to_ms <= from_ms:
            return {}
        return {
            venue: sum(
                max(0, min(span.end_ms, to_ms) - max(span.start_ms, from_ms)) for span in spans
            )
            / (to_ms - from_ms)
            for venue, spans in self.coverage(venues, from_ms, to_ms).items()
        }

    def known_spans(self, venue: str, base_asset: str, span: Interval) -> list[Interval]:
        """:return: where anything is known of a coin on a venue, heard or filled, merged"""
        return known_spans(self._rows, venue, base_asset, span)

    def doubts(self, venues: Sequence[str], from_ms: int, to_ms: int) -> list[dict[str, Any]]:
        """:return: what may be missing in ``[from_ms, to_ms)``, rows of ``doubts``, oldest first"""
        table = schema.doubts.c
        return self._dicts(
            select(schema.doubts)
            .where(table.venue.in_(venues))
            .where(table.end_ms > from_ms)
            .where(table.start_ms < to_ms)
            .order_by(table.start_ms)
        )

    def imported_spans(self) -> dict[tuple[str, str], list[Interval]]:
        """:return: what imports cover, by venue and coin (empty for the whole venue)"""
        table = schema.coverage.c
        rows = self._rows(
            select(table.venue, table.base_asset, table.start_ms, table.end_ms).where(
                table.source == "import"
            )
        )
        spans: dict[tuple[str, str], list[Interval]] = {}
        for venue, base, start_ms, end_ms in rows:
            spans.setdefault((venue, base), []).append(Interval(start_ms, end_ms))
        return spans

    def _knowledge(
        self,
        venues: Sequence[str],
        base_assets: Sequence[str],
        span: Interval,
        sources: Sequence[str] = SCORING_SOURCES,
    ) -> Gathered:
        claims = self._rows(claims_query(venues, base_assets, span, sources))
        return gather(claims, self._rows(doubts_query(venues, base_assets, span)))
