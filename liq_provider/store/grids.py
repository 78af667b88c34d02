"""Minutes of the store as grids, with what was known of them."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from sqlalchemy import case, func, select, tuple_

from liq_provider.core.arrays import BoolArray, FloatArray, IntArray
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import MINUTE_MS
from liq_provider.measure.minute_grid import Fills, MinuteGrid
from liq_provider.store import schema
from liq_provider.store.known_minutes import KnownMinutes, columns_of, of_coin
from liq_provider.store.known_reader import KnownReader

# Shape (venues, minutes): long and short USD, and the number of orders.
Sums = tuple[FloatArray, FloatArray, IntArray]

# A row of ``minutes``: its coin, if there are several, and its place in a grid.
_SUMMED = [
    ("coin", object),
    ("cell", np.int64),
    ("long_usd", np.float64),
    ("short_usd", np.float64),
    ("count", np.int64),
]


class GridReader(KnownReader):
    """What is computed from: sums per venue and minute, and which of them are known."""

    def grids(
        self,
        base_assets: Sequence[str],
        venues: Sequence[str],
        from_ms: int,
        to_ms: int,
        booked: Mapping[str, Sums] | None = None,
    ) -> dict[str, MinuteGrid]:
        """
        Dense minutes of ``[from_ms, to_ms)``, both minute opens.

        :param venues: the enabled venues; the grid holds them in alphabetical order
        :param booked: the minutes as they were booked, if the caller has them (``SettledSums``)
        """
        names = tuple(sorted(venues))
        known = self._known(base_assets, names, from_ms, to_ms)
        listed = self._known_ms(base_assets, names)
        filled_ms = self._filled_ms(base_assets, names, from_ms, to_ms)
        if booked is None:
            booked = self._sums(base_assets, names, from_ms, to_ms)
        filled = self._sums(list(filled_ms), names, from_ms, to_ms, filled=True)
        return {
            base: _grid(
                names,
                from_ms,
                _clip(known[base], names, listed.get(base, {}), from_ms),
                booked[base],
                Fills(filled_ms[base], *filled[base]) if base in filled_ms else None,
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
            scored = _clip(known[base], names, listed.get(base, {}), from_ms).at(to_ms)
            times = filled_ms.get(base)
            minutes[base] = (
                scored,
                scored if times is None else scored | ((times > 0) & (times <= to_ms)),
            )
        return minutes

    def _crowded(self, base_assets: Sequence[str] | None) -> list[str]:
        """
        :param base_assets: None for all
        :return: pairs of coins that have three or more on one venue. Two give the same sum
            whichever is first; of more the last bit depends on it
        """
        table = schema.series_keys.c
        crowds = (
            select(table.venue, table.base_asset)
            .group_by(table.venue, table.base_asset)
            .having(func.count() > 2)
        )
        if base_assets is not None:
            crowds = crowds.where(table.base_asset.in_(base_assets))
        query = select(table.pair).where(tuple_(table.venue, table.base_asset).in_(crowds))
        return sorted({pair for (pair,) in self._rows(query)})

    def _sums(
        self,
        base_assets: Sequence[str],
        names: Sequence[str],
        from_ms: int,
        to_ms: int,
        *,
        filled: bool = False,
    ) -> dict[str, Sums]:
        """
        :param filled: minutes that were filled later; else those as they were booked
        :return: by coin, dense
        """
        if not base_assets:
            return {}
        shape = len(names), (to_ms - from_ms) // MINUTE_MS
        rows = self.sum_rows(base_assets, names, from_ms, to_ms, filled=filled)
        if len(base_assets) == 1:
            return {base_assets[0]: dense(shape, rows["cell"], rows)}
        return {
            base: dense(shape, own["cell"], own)
            for base, own in rows_by_coin(rows, base_assets).items()
        }

    def sum_rows(
        self,
        base_assets: Sequence[str] | None,
        names: Sequence[str],
        from_ms: int,
        to_ms: int,
        *,
        filled: bool = False,
    ) -> npt.NDArray[np.void]:
        """
        :param base_assets: None for all
        :param names: of venues, in the order of the grid's rows
        :param filled: minutes that were filled later; else those as they were booked
        :return: a record for each row of ``minutes``, with its place ``cell`` in a grid of so many
            venues and minutes; a single coin's say not whose they are. Those of one cell are in
            the order in which they are added up, whatever the store's order is
        """
        minutes = (to_ms - from_ms) // MINUTE_MS
        table = schema.minutes.c
        row = case({name: row for row, name in enumerate(names)}, value=table.venue, else_=-1)
        column = (table.minute_ms - from_ms) // MINUTE_MS
        # Its name in each row costs more than two numbers.
        several = base_assets is None or len(base_assets) != 1
        crowded = self._crowded(base_assets)
        places = {pair: place for place, pair in enumerate(crowded)}
        query = (
            select(
                *([case(places, value=table.pair, else_=-1)] if crowded else []),
                *([table.base_asset] if several else []),
                row * minutes + column,
                table.long_usd,
                table.short_usd,
                table.long_count + table.short_count,
            )
            .where(table.minute_ms >= from_ms)
            .where(table.minute_ms < to_ms)
            .where(table.filled if filled else ~table.filled)
        )
        if base_assets is not None:
            query = query.where(table.base_asset.in_(base_assets))
        columns = _SUMMED if several else _SUMMED[1:]
        rows = self._columns(query, [("place", np.int16), *columns] if crowded else columns)
        if crowded:
            rows = rows[np.argsort(rows["place"], kind="stable")]
        if len(rows) and rows["cell"].min() < 0:
            rows = rows[rows["cell"] >= 0]  # of no other venues
        return rows

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
            return KnownMinutes.of_venues(rows)

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
    first = [max(0, -(-(known_ms.get(name, from_ms) - from_ms) // MINUTE_MS)) for name in names]
    return known.since(first) if any(first) else known


def _grid(
    names: tuple[str, ...], from_ms: int, known: KnownMinutes, sums: Sums, fills: Fills | None
) -> MinuteGrid:
    return MinuteGrid(
        *(from_ms, names, *sums, known.covered),
        fills=fills,
        doubted_ms=known.doubted_ms,
        learned_ms=known.learned_ms,
    )


def rows_by_coin(
    rows: npt.NDArray[np.void], base_assets: Sequence[str]
) -> dict[str, npt.NDArray[np.void]]:
    """
    :param rows: see ``GridReader.sum_rows``
    :param base_assets: all of theirs
    :return: each coin's own, in their order
    """
    number = {base: position for position, base in enumerate(base_assets)}
    numbers = np.fromiter(map(number.__getitem__, rows["coin"]), np.int64, len(rows))
    order = np.argsort(numbers, kind="stable")
    bounds = np.searchsorted(numbers[order], np.arange(len(base_assets) + 1))
    ordered = rows[order]
    return {base: ordered[bounds[n] : bounds[n + 1]] for base, n in number.items()}


def dense(shape: tuple[int, int], cells: IntArray, rows: npt.NDArray[np.void]) -> Sums:
    """
    :param shape: venues and minutes of the grid
    :param cells: the place of each row in it
    :param rows: of one coin, see ``GridReader.sum_rows``
    """
    # In one piece: the system hands over large pieces faster than several of middle size.
    long_usd, short_usd, counted = np.zeros((3, *shape))
    count = counted.view(np.int64)
    # Two markets of one coin on one venue share a cell, so the sums must accumulate.
    for name, sums in (("long_usd", long_usd), ("short_usd", short_usd), ("count", count)):
        np.add.at(sums.reshape(-1), cells, rows[name])
    return long_usd, short_usd, count
