"""The vendors' bars of the store."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, select

from liq_provider.store import schema
from liq_provider.store.database import migrate, store_errors
from liq_provider.store.liquidation_rows import Row
from liq_provider.store.statements import replace

_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class BarsStored:
    """
    :param kept: bars that were new
    :param duplicates: bars that the store had already, with the same sums
    :param restated: bars that it had with other sums; the newer ones stand
    """

    kept: int = 0
    duplicates: int = 0
    restated: int = 0


def put_bars(engine: Engine, rows: Sequence[Row]) -> BarsStored:
    """
    Store bars of one source, length and coin. A vendor may restate a bar, above all the one
    that was still running when it was asked: the newest word stands.

    :param rows: of the table ``bars``
    """
    migrate(engine)
    known: dict[tuple[str, int], tuple[float, float]] = {}
    with store_errors("Storing bars"), engine.begin() as connection:
        if rows:
            known = _known(connection, rows[0])
        new = [row for row in rows if (row["market"], row["start_ms"]) not in known]
        same = [row for row in rows if known.get((row["market"], row["start_ms"])) == _sums(row)]
        other = [row for row in rows if (row["market"], row["start_ms"]) in known]
        other = [row for row in other if known[row["market"], row["start_ms"]] != _sums(row)]
        for part in _batched([*new, *other]):
            replace(connection, schema.bars, part)
    return BarsStored(len(new), len(same), len(other))


def _known(connection: Connection, like: Row) -> dict[tuple[str, int], tuple[float, float]]:
    table = schema.bars.c
    bars = connection.execute(
        select(table.market, table.start_ms, table.long_usd, table.short_usd)
        .where(table.base_asset == like["base_asset"])
        .where(table.source == like["source"])
        .where(table.bar_min == like["bar_min"])
    )
    return {(row[0], row[1]): (row[2], row[3]) for row in bars}


def _sums(row: Row) -> tuple[float, float]:
    return row["long_usd"], row["short_usd"]


def _batched(rows: Sequence[Row]) -> list[list[Row]]:
    return [list(rows[first : first + _AT_ONCE]) for first in range(0, len(rows), _AT_ONCE)]
