"""What the store says at the end, read the way that everybody reads it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from chaos.records import Key, Row, key_of
from liq_provider.core.durations import MINUTE_MS
from liq_provider.store import schema
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader

Cell = tuple[str, str, int]  # venue, coin, minute


@dataclass(frozen=True, slots=True)
class Books:
    """
    :param known: coin-minutes that the store calls known, of those from ``from_ms`` to ``to_ms``
    :param sums: long and short USD and the number of orders, where a minute has any
    """

    rows: tuple[Row, ...]
    known: frozenset[Cell]
    sums: dict[Cell, tuple[float, float, int]] = field(default_factory=dict)
    from_ms: int = 0
    to_ms: int = 0

    def by_key(self) -> dict[Key, list[Row]]:
        """:return: rows by what identifies the order"""
        grouped: dict[Key, list[Row]] = {}
        for row in self.rows:
            grouped.setdefault(row.key, []).append(row)
        return grouped


def read_books(
    store_url: str, venues: Sequence[str], coins: Sequence[str], from_ms: int, to_ms: int
) -> Books:
    """
    :param from_ms: open of the first minute that matters
    :param to_ms: close of the last one
    """
    reader = Reader(store_url)
    try:
        grids = reader.grids(coins, venues, from_ms, to_ms)
    finally:
        reader.close()
    known, sums = set(), {}
    for coin, grid in grids.items():
        for row, venue in enumerate(grid.venues):
            for column in range((to_ms - from_ms) // MINUTE_MS):
                cell = venue, coin, from_ms + column * MINUTE_MS
                if grid.covered[row, column]:
                    known.add(cell)
                count = int(grid.count[row, column])
                if count:
                    longs, shorts = grid.long_usd[row, column], grid.short_usd[row, column]
                    sums[cell] = float(longs), float(shorts), count
    return Books(_rows(store_url, from_ms), frozenset(known), sums, from_ms, to_ms)


def _rows(store_url: str, from_ms: int) -> tuple[Row, ...]:
    table = schema.liquidations.c
    engine = open_engine(store_url, read_only=True)
    try:
        with engine.connect() as connection:
            stored = connection.execute(
                select(
                    *(table.venue, table.market_id, table.position_side, table.event_ms),
                    *(table.price, table.quantity),
                    *(table.base_asset, table.notional_usd, table.received_ms, table.minute_ms),
                ).where(table.event_ms >= from_ms - 2 * MINUTE_MS)
            )
            return tuple(
                Row(key_of(*row[:6]), row[6], float(row[7]), row[8], row[9]) for row in stored
            )
    finally:
        engine.dispose()
