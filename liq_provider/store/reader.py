"""Reading the store: features as arrays, small facts as they are; grids and bars are read in
``grids`` and ``bar_reader``."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from sqlalchemy import func, select

from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.markets import Market
from liq_provider.measure.feature_rows import COLUMNS, FeatureRows
from liq_provider.store import schema
from liq_provider.store.bar_reader import BarReader
from liq_provider.store.grids import GridReader
from liq_provider.store.statements import not_ahead


class Reader(GridReader, BarReader):
    """All that a store can be asked for."""

    def states(self, keys: Iterable[str]) -> dict[str, Any]:
        """:return: small facts by key; missing ones are left out"""
        table = schema.state.c
        rows = self._rows(select(table.key, table.value).where(table.key.in_(list(keys))))
        return {key: json.loads(value) for key, value in rows}

    def active(self, from_ms: int, to_ms: int) -> dict[str, list[str]]:
        """:return: coins with a liquidation in ``[from_ms, to_ms)``, with their pairs"""
        table = schema.minutes.c
        rows = self._rows(
            select(table.base_asset, table.pair)
            .where(table.minute_ms >= from_ms)
            .where(table.minute_ms < to_ms)
            .where(~table.filled)
            .distinct()
        )
        pairs: dict[str, list[str]] = {}
        for base, pair in rows:
            pairs.setdefault(base, []).append(pair)
        return pairs

    def has_minutes(self, base_asset: str) -> bool:
        """:return: whether any liquidation of a coin was booked"""
        table = schema.minutes.c
        query = select(table.minute_ms).where(table.base_asset == base_asset).where(~table.filled)
        return bool(self._rows(query.limit(1)))

    def totals(self, from_ms: int, to_ms: int) -> dict[str, tuple[float, int]]:
        """:return: per coin the sum (USD) and number of what was booked in ``[from_ms, to_ms)``"""
        table = schema.minutes.c
        rows = self._rows(
            select(
                table.base_asset,
                func.sum(table.long_usd + table.short_usd),
                func.sum(table.long_count + table.short_count),
            )
            .where(table.minute_ms >= from_ms)
            .where(table.minute_ms < to_ms)
            .where(~table.filled)
            .group_by(table.base_asset)
        )
        return {base: (float(usd), int(count)) for base, usd, count in rows}

    def segment_counts(self, from_ms: int, to_ms: int, segment_ms: int) -> dict[str, int]:
        """:return: per coin how many segments, counted back from ``to_ms``, are not empty"""
        table = schema.minutes.c
        index = (to_ms - 1 - table.minute_ms) // segment_ms
        rows = self._rows(
            select(table.base_asset, func.count(index.distinct()))
            .where(table.minute_ms >= from_ms)
            .where(table.minute_ms < to_ms)
            .where(~table.filled)
            .group_by(table.base_asset)
        )
        return {base: int(count) for base, count in rows}

    def features(
        self, base_assets: Sequence[str] | None, from_ms: int, to_ms: int
    ) -> dict[str, FeatureRows]:
        """
        Stored features with ``from_ms <= close_ms <= to_ms``, per coin.

        :param base_assets: None for all
        """
        table = schema.features.c
        query = (
            select(table.base_asset, *(table[name] for name in COLUMNS))
            .where(table.close_ms >= from_ms)
            .where(table.close_ms <= to_ms)
            .order_by(table.close_ms)
        )
        if base_assets is not None:
            query = query.where(table.base_asset.in_(base_assets))
        grouped: dict[str, list[Any]] = {}
        for row in self._rows(query):
            grouped.setdefault(row[0], []).append(row[1:])
        return {base: feature_rows(rows) for base, rows in grouped.items()}

    def oldest_features_ms(self) -> int | None:
        """:return: the oldest close with stored features; from there on all are stored"""
        close_ms = schema.features.c.close_ms
        rows = self._rows(select(close_ms).order_by(close_ms).limit(1))
        return int(rows[0][0]) if rows else None

    def verdicts(
        self, from_ms: int, to_ms: int, base_assets: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        """:return: verdicts that were alive in ``[from_ms, to_ms]``, by ``available_at``"""
        table = schema.verdicts.c
        query = (
            select(schema.verdicts)
            .where(table.expires_at >= from_ms)
            .where(table.available_at <= to_ms)
            .order_by(table.available_at)
        )
        if base_assets is not None:
            query = query.where(table.base_asset.in_(base_assets))
        return self._dicts(query)

    def model_calls(self, from_ms: int, to_ms: int) -> list[dict[str, Any]]:
        """:return: questions to models that were asked in ``[from_ms, to_ms]``, in that order"""
        table = schema.model_calls.c
        return self._dicts(
            select(schema.model_calls)
            .where(table.asked_ms >= from_ms)
            .where(table.asked_ms <= to_ms)
            .order_by(table.asked_ms)
        )

    def model_call(self, call_id: str) -> dict[str, Any] | None:
        """:return: one question to a model"""
        table = schema.model_calls.c
        return self._dict(select(schema.model_calls).where(table.call_id == call_id))

    def model_spending(self, from_ms: int) -> list[tuple[int, int, int, float | None]]:
        """:return: time, requests, charged tokens and cost of every question since ``from_ms``"""
        table = schema.model_calls.c
        rows = self._rows(
            select(table.asked_ms, table.requests, table.charged_tokens, table.cost_usd)
            .where(table.asked_ms >= from_ms)
            .where(table.requests > 0)
        )
        return [(int(row[0]), int(row[1]), int(row[2]), row[3]) for row in rows]

    def news(self, base_asset: str, from_ms: int, to_ms: int) -> list[dict[str, Any]]:
        """:return: headlines that were known at ``to_ms``, published since ``from_ms``"""
        table = schema.news.c
        return self._dicts(
            select(schema.news)
            .where(table.base_asset == base_asset)
            .where(table.published_ms >= from_ms)
            .where(table.available_at <= to_ms)
            .order_by(table.published_ms.desc())
        )

    def waves(self, from_ms: int, limit: int = 1_000) -> list[dict[str, Any]]:
        """:return: waves that were alive at or after ``from_ms``, newest first"""
        table = schema.waves.c
        return self._dicts(
            select(schema.waves)
            .where(table.last_ms >= from_ms)
            .order_by(table.last_ms.desc())
            .limit(limit)
        )

    def newest_waves(self, from_ms: int) -> dict[tuple[str, str], dict[str, Any]]:
        """
        :return: by coin and direction the newest wave, if it was alive at or after ``from_ms``
        """
        table = schema.waves.c
        rows = self._dicts(
            select(schema.waves).where(table.last_ms >= from_ms).order_by(table.start_ms)
        )
        return {(row["base_asset"], row["direction"]): row for row in rows}

    def markets(self, venue: str) -> list[Market]:
        """:return: a venue's market list, empty if it was never loaded"""
        columns = [schema.markets.c[column.name] for column in fields(Market)]
        rows = self._rows(select(*columns).where(schema.markets.c.venue == venue))
        return [Market(**row._mapping) for row in rows]

    def readiness(self) -> list[dict[str, Any]]:
        """:return: how far each coin's baseline is, by name"""
        return self._dicts(select(schema.readiness).order_by(schema.readiness.c.base_asset))

    def count(self, table: str) -> int:
        """:return: number of rows of a table"""
        rows = self._rows(select(func.count()).select_from(schema.stored(table)))
        return int(rows[0][0])

    def span(self) -> tuple[int, int] | None:
        """:return: first and last event time of the liquidations, see ``not_ahead``"""
        return self._ends(schema.liquidations.c.event_ms, not_ahead())

    def venue_totals(self, from_ms: int) -> dict[str, tuple[int, float]]:
        """:return: per venue the number and sum (USD) of liquidations since ``from_ms``"""
        table = schema.liquidations.c
        rows = self._rows(
            select(table.venue, func.count(), func.sum(table.notional_usd))
            .where(table.event_ms >= from_ms)
            .where(not_ahead())
            .group_by(table.venue)
        )
        return {venue: (int(count), float(total)) for venue, count, total in rows}

    def liquidations(
        self, base_asset: str, venues: Sequence[str], from_ms: int, to_ms: int
    ) -> Sequence[Any]:
        """
        :return: ``event_ms, pair, position_side, price, notional_usd`` of each liquidation in
            ``[from_ms, to_ms)``, in that order; prices are in units of their own pair
        """
        table = schema.liquidations.c
        return self._rows(
            select(table.event_ms, table.pair, table.position_side, table.price, table.notional_usd)
            .where(table.base_asset == base_asset)
            .where(table.venue.in_(venues))
            .where(table.event_ms >= from_ms)
            .where(table.event_ms < to_ms)
            .order_by(table.event_ms)
        )

    def minute_span(self, base_asset: str) -> tuple[int, int] | None:
        """:return: open of the first and close of the last minute with liquidations of a coin"""
        table = schema.minutes.c
        ends = self._ends(table.minute_ms, table.base_asset == base_asset)
        return None if ends is None else (ends[0], ends[1] + MINUTE_MS)

    def waves_of(self, base_asset: str, from_ms: int, to_ms: int) -> list[dict[str, Any]]:
        """:return: a coin's recorded waves that were alive in ``[from_ms, to_ms]``, oldest first"""
        table = schema.waves.c
        return self._dicts(
            select(schema.waves)
            .where(table.base_asset == base_asset)
            .where(table.last_ms >= from_ms)
            .where(table.start_ms <= to_ms)
            .order_by(table.start_ms)
        )


def feature_rows(rows: Sequence[Any]) -> FeatureRows:
    """:return: rows with the columns of ``FeatureRows``, as arrays"""
    columns: Any = zip(*rows, strict=True) if rows else [()] * len(COLUMNS)
    arrays: dict[str, Any] = {}
    for (name, kind), values in zip(COLUMNS.items(), columns, strict=True):
        # A NULL becomes NaN, or False; but for a count that nobody asked for, no integer is NULL.
        known = [value or 0 for value in values] if name == "before_count" else values
        arrays[name] = np.array(known, dtype=kind)
    return FeatureRows(**arrays)
