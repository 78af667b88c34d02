"""Minutes of the store as grids, with what was known of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import select

from liq_provider.core.arrays import BoolArray, FloatArray, IntArray
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import MINUTE_MS
from liq_provider.measure.minute_grid import Fills, MinuteGrid
from liq_provider.store import schema
from liq_provider.store.known_minutes import KnownMinutes, columns_of, later, of_coin
from liq_provider.store.known_reader import KnownReader


class GridReader(KnownReader):
    """What is computed from: sums per venue and minute, and which of them are known."""

    def grids(
        self, base_assets: Sequence[str], venues: Sequence[str], from_ms: int, to_ms: int
    ) -> dict[str, MinuteGrid]:
        """
        Dense minutes of ``[from_ms, to_ms)``, both minute opens.

        :param venues: the enabled venues; the grid holds them in alphabetical order
        """
        names = tuple(sorted(venues))
        known = self._known(base_assets, names, from_ms, to_ms)
        listed = self._known_ms(base_assets, names)
        filled_ms = self._filled_ms(base_assets, names, from_ms, to_ms)
        booked, filled = self._minutes(base_assets, from_ms, to_ms)
        return {
            base: _grid(
                names,
                from_ms,
                _clip(known[base], names, listed.get(base, {}), from_ms),
                booked[base],
                _fills(names, from_ms, filled_ms[base], filled[base])
                if base in filled_ms
                else None,
            )
            for base in base_assets
        }

    def known_minutes(
        self, base_assets: Sequence[str], venues: Sequence[str], from_ms: int, to_ms: int
    ) -> dict[str, tuple[BoolArray, BoolArray]]:
        """
        What ``grids`` would know of ``[from_ms, to_ms)`` at ``to_ms``, without the sums.

        :return: by coin, shape (venues, minutes), venues in alphabetical order: what may be
            scored, and what the baseline of a decision at ``to_ms`` may use
        """
        names = tuple(sorted(venues))
        known = self._known(base_assets, names, from_ms, to_ms)
        listed = self._known_ms(base_assets, names)
        filled_ms = self._filled_ms(base_assets, names, from_ms, to_ms)
        minutes = {}
        for base in base_assets:
            own = _clip(known[base], names, listed.get(base, {}), from_ms)
            scored = (own.until_ms > to_ms) | ((own.learned_ms > 0) & (own.learned_ms <= to_ms))
            times = filled_ms.get(base)
            minutes[base] = (
                scored,
                scored if times is None else scored | ((times > 0) & (times <= to_ms)),
            )
        return minutes

    def _minutes(
        self, base_assets: Sequence[str], from_ms: int, to_ms: int
    ) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
        """:return: by coin, the minutes as they were booked, and the filled ones"""
        table = schema.minutes.c
        rows = self._rows(
            select(
                table.base_asset,
                table.filled,
                table.venue,
                table.minute_ms,
                table.long_usd,
                table.short_usd,
                table.long_count,
                table.short_count,
            )
            .where(table.base_asset.in_(base_assets))
            .where(table.minute_ms >= from_ms)
            .where(table.minute_ms < to_ms)
        )
        booked: dict[str, list[Any]] = {base: [] for base in base_assets}
        filled: dict[str, list[Any]] = {base: [] for base in base_assets}
        for base, is_filled, *row in rows:
            (filled if is_filled else booked)[base].append(row)
        return booked, filled

    def _filled_ms(
        self, base_assets: Sequence[str], names: Sequence[str], from_ms: int, to_ms: int
    ) -> dict[str, IntArray]:
        """
        :return: by coin with any fill, shape (venues, minutes): the first close that may know
            of it, 0 for never
        """
        table = schema.coverage.c
        rows = self._rows(
            select(table.base_asset, table.venue, table.start_ms, table.end_ms, table.available_at)
            .where(table.venue.in_(names))
            .where(table.base_asset.in_(base_assets))
            .where(table.source == "fill")
            .where(table.end_ms > from_ms)
            .where(table.start_ms < to_ms)
            .order_by(table.available_at.desc())
        )
        filled: dict[str, IntArray] = {}
        for base, venue, start_ms, end_ms, available_at in rows:
            if base not in filled:
                size = (to_ms - from_ms) // MINUTE_MS
                filled[base] = np.zeros((len(names), size), dtype=np.int64)
            columns = columns_of(Interval(start_ms, end_ms), from_ms)
            filled[base][names.index(venue), columns] = available_at
        return filled

    def _known(
        self, base_assets: Sequence[str], names: Sequence[str], from_ms: int, to_ms: int
    ) -> dict[str, KnownMinutes]:
        """:return: by coin, with arrays of shape (venues, minutes)"""
        gathered = self._knowledge(names, ["", *base_assets], Interval(from_ms, to_ms))
        special = {base for _, base in gathered}
        size = (to_ms - from_ms) // MINUTE_MS

        def known(base: str) -> KnownMinutes:
            rows = [of_coin(gathered, name, base).known(from_ms, size) for name in names]
            return KnownMinutes(
                np.stack([row.until_ms for row in rows]),
                np.stack([row.learned_ms for row in rows]),
            )

        common = known("")
        return {base: known(base) if base in special else common for base in base_assets}

    def _known_ms(
        self, base_assets: Sequence[str], venues: Sequence[str]
    ) -> dict[str, dict[str, int]]:
        """
        :return: since when each coin's first market on each venue was open and known to us,
            where there is a time for that
        """
        table = schema.markets.c
        rows = self._rows(
            select(table.base_asset, table.venue, table.listed_ms, table.known_ms)
            .where(table.base_asset.in_(base_assets))
            .where(table.venue.in_(venues))
        )
        known: dict[str, dict[str, int]] = {}
        for base, venue, listed_ms, known_ms in rows:
            since_ms = max(listed_ms or 0, known_ms)
            if since_ms:
                since = known.setdefault(base, {})
                since[venue] = min(since.get(venue, since_ms), since_ms)
        return known


def _clip(
    known: KnownMinutes, names: Sequence[str], known_ms: Mapping[str, int], from_ms: int
) -> KnownMinutes:
    if not known_ms:
        return known
    clipped = KnownMinutes(known.until_ms.copy(), known.learned_ms.copy())
    for row, name in enumerate(names):
        if name in known_ms:
            first = max(0, -(-(known_ms[name] - from_ms) // MINUTE_MS))
            clipped.until_ms[row, :first] = clipped.learned_ms[row, :first] = 0
    return clipped


def _grid(
    names: tuple[str, ...],
    from_ms: int,
    known: KnownMinutes,
    rows: Sequence[Any],
    fills: Fills | None,
) -> MinuteGrid:
    covered = known.until_ms > 0
    sums = _sums(names, from_ms, covered.shape, rows)
    doubted_ms, learned_ms = later(known.until_ms), later(known.learned_ms)
    return MinuteGrid(
        *(from_ms, names, *sums, covered),
        fills=fills,
        doubted_ms=doubted_ms,
        learned_ms=learned_ms,
    )


def _fills(names: tuple[str, ...], from_ms: int, known_ms: IntArray, rows: Sequence[Any]) -> Fills:
    return Fills(known_ms, *_sums(names, from_ms, known_ms.shape, rows))


def _sums(
    names: tuple[str, ...], from_ms: int, shape: tuple[int, ...], rows: Sequence[Any]
) -> tuple[FloatArray, FloatArray, IntArray]:
    long_usd, short_usd = np.zeros(shape), np.zeros(shape)
    count = np.zeros(shape, dtype=np.int64)
    if rows:
        venue, minute_ms, longs, shorts, long_count, short_count = zip(*rows, strict=True)
        position = {name: row for row, name in enumerate(names)}
        kept = np.array([name in position for name in venue])
        where = (
            np.array([position.get(name, 0) for name in venue])[kept],
            ((np.array(minute_ms) - from_ms) // MINUTE_MS)[kept],
        )
        # Two markets of one coin on one venue share a cell, so the sums must accumulate.
        np.add.at(long_usd, where, np.array(longs)[kept])
        np.add.at(short_usd, where, np.array(shorts)[kept])
        np.add.at(count, where, (np.array(long_count) + np.array(short_count))[kept])
    return long_usd, short_usd, count
