"""The store's past into Parquet files, by day; see ``archive`` for what they hold."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import ColumnElement, Connection, Engine, Select, Table, and_, or_, select, true

from liq_provider.config import simulated_marks
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.core.durations import DAY_MS, FOREVER_MS, MINUTE_MS
from liq_provider.core.liquidation import minute_from, minute_of
from liq_provider.errors import UsageError
from liq_provider.history.archive import PART, TABLES, Manifest, arrow_schema, at_once
from liq_provider.store import schema
from liq_provider.store.database import check_revision, store_errors
from liq_provider.store.statements import read_state

_AT_ONCE = 20_000
_OLDEST_NEWS_MS = 7 * DAY_MS  # the most that news.max_age_hours can be

# Where an empty coin stands for all of them.
_OF_ALL_COINS = frozenset({"coverage", "doubts"})

Told = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What of the store is exported.

    :param pairs: of these pairs' coins only; none for all
    :param from_ms: whole minutes from here on
    """

    pairs: Sequence[str] = ()
    from_ms: int = 0
    to_ms: int = FOREVER_MS

    @property
    def coins(self) -> list[str]:
        """The coins of the pairs."""
        return sorted({base_asset_of_pair(pair) for pair in self.pairs})


def export(
    engine: Engine, folder: Path, wanted: Wanted, now_ms: int, told: Told | None = None
) -> Manifest:
    """
    Write what the store holds at this moment; memory is bounded. The folder appears when it is
    complete, so that half an export never looks like a whole one.

    :param told: is told the file that is written and its rows so far
    :raises UsageError: the folder exists and is not empty, or cannot be written
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: exists and is not empty; an export needs a folder of its own")
    parent = folder.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{folder.name}-", dir=parent) as scratch:
            unfinished = Path(scratch) / "export"
            unfinished.mkdir()
            manifest = _write(engine, unfinished, _whole_minutes(wanted), now_ms, told)
            manifest.write(unfinished)
            unfinished.replace(folder.absolute())
    except OSError as error:
        raise UsageError(f"{error.filename or folder}: {error.strerror or error}") from error
    return manifest


def _whole_minutes(wanted: Wanted) -> Wanted:
    first, last = minute_of(wanted.from_ms), minute_from(wanted.to_ms)
    return Wanted(wanted.pairs, first, min(last, FOREVER_MS))


def _write(
    engine: Engine, folder: Path, wanted: Wanted, now_ms: int, told: Told | None
) -> Manifest:
    check_revision(engine, must_be_current=True)
    rows: dict[str, int] = {}
    with store_errors("Exporting"), engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            # One moment of the whole store, which SQLite's transactions always are.
            connection.execution_options(isolation_level="REPEATABLE READ")
        known = {key: read_state(connection, key) for key in simulated_marks.STATE_KEYS}
        spans = simulated_marks.spans_of(known)
        simulated = simulated_marks.within(spans, wanted.from_ms, wanted.to_ms)
        for name in TABLES:
            with closing(_Parts(folder, name, simulated)) as parts:
                for row_batch in _rows(connection, name, wanted):
                    parts.add(row_batch)
                    if told is not None:
                        told(name, parts.total)
            rows |= parts.rows
        watermark_ms = int(read_state(connection, "watermark_ms") or 0)
    return Manifest(
        schema.REVISION,
        now_ms,
        rows,
        list(wanted.pairs),
        wanted.from_ms or None,
        None if wanted.to_ms >= FOREVER_MS else wanted.to_ms,
        watermark_ms,
        {venue: [spans[venue].start_ms, spans[venue].end_ms] for venue in simulated},
    )


def _rows(connection: Connection, name: str, wanted: Wanted) -> Iterator[list[Sequence[Any]]]:
    """Batches of rows in the order of their days."""
    query = _query(schema.table(name), wanted)
    result = connection.execute(query.execution_options(yield_per=at_once(name, _AT_ONCE)))
    for part in result.partitions():
        rows: list[Sequence[Any]] = list(part)
        yield rows if name != "coverage" else _clipped(rows, wanted)


def _query(table: Table, wanted: Wanted) -> Select[Any]:
    query = select(table).order_by(*_order(table))
    if wanted.pairs:
        coins = [*wanted.coins, ""] if table.name in _OF_ALL_COINS else wanted.coins
        query = query.where(table.c.base_asset.in_(coins))
    if wanted.from_ms or wanted.to_ms < FOREVER_MS:
        query = query.where(_within(table, wanted))
    return query


def _order(table: Table) -> list[ColumnElement[Any]]:
    day_column = TABLES[table.name]
    keys: list[ColumnElement[Any]] = list(table.primary_key)
    return keys if day_column is None else [table.c[day_column], *keys]


def _within(table: Table, wanted: Wanted) -> ColumnElement[bool]:
    columns, (first, last) = table.c, (wanted.from_ms, wanted.to_ms)
    if table.name == "liquidations":
        # An order of before may count in the first minutes; it is never later than a day.
        return and_(
            columns.event_ms < last,
            columns.event_ms >= first - DAY_MS,
            or_(columns.event_ms >= first, columns.minute_ms >= first),
        )
    if table.name in ("coverage", "doubts", "holdouts"):
        return and_(columns.start_ms < last, columns.end_ms > first)
    if table.name == "bars":
        end_ms = columns.start_ms + columns.bar_min * MINUTE_MS
        return and_(columns.start_ms >= first, end_ms <= last)
    day_column = TABLES[table.name]
    if day_column is None:
        return true()
    inside = and_(columns[day_column] >= first, columns[day_column] < last)
    if table.name == "model_calls":
        # A verdict goes with its wave, and is to have its question beside it.
        return or_(inside, and_(columns.wave_start_ms >= first, columns.wave_start_ms < last))
    if table.name == "news":
        # What was read in the first minutes may have been found before.
        known = columns.published_ms >= first - _OLDEST_NEWS_MS
        return or_(inside, and_(columns.available_at < first, known))
    return inside


def _clipped(rows: list[Sequence[Any]], wanted: Wanted) -> list[Sequence[Any]]:
    """
    Coverage of exactly what is exported: cut to the span, and of single coins if only those
    are in it. Of what is left out nothing is known where it is imported.
    """
    names = [column.name for column in schema.coverage.columns]
    base, start, end = (names.index(name) for name in ("base_asset", "start_ms", "end_ms"))
    clipped: list[Sequence[Any]] = []
    for row in rows:
        values = list(row)
        values[start] = max(values[start], wanted.from_ms)
        values[end] = min(values[end], wanted.to_ms)
        coins = wanted.coins if wanted.pairs and not values[base] else [values[base]]
        clipped += [[*values[:base], coin, *values[base + 1 :]] for coin in coins]
    return clipped


class _Parts:
    """The files of one table, of which one is open at a time."""

    def __init__(self, folder: Path, name: str, simulated: Sequence[str]) -> None:
        self.rows: dict[str, int] = {}
        self.total = 0
        self._folder, self._name = folder, name
        self._schema = arrow_schema(name, simulated)
        self._day_column = TABLES[name]
        self._open: tuple[str, pq.ParquetWriter] | None = None

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """
        :param rows: in the order of their days
        """
        self.total += len(rows)
        if self._day_column is None:
            self._put(f"{self._name}/{PART}", rows)
            return
        column = self._schema.get_field_index(self._day_column)
        begin = 0
        for index in range(1, len(rows) + 1):
            day = rows[begin][column] // DAY_MS
            if index == len(rows) or rows[index][column] // DAY_MS != day:
                moment = datetime.fromtimestamp(day * DAY_MS / 1000, UTC)
                name = f"{self._name}/day={moment:%Y-%m-%d}/{PART}"
                self._put(name, rows[begin:index])
                begin = index

    def _put(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        if not rows:
            return
        if self._open is None or self._open[0] != name:
            self.close()
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open = name, pq.ParquetWriter(path, self._schema, compression="zstd")
        columns = zip(*rows, strict=True)
        arrays = [
            pa.array(values, field.type)
            for values, field in zip(columns, self._schema, strict=True)
        ]
        self._open[1].write_batch(pa.record_batch(arrays, schema=self._schema))
        self.rows[name] = self.rows.get(name, 0) + len(rows)

    def close(self) -> None:
        """Finish the file that is open."""
        if self._open is not None:
            self._open[1].close()
            self._open = None
