"""Many rows at once give what each row by itself gives: the same store, counts and refusals."""

import gzip
import shutil
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from liq_provider.core.coverage import Interval
from liq_provider.core.liquidation import Liquidation
from liq_provider.core.order_columns import MarketNames, OrderColumns
from liq_provider.errors import ImportRefused
from liq_provider.history import column_reading, importer, order_formats, text_blocks
from liq_provider.history.bad_row import BadRow
from liq_provider.history.importer import bundled_markets as bundled
from liq_provider.history.importer import import_files, known_markets
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from liq_provider.venues.row_readers import Columns
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
        return {
            table: [repr(tuple(row)) for row in connection.execute(text(f"SELECT * FROM {table}"))]
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


@pytest.mark.slow
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


# -- what is left to the rows, one by one


HEADER = "s,S,q,p,ap,X,l,z,T"


def row(
    at: int | str, *, symbol: str = "BTCUSDT", z: str = "2", ap: str = "50", p: str = "49"
) -> str:
    return f"{symbol},SELL,{z},{p},{ap},FILLED,{z},{z},{at}"


def read_both_ways(
    path: Path, form: str = "binance-forceorder"
) -> tuple[list[Liquidation], list[BadRow], int]:
    """:return: orders, bad rows, and how many of the orders came in columns"""
    markets, names, at_once = bundled(), MarketNames(), 0
    alone: list[Liquidation] = []
    bad: list[BadRow] = []
    for record in order_formats.read(path, form, bundled(), NOW_MS):
        if isinstance(record, BadRow):
            bad.append(record)
        else:
            alone += record
    together: list[Liquidation] = []
    for one in column_reading.read_at_once(path, form, markets, names, NOW_MS):
        if isinstance(one, OrderColumns):
            at_once += len(one)
            together += one.liquidations()
        elif not isinstance(one, BadRow):
            together += one
    assert together == alone
    return alone, bad, at_once


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("stated", "price"),
    [("0", 49.0), ("", 49.0), ("-5", 49.0), (" 7", 7.0), ("+7", 7.0), ("1_0", 10.0), ("nan", 49.0)],
)
def test_the_second_price_counts_only_where_the_first_states_none(
    tmp_path: Path, stated: str, price: float
) -> None:
    orders, _, at_once = read_both_ways(
        written(tmp_path / "x.csv", HEADER, row(T0), row(T0 + 1, ap=stated), row(T0 + 2))
    )
    assert [order.price for order in orders] == [50.0, price, 50.0]
    assert at_once == 3


@pytest.mark.parametrize(
    "time", ["0x18DF0B8D400", f"{T0}.0", "1.7092512e12", f"{T0 * 1000}", "", "-1"]
)
def test_a_time_that_only_another_reader_understands_is_refused(tmp_path: Path, time: str) -> None:
    orders, bad, _ = read_both_ways(written(tmp_path / "x.csv", HEADER, row(T0), row(time)))
    assert len(orders) == 1
    assert [(one.line, one.reason) for one in bad] == [(3, "bad_time: BTCUSDT")]


def test_a_stray_quote_or_carriage_return_spoils_its_own_row_alone(tmp_path: Path) -> None:
    spoilt = [row(T0 + 1).replace("SELL", '"SELL'), row(T0 + 2).replace("SELL", "SE\rLL")]
    path = written(tmp_path / "x.csv", HEADER, row(T0), *spoilt, row(T0 + 3))
    orders, bad, at_once = read_both_ways(path)
    assert [order.event_ms - T0 for order in orders] == [0, 3]
    assert ([one.line for one in bad], at_once) == ([3, 4], 2)


def test_a_column_that_changes_the_meaning_of_a_row_is_heeded(tmp_path: Path) -> None:
    lines = [f"{row(T0 + n)},{product}" for n, product in enumerate(["1", "2", "1", "3", ""])]
    path = written(tmp_path / "x.csv", f"{HEADER},st", *lines)
    orders, bad, at_once = read_both_ways(path)
    assert ([order.event_ms - T0 for order in orders], at_once) == ([0, 2], 2)
    assert [one.line for one in bad] == [3, 5, 6]


def test_rows_of_which_the_columns_say_otherwise_are_read_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Columns(words=("s", "S"), time="T", price=("p",), amount="z")
    reader = replace(order_formats.READERS["binance-forceorder"][1], at_once=wrong)
    monkeypatch.setitem(order_formats.READERS, "binance-forceorder", ("binance", reader))
    path = written(tmp_path / "x.csv", HEADER, row(T0), row(T0 + 1, ap="0"))
    orders, _, _ = read_both_ways(path)
    assert [order.price for order in orders] == [50.0, 49.0]


def test_nothing_of_a_damaged_file_is_seen_that_its_lines_do_not_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_blocks, "_BLOCK", 8_192)
    random = Random(1)
    lines = [row(T0 + n, z=f"{random.random():.9f}") for n in range(2_000)]
    packed = gzip.compress("\n".join([HEADER, *lines]).encode())
    path = tmp_path / "x.csv.gz"
    path.write_bytes(packed[: len(packed) // 2])
    seen, said = [], []
    for read in (order_formats.read, _at_once):
        orders: list[Liquidation] = []
        with pytest.raises(ImportRefused, match="is damaged or cut short") as refused:
            for record in read(path, "binance-forceorder", bundled(), NOW_MS):
                orders += record if isinstance(record, list) else record.liquidations()
        seen.append(orders)
        said.append(str(refused.value))
    assert 200 < len(seen[0]) < 2_000
    assert seen[0] == seen[1]
    assert said[0] == said[1]


def _at_once(path: Path, name: str, markets: Any, now_ms: int) -> Iterator[Any]:
    return column_reading.read_at_once(path, name, markets, MarketNames(), now_ms)


def test_of_a_long_file_a_block_is_in_memory_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    lines = "".join(row(T0 + n) + "\n" for n in range(50_000))
    path.write_text(f"{HEADER}\n" + lines * 8)  # 18 MB
    tracemalloc.start()
    try:
        for record in _at_once(path, "binance-forceorder", bundled(), NOW_MS):
            assert isinstance(record, OrderColumns)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 17 << 20
    assert peak < 14 << 20
