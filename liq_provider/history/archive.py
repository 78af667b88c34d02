"""
What an export looks like: Parquet files ``TABLE/day=YYYY-MM-DD/part.parquet`` and a manifest,
which says what must be there. The columns are those of the store.

Minutes are not in it: they are sums of the liquidations, made again where it is imported.
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from liq_provider.errors import ImportRefused
from liq_provider.store import schema
from liq_provider.store.schema import KNOWN_REVISIONS
from liq_provider.venues import VENUES

MANIFEST = "liqtrend-export.json"
PART = "part.parquet"
SCHEMA_KEY = "liqtrend_schema"
SIMULATED_KEY = "liqtrend_simulated"

# By the column that says the day of a row; None for small tables that are one file. Coverage
# is the last word of an import: nothing may look known while its orders are still missing.
TABLES: dict[str, str | None] = {
    "liquidations": "event_ms",
    "bars": "start_ms",
    "waves": "start_ms",
    "verdicts": "wave_start_ms",
    "model_calls": "asked_ms",
    "news": "available_at",
    "holdouts": None,
    "markets": None,
    "doubts": None,
    "coverage": "start_ms",
}

# Columns that exports of older versions lack; they are empty then.
LATER: dict[str, frozenset[str]] = {
    "verdicts": frozenset({"confirmed"}),
    "coverage": frozenset({"heard_by"}),
}

# Rows that hold whole texts; few of them are as much as many others.
_LONG = frozenset({"model_calls"})

_ARROW_TYPES: dict[type[sa.types.TypeEngine[Any]], pa.DataType] = {
    sa.BigInteger: pa.int64(),
    sa.Integer: pa.int64(),
    sa.Float: pa.float64(),
    sa.Boolean: pa.bool_(),
    sa.String: pa.string(),
    sa.Text: pa.string(),
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """
    :param revision: of the store's schema
    :param rows: by file, relative to the export
    :param pairs: that it is restricted to, empty for all
    :param from_ms: begin of what was exported, None for all
    :param watermark_ms: of the store; what was settled live by then is final
    :param simulated: by venue, from when to when something of it never happened on an exchange
    """

    revision: str
    made_ms: int
    rows: dict[str, int]
    pairs: list[str]
    from_ms: int | None
    to_ms: int | None
    watermark_ms: int
    simulated: dict[str, list[int]] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write it into an export."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")

    def files(self, table: str) -> list[str]:
        """:return: the files of a table, by day"""
        return sorted(name for name in self.rows if name.startswith(f"{table}/"))


def is_export(folder: Path) -> bool:
    """:return: whether ``liq-provider export`` wrote this folder"""
    return (folder / MANIFEST).is_file()


def read_manifest(folder: Path) -> Manifest:
    """
    :raises ImportRefused: it is damaged, of a newer LiqTrend, or a file that it names is missing
    """
    path = folder / MANIFEST
    try:
        manifest = Manifest(**json.loads(path.read_text(encoding="utf-8")))
        names = [name for table in TABLES for name in manifest.files(table)]
        strange = set(manifest.rows) - set(names) | {n for n in names if ".." in n}
        int(manifest.watermark_ms)
        spans = manifest.simulated.items()
        strange |= {venue for venue, span in spans if venue not in VENUES or len(span) != 2}
    except OSError as error:
        raise ImportRefused(f"{path}: {error.strerror}") from None
    except (ValueError, TypeError, AttributeError):
        raise ImportRefused(f"{path}: is no manifest of an export") from None
    if manifest.revision not in KNOWN_REVISIONS:
        raise ImportRefused(
            f"{path}: was written by a newer LiqTrend (schema {manifest.revision}); update this one"
        )
    if strange:
        raise ImportRefused(f"{path}: names {min(strange)}, which is no file of an export")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ImportRefused(f"{folder / missing[0]}: is missing from the export")
    return manifest


def at_once(table: str, rows: int) -> int:
    """:return: how many rows of a table may be in memory, if ``rows`` of most may"""
    return min(rows, 1_000) if table in _LONG else rows


def arrow_schema(table: str, simulated: Collection[str] = ()) -> pa.Schema:
    """
    :param simulated: venues that a file's metadata is to name, for whoever reads it alone
    :return: the columns of one of ``TABLES``
    """
    columns = schema.table(table).columns
    fields = [
        pa.field(column.name, _ARROW_TYPES[type(column.type)], nullable=bool(column.nullable))
        for column in columns
    ]
    metadata = {SCHEMA_KEY: schema.REVISION}
    if simulated:
        metadata[SIMULATED_KEY] = ",".join(sorted(simulated))
    return pa.schema(fields, metadata=metadata)
