"""What the page asks of the store besides what everybody asks."""

from typing import Any

from sqlalchemy import func, select

from liq_provider.store import schema
from liq_provider.store.reader import Reader

# Coin, venue: long USD, short USD, count, one of the venue's pairs of it
Sums = dict[tuple[str, str], tuple[float, float, int, str]]


class PageReader(Reader):
    """A reader with the page's own questions."""

    def sums(self, from_ms: int, to_ms: int) -> Sums:
        """:return: what was booked in the minutes of ``[from_ms, to_ms)``, by coin and venue"""
        table = schema.minutes.c
        rows = self._rows(
            select(
                table.base_asset,
                table.venue,
                func.sum(table.long_usd),
                func.sum(table.short_usd),
                func.sum(table.long_count + table.short_count),
                func.min(table.pair),
            )
            .where(table.minute_ms >= from_ms)
            .where(table.minute_ms < to_ms)
            .where(~table.filled)
            .group_by(table.base_asset, table.venue)
        )
        return {
            (base, venue): (float(longs), float(shorts), int(count), pair)
            for base, venue, longs, shorts, count, pair in rows
        }

    def sums_by(self, step_ms: int, from_ms: int, to_ms: int) -> dict[int, Sums]:
        """
        :param step_ms: a multiple of a minute
        :return: the same by step's open, all read at one moment; empty ones are left out
        """
        table = schema.minutes.c
        # Integer division on both databases; SQLAlchemy's own "/" would make it a float.
        step = table.minute_ms.op("/")(step_ms)
        rows = self._rows(
            select(
                step,
                table.base_asset,
                table.venue,
                func.sum(table.long_usd),
                func.sum(table.short_usd),
                func.sum(table.long_count + table.short_count),
                func.min(table.pair),
            )
            .where(table.minute_ms >= from_ms)
            .where(table.minute_ms < to_ms)
            .where(~table.filled)
            .group_by(step, table.base_asset, table.venue)
        )
        by_step: dict[int, Sums] = {}
        for index, base, venue, longs, shorts, count, pair in rows:
            sums = by_step.setdefault(int(index) * step_ms, {})
            sums[base, venue] = (float(longs), float(shorts), int(count), pair)
        return by_step

    def features_at(self, close_ms: int) -> dict[str, dict[str, Any]]:
        """:return: the stored features of one minute, by coin"""
        rows = self._rows(select(schema.features).where(schema.features.c.close_ms == close_ms))
        return {row.base_asset: dict(row._mapping) for row in rows}

    def newest_liquidations(self, since_ms: int, limit: int) -> list[dict[str, Any]]:
        """:return: the newest since ``since_ms``, oldest first"""
        table = schema.liquidations.c
        rows = self._rows(
            select(schema.liquidations)
            .where(table.event_ms >= since_ms)
            .order_by(table.event_ms.desc())
            .limit(limit)
        )
        return [dict(row._mapping) for row in reversed(rows)]

    def newest_verdicts(self, since_ms: int, limit: int) -> list[dict[str, Any]]:
        """:return: the newest first"""
        table = schema.verdicts.c
        rows = self._rows(
            select(schema.verdicts)
            .where(table.available_at >= since_ms)
            .order_by(table.available_at.desc())
            .limit(limit)
        )
        return [dict(row._mapping) for row in rows]

    def verdict(
        self, base_asset: str, direction: str, wave_start_ms: int, available_at: int
    ) -> dict[str, Any] | None:
        """:return: one verdict"""
        table = schema.verdicts.c
        rows = self._rows(
            select(schema.verdicts)
            .where(table.base_asset == base_asset)
            .where(table.direction == direction)
            .where(table.wave_start_ms == wave_start_ms)
            .where(table.available_at == available_at)
        )
        return dict(rows[0]._mapping) if rows else None
