"""
The store as Parquet files, a day each, for research with other tools and for another store.

``DIR/<table>/day=2026-03-04/rows.parquet``: the columns are those of the tables, days are UTC.
Read back into an empty store it gives the same store, down to the minute each order was booked
in and the time each span of coverage became known.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import BigInteger, Column, Float, Integer, Table, delete, select

from liq_provider.errors import ImportRefused
from liq_provider.store import schema
from liq_provider.store.engine import store_errors
from liq_provider.store.fills import complete_all
from liq_provider.store.rows import IDENTITY_COLUMNS, MinuteSums, Row
from liq_provider.store.statements import add_to_minutes, insert_into
from liq_provider.store.writer import Writer

_DAY_MS = 86_400_000
_BATCH = 20_000
_VERSION = b"liqtrend_schema"

# Minutes are made from the liquidations, and features from the minutes.
TABLES: dict[str, Column[int]] = {
    "liquidations": schema.liquidations.c.event_ms,
    "coverage": schema.coverage.c.start_ms,
    "bars": schema.bars.c.start_ms,
    "waves": schema.waves.c.start_ms,
    "verdicts": schema.verdicts.c.wave_start_ms,
    "markets": schema.markets.c.known_ms,
}


@dataclass(frozen=True, slots=True)
class Moved:
    """
    :param rows: by table; of an import, those that were new
    :param files: written or read
    """

    rows: dict[str, int]
    files: int


def export(writer: Writer, directory: Path, from_ms: int, to_ms: int) -> Moved:
    """
    Write ``[from_ms, to_ms)``, whole days of it replacing what the directory has of them.

    :raises ImportRefused: the directory cannot be written
    """
    rows, files = {}, 0
    for name, time in TABLES.items():
        table, count = schema.metadata.tables[name], 0
        try:
            for day, found in _days(writer, table, time, from_ms, to_ms):
                count += _write(directory / name / f"day={day}" / "rows.parquet", table, found)
                files += 1
        except OSError as error:
            raise ImportRefused(f"{directory}: {error.strerror or error}") from error
        rows[name] = count
    return Moved(rows, files)


def _days(
    writer: Writer, table: Table, time: Column[int], from_ms: int, to_ms: int
) -> Iterator[tuple[str, Iterator[Sequence[Any]]]]:
    """:return: day by day, batches of its rows in the order of the key"""
    query = select(time).where(time >= from_ms).where(time < to_ms).order_by(time).limit(1)
    with store_errors("Exporting"), writer.engine.connect() as connection:
        begin = connection.execute(query).scalar()
    while begin is not None:
        day_ms = begin // _DAY_MS * _DAY_MS
        end_ms = min(day_ms + _DAY_MS, to_ms)
        rows = select(table).where(time >= begin).where(time < end_ms)
        with store_errors("Exporting"), writer.engine.connect() as connection:
            stream = connection.execution_options(yield_per=_BATCH).execute(
                rows.order_by(*table.primary_key)
            )
            yield (
                datetime.fromtimestamp(day_ms / 1000, UTC).strftime("%Y-%m-%d"),
                stream.partitions(),
            )
            later = select(time).where(time >= end_ms).where(time < to_ms)
            begin = connection.execute(later.order_by(time).limit(1)).scalar()


def _write(path: Path, table: Table, batches: Iterator[Sequence[Any]]) -> int:
    kind = _arrow(table)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    count = 0
    with pq.ParquetWriter(part, kind, compression="zstd") as file:
        for batch in batches:
            columns = list(zip(*batch, strict=True))
            arrays = [
                pa.array(column, field.type) for column, field in zip(columns, kind, strict=True)
            ]
            file.write_table(pa.Table.from_arrays(arrays, schema=kind))
            count += len(batch)
    # A day is there as a whole or not at all.
    part.replace(path)
    return count


def _arrow(table: Table) -> pa.Schema:
    fields = [pa.field(column.name, _kind(column), column.nullable) for column in table.columns]
    return pa.schema(fields, {_VERSION: schema.REVISION.encode()})


def _kind(column: Column[Any]) -> pa.DataType:
    if isinstance(column.type, BigInteger):
        return pa.int64()
    if isinstance(column.type, Float):
        return pa.float64()
    if isinstance(column.type, Integer):
        return pa.int32()
    return pa.bool_() if column.type.python_type is bool else pa.string()


def import_archive(writer: Writer, directory: Path) -> Moved:
    """
    Read an export back. Idempotent; what the store has already stays as it is.

    :raises ImportRefused: not an export, or one of another schema; files before stay imported
    """
    paths = {name: sorted((directory / name).glob("day=*/*.parquet")) for name in TABLES}
    if not any(paths.values()):
        raise ImportRefused(
            f"{directory}: is no export; it must hold folders such as liquidations/day=2026-03-04"
        )
    rows = {}
    for name, files in paths.items():
        table = schema.metadata.tables[name]
        rows[name] = sum(_read(writer, path, table) for path in files)
    _complete_fills(writer)
    return Moved(rows, sum(len(files) for files in paths.values()))


def _read(writer: Writer, path: Path, table: Table) -> int:
    """:return: rows that were new"""
    new = 0
    try:
        with pq.ParquetFile(path) as file:
            _check(path, table, file.schema_arrow)
            for batch in file.iter_batches(_BATCH, columns=[c.name for c in table.columns]):
                new += _put(writer, table, batch.to_pylist())
    except (pa.ArrowInvalid, OSError) as error:
        raise ImportRefused(f"{path}: is damaged or no Parquet file ({error})") from error
    return new


def _check(path: Path, table: Table, found: pa.Schema) -> None:
    version = (found.metadata or {}).get(_VERSION, b"none").decode()
    if version != schema.REVISION:
        raise ImportRefused(
            f"{path}: was exported with schema {version}, this LiqTrend has {schema.REVISION}; "
            "export it again with the same version"
        )
    missing = {column.name for column in table.columns} - set(found.names)
    if missing:
        raise ImportRefused(f"{path}: no column {', '.join(sorted(missing))}")


def _put(writer: Writer, table: Table, rows: list[Row]) -> int:
    if not rows:
        return 0
    with store_errors("Importing"), writer.engine.begin() as connection:
        statement = insert_into(connection, table).on_conflict_do_nothing()
        if table is not schema.liquidations:
            keys = list(table.primary_key)
            return len(connection.execute(statement.returning(*keys), rows).all())
        found = connection.execute(statement.returning(*IDENTITY_COLUMNS), rows)
        new = {tuple(row) for row in found}
        sums = MinuteSums(writer.rules.settle_ms)
        for row in rows:
            small = row["notional_usd"] < writer.min_event_usd
            if _key(row) in new and row["minute_ms"] is not None and not small:
                sums.add(row)
        add_to_minutes(connection, sums.rows())
        return len(new)


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in IDENTITY_COLUMNS)


def _complete_fills(writer: Writer) -> None:
    """Filled minutes come from the orders and the fills' coverage, which are both there now."""
    with store_errors("Importing"), writer.engine.begin() as connection:
        connection.execute(delete(schema.minutes).where(schema.minutes.c.filled))
        complete_all(connection, writer.min_event_usd)
