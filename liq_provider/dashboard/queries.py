"""What the page asks of the store besides what everybody asks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Select, func, select

from liq_provider.measure.feature_rows import purity
from liq_provider.store import schema
from liq_provider.store.reader import Reader

# Coin, venue: long USD, short USD, count, one of the venue's pairs of it
Sums = dict[tuple[str, str], tuple[float, float, int, str]]


class PageReader(Reader):
    """A reader with the page's own questions."""

    def sums(self, from_ms: int, to_ms: int) -> Sums:
        """:return: what was booked in the minutes of ``[from_ms, to_ms)``, by coin and venue"""
        query = _sums_query(from_ms, to_ms)
        return dict(_sum(row) for row in self._rows(query))

    def sums_by(self, step_ms: int, from_ms: int, to_ms: int) -> dict[int, Sums]:
        """
        :param step_ms: a multiple of a minute
        :return: the same by step's open, all read at one moment; empty ones are left out
        """
        # Integer division on both databases; SQLAlchemy's own "/" would make it a float.
        step = schema.minutes.c.minute_ms.op("/")(step_ms)
        by_step: dict[int, Sums] = {}
        for *row, index in self._rows(_sums_query(from_ms, to_ms, step)):
            key, sums = _sum(row)
            by_step.setdefault(int(index) * step_ms, {})[key] = sums
        return by_step

    def features_at(self, close_ms: int) -> dict[str, dict[str, Any]]:
        """:return: the stored features of one minute, by coin"""
        rows = self._dicts(select(schema.features).where(schema.features.c.close_ms == close_ms))
        return {row["base_asset"]: row | {"purity": _purity(row)} for row in rows}

    def newest_liquidations(self, since_ms: int, limit: int) -> list[dict[str, Any]]:
        """:return: the newest since ``since_ms``, oldest first"""
        table = schema.liquidations.c
        rows = self._dicts(
            select(schema.liquidations)
            .where(table.event_ms >= since_ms)
            .order_by(table.event_ms.desc())
            .limit(limit)
        )
        return rows[::-1]

    def newest_verdicts(self, since_ms: int, limit: int) -> list[dict[str, Any]]:
        """:return: the newest first"""
        table = schema.verdicts.c
        return self._dicts(
            select(schema.verdicts)
            .where(table.available_at >= since_ms)
            .order_by(table.available_at.desc())
            .limit(limit)
        )

    def verdict(
        self, base_asset: str, direction: str, wave_start_ms: int, available_at: int
    ) -> dict[str, Any] | None:
        """:return: one verdict"""
        table = schema.verdicts.c
        return self._dict(
            select(schema.verdicts)
            .where(table.base_asset == base_asset)
            .where(table.direction == direction)
            .where(table.wave_start_ms == wave_start_ms)
            .where(table.available_at == available_at)
        )


def _purity(row: dict[str, Any]) -> float:
    sums = (np.array([row[name]]) for name in ("long_usd", "short_usd"))
    return float(purity(*sums)[0])


def _sums_query(from_ms: int, to_ms: int, *by: ColumnElement[Any]) -> Select[Any]:
    """
    :param by: what else the rows are told apart by; their last columns
    """
    table = schema.minutes.c
    return (
        select(
            table.base_asset,
            table.venue,
            func.sum(table.long_usd),
            func.sum(table.short_usd),
            func.sum(table.long_count + table.short_count),
            func.min(table.pair),
            *by,
        )
        .where(table.minute_ms >= from_ms)
        .where(table.minute_ms < to_ms)
        .where(~table.filled)
        .group_by(*by, table.base_asset, table.venue)
    )


def _sum(row: Sequence[Any]) -> tuple[tuple[str, str], tuple[float, float, int, str]]:
    base, venue, longs, shorts, count, pair = row
    return (base, venue), (float(longs), float(shorts), int(count), pair)
