"""An export back into a store; into an empty one, it gives the same store."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from liq_provider.core.coverage import Interval
from liq_provider.core.moments import EARLIEST_MS, LATEST_MS
from liq_provider.errors import ImportRefused
from liq_provider.history.archive import (
    LATER,
    TABLES,
    Manifest,
    arrow_schema,
    at_once,
    read_manifest,
)
from liq_provider.history.importer import sha256_of
from liq_provider.judge.matrix import Action, Confidence, News
from liq_provider.measure.waves import Strength
from liq_provider.store import schema
from liq_provider.store.imported_files import Imported, find, note
from liq_provider.store.liquidation_rows import Row
from liq_provider.store.restored_rows import put_coverage, put_doubts, put_missing, put_watermark
from liq_provider.store.simulated_spans import note_simulated
from liq_provider.store.verdict_minutes import is_valid
from liq_provider.store.writer import Writer

_AT_ONCE = 20_000
_TIMES = frozenset({"event_ms", "received_ms", "minute_ms", "asked_ms"})
# What was spent counts in a budget; less than nothing would refill it.
_COUNTS = frozenset({"requests", "charged_tokens"})
_WORDS = {
    "position_side": ("long", "short"),
    "direction": ("LONG", "SHORT"),
    "strength": tuple(strength.word for strength in Strength),
    "aligned": ("yes", "no", "unknown"),
    "news": tuple(News),
    "action": tuple(Action),
    "confidence": tuple(confidence.word for confidence in Confidence),
}
# Read by the bot and by a sidecar's start, which one bad row must not stop.
_JSON = {"inputs": dict, "guard": list}

Told = Callable[[Path, int], None]


@dataclass(frozen=True, slots=True)
class Restored:
    """
    :param rows: that were new, by table; spans of coverage and doubts are not counted, they may
        grow
    :param known: rows that the store had already, of all tables but those
    :param skipped: files that were read before
    """

    manifest: Manifest
    rows: dict[str, int]
    known: int
    skipped: int


def restore(
    writer: Writer, folder: Path, now_ms: int, *, again: bool = False, told: Told | None = None
) -> Restored:
    """
    Import an export. Idempotent: what the store has already stands. Coverage comes last, so
    that nothing looks known while its orders are still missing.

    :param again: read files that were read before, too
    :param told: is told the file and how many of its rows were read
    :raises ImportRefused: it is not whole, or a file is not as it was written; what was imported
        before that file stays, without coverage
    """
    manifest = read_manifest(folder)
    fresh, known, skipped = dict.fromkeys(TABLES, 0), 0, 0
    for venue, (start_ms, end_ms) in manifest.simulated.items():
        note_simulated(writer.engine, venue, Interval(int(start_ms), int(end_ms)), now_ms)
    for table in TABLES:
        for name in manifest.files(table):
            path = folder / name
            key = Imported(sha256_of(path), f"export {table}", name)
            # Coverage depends on what else is in the store, and is quickly written.
            noted = table == "liquidations"
            if noted and not again and find(writer.engine, key) is not None:
                skipped += 1
                known += manifest.rows[name]
                continue
            read = 0
            for rows in _batches(path, table, manifest.rows[name]):
                new = _put(writer, table, rows)
                fresh[table] += new
                known += 0 if table in ("coverage", "doubts") else len(rows) - new
                read += len(rows)
                if told is not None:
                    told(path, read)
            if noted:
                note(writer.engine, key, read, now_ms)
    put_watermark(writer.engine, manifest.watermark_ms, now_ms)
    return Restored(manifest, fresh, known, skipped)


def _put(writer: Writer, table: str, rows: list[Row]) -> int:
    if table == "liquidations":
        return writer.restore(rows).inserted
    if table == "coverage":
        put_coverage(writer.engine, rows, writer.min_event_usd)
        return len(rows)
    if table == "doubts":
        put_doubts(writer.engine, rows)
        return len(rows)
    return put_missing(writer.engine, schema.metadata.tables[table], rows)


def _batches(path: Path, table: str, expected: int) -> Iterator[list[Row]]:
    wanted = arrow_schema(table)
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            for name in LATER.get(table, frozenset()) - set(schema.names):
                wanted = wanted.remove(wanted.get_field_index(name))
            # Without the metadata: an older schema that has the same columns is as good.
            if not schema.remove_metadata().equals(wanted.remove_metadata()):
                raise ImportRefused(f"{path}: its columns are not those of {table}")
            if file.metadata.num_rows != expected:
                raise ImportRefused(
                    f"{path}: holds {file.metadata.num_rows:,} rows, the export says {expected:,}"
                )
            row = 0
            for batch in file.iter_batches(at_once(table, _AT_ONCE)):
                _check(path, batch, row)
                row += batch.num_rows
                yield batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ImportRefused(f"{path}: is damaged or no Parquet file ({reason})") from error


def _is_json(text: str | None, kind: type) -> bool:
    try:
        return isinstance(json.loads(text or ""), kind)
    except ValueError:
        return False


def _check(path: Path, batch: pa.RecordBatch, before: int) -> None:
    """Somebody may have written the file again with another tool."""
    for field in batch.schema:
        column = batch.column(field.name)
        bad = pc.and_(pc.is_null(column), pa.scalar(not field.nullable))
        likely = _likely(field, column)
        if likely is not None:
            bad = pc.or_(bad, pc.invert(pc.fill_null(likely, fill_value=True)))
        first = pc.index(bad, pa.scalar(value=True)).as_py()
        if first >= 0:
            value = column[first].as_py()
            raise ImportRefused(f"{path}: row {before + first + 1}: {field.name} is {value!r}")


def _likely(field: pa.Field, column: pa.Array) -> Any:
    """:return: per row whether its value can be right, None if any can"""
    if field.name in _WORDS:
        return pc.is_in(column, value_set=pa.array(list(map(str, _WORDS[field.name]))))
    if field.name == "confirmed":
        return pa.array([is_valid(value) for value in column.to_pylist()])
    if field.name in _JSON:
        return pa.array([_is_json(value, _JSON[field.name]) for value in column.to_pylist()])
    if field.type == pa.float64():
        return pc.and_(pc.greater_equal(column, 0.0), pc.less(column, math.inf))
    if field.name in _TIMES:
        return pc.and_(pc.greater_equal(column, EARLIEST_MS), pc.less_equal(column, LATEST_MS))
    if field.name in _COUNTS:
        return pc.greater_equal(column, 0)
    return None
