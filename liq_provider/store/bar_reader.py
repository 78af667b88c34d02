"""The vendors' bars of the store, as grids that features are made of."""

import numpy as np
from sqlalchemy import func, select

from liq_provider.core.durations import MINUTE_MS
from liq_provider.errors import UsageError
from liq_provider.measure.baseline import MOST_VENUES
from liq_provider.measure.minute_grid import MinuteGrid
from liq_provider.store import schema
from liq_provider.store.read_access import ReadAccess


class BarReader(ReadAccess):
    """Bars have sums and no counts."""

    def bar_lengths(self, base_asset: str, source: str) -> list[int]:
        """:return: lengths, in minutes, of the bars of a coin that a data vendor published"""
        table = schema.bars.c
        rows = self._rows(
            select(table.bar_min)
            .where(table.base_asset == base_asset)
            .where(table.source == source)
            .distinct()
            .order_by(table.bar_min)
        )
        return [int(row[0]) for row in rows]

    def bar_span(self, source: str, base_asset: str | None = None) -> tuple[int, int] | None:
        """
        :param base_asset: None for all coins
        :return: open of the first and close of the last bar that a data vendor published
        """
        table = schema.bars.c
        query = select(
            func.min(table.start_ms), func.max(table.start_ms + table.bar_min * MINUTE_MS)
        ).where(table.source == source)
        if base_asset is not None:
            query = query.where(table.base_asset == base_asset)
        first, last = self._rows(query)[0]
        return None if first is None else (int(first), int(last))

    def bar_pairs(self, source: str) -> list[str]:
        """:return: one pair for each coin that a data vendor published bars of"""
        table = schema.bars.c
        rows = self._rows(
            select(func.min(table.pair)).where(table.source == source).group_by(table.base_asset)
        )
        return sorted(str(row[0]) for row in rows)

    def bar_grid(
        self, base_asset: str, source: str, bar_min: int, from_ms: int, to_ms: int
    ) -> MinuteGrid:
        """
        A data vendor's bars of ``[from_ms, to_ms)``, both bar opens; a missing one is unknown.

        :return: one row per market that the vendor tells apart; where it also published all
            markets together, that alone
        :raises UsageError: more markets than features can be made of
        """
        table = schema.bars.c
        rows = self._rows(
            select(table.market, table.start_ms, table.long_usd, table.short_usd)
            .where(table.base_asset == base_asset)
            .where(table.source == source)
            .where(table.bar_min == bar_min)
            .where(table.start_ms >= from_ms)
            .where(table.start_ms < to_ms)
        )
        markets = sorted({row[0] for row in rows}) or [""]
        if "" in markets:
            markets = [""]
        if len(markets) > MOST_VENUES:
            raise UsageError(
                f"{base_asset}: {source} has {len(markets)} markets of it, at most {MOST_VENUES} "
                "can be added up; import the aggregated bars instead"
            )
        shape = (len(markets), (to_ms - from_ms) // (bar_min * MINUTE_MS))
        long_usd, short_usd = np.zeros(shape), np.zeros(shape)
        covered = np.zeros(shape, dtype=bool)
        for market, start_ms, longs, shorts in rows:
            if market in markets:
                cell = markets.index(market), (start_ms - from_ms) // (bar_min * MINUTE_MS)
                long_usd[cell], short_usd[cell], covered[cell] = longs, shorts, True
        return MinuteGrid(
            from_ms,
            tuple(f"{source}:{market}" if market else source for market in markets),
            long_usd,
            short_usd,
            np.zeros(shape, dtype=np.int64),
            covered,
            has_counts=False,
            step_min=bar_min,
        )
