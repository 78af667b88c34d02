"""Hostile files give the same store, counts and refusals, read by rows or many rows at once."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from liq_provider.core.coverage import Interval
from liq_provider.core.order_columns import OrderColumns
from liq_provider.errors import ImportRefused
from liq_provider.history import column_reading, importer, order_formats, text_blocks
from liq_provider.history.importer import import_files, known_markets
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.statements import PAST
from liq_provider.store.writer import Writer
from tests.history.hostile_files import T0, HostileFile, hostile_file

MINUTE = 60_000
NOW_MS = T0 + 5 * 86_400_000
TABLES = ("liquidations", "minutes", "coverage", "doubts", "imports", "state")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without anything in it: to make one takes longer than to copy it."""
    path = tmp_path_factory.mktemp("empty") / "store.sqlite"
    Writer(open_engine(f"sqlite:///{path}")).close()
    return path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files, too, are of several blocks and batches."""
    monkeypatch.setattr(importer, "_BATCH", 50)
    monkeypatch.setattr(text_blocks, "_BLOCK", 8_192)


def _row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path, name: str, markets: Any, names: Any, *more: Any) -> Iterator[Any]:
        return order_formats.read(path, name, markets, *more)

    def put(writer: Writer, orders: OrderColumns) -> Any:
        return writer.import_batch([Incoming(order) for order in orders.liquidations()])

    monkeypatch.setattr(importer, "read_at_once", read)
    monkeypatch.setattr(Writer, "import_columns", put)


def _outcome(writer: Writer, file: HostileFile, again: bool = False) -> list[Any]:
    told: list[Any] = []
    url = writer.engine.url.render_as_string()
    try:
        report = import_files(
            *(writer, Reader(url), [file.path], file.form),
            now_ms=NOW_MS,
            again=again,
            progress=lambda path, rows: told.append((path, rows)),
        )
        told.append(report)
    except ImportRefused as error:
        told.append(str(error))
    return told


def _content(writer: Writer) -> dict[str, list[str]]:
    with writer.engine.connect() as connection:

        def rows_of(table: str) -> Any:
            return connection.execute(text(f"SELECT * FROM {table}"))

        return {
            # Only that the past was changed matters, not by whom.
            table: [repr(tuple(row)) for row in rows_of(table) if row[0] != PAST]
            for table in TABLES
        }


def _begun(writer: Writer, file: HostileFile, seed: int) -> None:
    """Some of the orders are there before: heard live, too late, or imported."""
    random = Random(seed)
    kind = random.choice(["empty", "empty", "imported", "live"])
    if kind == "empty":
        return
    markets = known_markets(Reader(writer.engine.url.render_as_string()))
    orders = []
    try:
        for record in order_formats.read(file.path, file.form, markets, NOW_MS):
            orders += record if isinstance(record, list) else []
    except ImportRefused:
        pass
    some = [order for order in orders if random.random() < 0.4]
    if not some:
        return
    if kind == "imported":
        writer.import_batch([Incoming(order) for order in some])
        return
    late = random.random() < 0.5
    since = [order.event_ms + 1 if late and random.random() < 0.2 else 0 for order in some]
    writer.append([Incoming(*each) for each in zip(some, since, strict=True)])
    close_ms = some[len(some) // 2].event_ms // MINUTE * MINUTE
    heard = Interval(close_ms - random.choice([0, 3, 99]) * MINUTE, close_ms)
    writer.settle(close_ms, {some[0].venue: [heard]}, close_ms + 2_000)


def same_both_ways(
    seed: int, empty: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, list[Any]]:
    """:return: what became of one file, the same whichever way it is read"""
    file = hostile_file(folder, seed)
    outcomes = []
    for way in ("rows", "columns"):
        path = folder / f"{way}.sqlite"
        shutil.copy(empty, path)
        with monkeypatch.context() as patch:
            if way == "rows":
                _row_by_row(patch)
            writer = Writer(
                open_engine(f"sqlite:///{path}"),
                min_event_usd=Random(seed).choice([0.0, 0.0, 99.0]),
            )
            _begun(writer, file, seed)
            outcome = [_outcome(writer, file), _content(writer)]
            # Once more: nothing is new.
            outcome += [_outcome(writer, file, again=True), _content(writer)]
            writer.close()
        for name in folder.glob(f"{way}.sqlite*"):
            name.unlink()
        outcomes.append(outcome)
    file.path.unlink()
    assert outcomes[0] == outcomes[1], f"seed {seed}: {file.form}"
    return outcomes[1][0], outcomes[1][1]["liquidations"]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("block", range(4))
def test_files_of_every_kind_come_in_the_same_way_whether_read_by_rows_or_at_once(
    block: int, empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = 0
    blocks = column_reading._Blocks._columns_of

    def counted(self: Any, which: Any, *args: Any) -> Any:
        nonlocal at_once
        at_once += len(which)
        return blocks(self, which, *args)

    monkeypatch.setattr(column_reading._Blocks, "_columns_of", counted)
    stored = refused = 0
    for seed in range(block * 30, block * 30 + 30):
        told, rows = same_both_ways(seed, empty, tmp_path, monkeypatch)
        stored += len(rows)
        refused += told[-1].bad if not isinstance(told[-1], str) else 1
    assert stored > 500
    assert refused > 50
    assert at_once > stored  # it was not for want of plain rows
