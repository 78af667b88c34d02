"""Files of other recorders: each row is read as its venue would have sent it, or refused."""

import errno
import gzip
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from liq_provider.cli import main
from liq_provider.core.durations import MINUTE_MS
from liq_provider.errors import ImportRefused
from liq_provider.history.recognise import recognise
from liq_provider.store import schema
from tests.history.test_import import Store

DAY = 86_400_000
HOUR = 3_600_000
T0 = 1_709_251_200_000  # 2024-03-01 00:00 UTC
SNAPSHOT = (
    "time,side,order_type,time_in_force,original_quantity,price,average_price,order_status,"
    "last_fill_quantity,accumulated_fill_quantity"
)
TARDIS = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.writer.close()


def zipped(path: Path, *lines: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(path.with_suffix(".csv").name, "\n".join(lines) + "\n")
    return path


def snapshot_row(at_ms: int, side: str = "SELL", quantity: str = "2") -> str:
    return f"{at_ms},{side},LIMIT,IOC,{quantity},99,100,FILLED,1,{quantity}"


def tardis_row(
    at_ms: int, exchange: str, symbol: str, side: str = "sell", amount: str = "3"
) -> str:
    return f"{exchange},{symbol},{at_ms}000,{at_ms + 250}000,,{side},100,{amount}"


def orders(store: Store) -> list[tuple[object, ...]]:
    table = schema.liquidations.c
    query = select(
        table.venue,
        table.market_id,
        table.position_side,
        table.notional_usd,
        table.event_ms,
        table.received_ms,
    ).order_by(table.event_ms, table.venue)
    with store.writer.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_a_snapshot_file_is_named_after_its_symbol_and_covers_its_day(
    store: Store, tmp_path: Path
) -> None:
    rows = [snapshot_row(T0 + 5), snapshot_row(T0 + 9_000, "BUY", "1")]
    path = zipped(tmp_path / "BTCUSDT-liquidationSnapshot-2024-03-01.zip", SNAPSHOT, *rows, *rows)
    assert recognise(path) == "liquidation-snapshot"
    report = store.load(path, form="liquidation-snapshot")
    assert (report.kept, report.duplicates, report.bad) == (2, 2, 0)
    assert orders(store) == [
        ("binance", "BTCUSDT", "long", 200.0, T0 + 5, T0 + 1_105),
        ("binance", "BTCUSDT", "short", 100.0, T0 + 9_000, T0 + 10_100),
    ]
    grids = store.reader.grids(["BTC", "ETH"], ["binance"], T0 - MINUTE_MS, T0 + DAY + MINUTE_MS)
    assert grids["BTC"].covered.sum() == DAY // MINUTE_MS
    assert not grids["ETH"].covered.any(), "of other coins nothing is known"


def test_a_day_without_rows_is_a_known_day(store: Store, tmp_path: Path) -> None:
    path = zipped(tmp_path / "ETHUSDT-liquidationSnapshot-2024-03-01.zip", SNAPSHOT)
    assert store.load(path, form="liquidation-snapshot").kept == 0
    grid = store.reader.grids(["ETH"], ["binance"], T0, T0 + DAY)["ETH"]
    assert grid.covered.all()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("liquidations.zip", "must be like BTCUSDT-liquidationSnapshot-2024-03-01.zip"),
        ("BTCUSDT-liquidationSnapshot-2024-13-01.zip", "2024-13-01 is no day"),
        ("BTCUSD_PERP-liquidationSnapshot-2024-03-01.zip", "is a COIN-M contract"),
        ("NOTHING-liquidationSnapshot-2024-03-01.zip", "is in no market list of binance"),
    ],
)
def test_a_name_that_says_too_little_is_refused(
    store: Store, tmp_path: Path, name: str, reason: str
) -> None:
    path = zipped(tmp_path / name, SNAPSHOT, snapshot_row(T0))
    with pytest.raises(ImportRefused, match=reason):
        store.load(path, form="liquidation-snapshot")
    assert store.reader.count("liquidations") == store.reader.count("coverage") == 0


def test_tardis_rows_are_read_by_each_venues_own_parser(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "mixed.csv.gz"
    lines = [
        TARDIS,
        tardis_row(T0 + 1, "binance-futures", "BTCUSDT"),
        tardis_row(T0 + 2, "bybit", "BTCUSDT", "buy"),
        tardis_row(T0 + 3, "okex-swap", "BTC-USDT-SWAP"),
        tardis_row(T0 + 4, "deribit", "BTC-PERPETUAL"),
        tardis_row(T0 + 5, "bybit", "BTCUSDT", "both"),
        tardis_row(T0 + 6, "bybit", "BTCUSDT", amount="-1"),
        f"bybit,BTCUSDT,{T0}000,,,sell,1,1",
    ]
    path.write_bytes(gzip.compress("\r\n".join(lines).encode()))
    assert recognise(path) == "tardis"
    report = store.load(path, form="tardis")
    assert orders(store) == [
        ("binance", "BTCUSDT", "long", 300.0, T0 + 1, T0 + 251),
        ("bybit", "BTCUSDT", "short", 300.0, T0 + 2, T0 + 252),
        ("okx", "BTC-USDT-SWAP", "long", 3.0, T0 + 3, T0 + 253),  # contracts of 0.01
    ]
    assert [(row.line, row.reason) for row in report.bad_rows] == [
        (5, "deribit is no venue of LiqTrend"),
        (6, "side 'both' is neither buy nor sell"),
        (7, "bad_quantity: BTCUSDT"),
        (8, "local_timestamp is missing or unreadable"),
    ]


@pytest.mark.parametrize(("market", "others"), [("BTCUSDT", False), ("PERPETUALS", True)])
def test_the_name_of_a_tardis_file_says_what_it_covers(
    store: Store, tmp_path: Path, market: str, others: bool
) -> None:
    path = tmp_path / f"binance-futures_liquidations_2024-03-01_{market}.csv.gz"
    row = tardis_row(T0 + 1, "binance-futures", "BTCUSDT")
    path.write_bytes(gzip.compress(f"{TARDIS}\n{row}\n".encode()))
    store.load(path, form="tardis")
    grids = store.reader.grids(["BTC", "ETH"], ["binance"], T0, T0 + DAY)
    assert grids["BTC"].covered.all()
    assert grids["ETH"].covered.all() == others


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("bybit_liquidations_2024-03-01_BTCUSDT", tardis_row(T0, "bybit", "ETHUSDT")),
        ("bybit_liquidations_2024-03-01_BTCUSDT", tardis_row(T0 + DAY + HOUR, "bybit", "BTCUSDT")),
        ("bybit_liquidations_2024-03-01_PERPETUALS", tardis_row(T0 - HOUR, "bybit", "BTCUSDT")),
        ("bybit_liquidations_2024-03-01_BTCUSDT", tardis_row(T0, "binance-futures", "BTCUSDT")),
        ("BTCUSDT-liquidationSnapshot-2024-03-02", snapshot_row(T0)),
    ],
)
def test_a_day_file_under_another_name_claims_nothing(
    store: Store, tmp_path: Path, name: str, row: str
) -> None:
    path = tmp_path / f"{name}.csv"
    path.write_text(f"{TARDIS if 'bybit' in name else SNAPSHOT}\n{row}\n")
    with pytest.raises(ImportRefused, match="is not what the file's name says"):
        store.load(path, form=None)
    assert store.reader.count("coverage") == 0


def test_a_tardis_file_whose_name_says_nothing_is_about_the_coins_in_it(
    store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    rows = [tardis_row(T0 + n * MINUTE_MS, "bybit", "BTCUSDT") for n in range(4)]
    path.write_text("\n".join([TARDIS, *rows]))
    assert store.load(path, form=None).coins == {"bybit": ["BTC"]}


def test_a_tardis_file_of_another_exchange_is_refused(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "deribit_liquidations_2024-03-01_PERPETUALS.csv.gz"
    path.write_bytes(gzip.compress(f"{TARDIS}\n".encode()))
    with pytest.raises(ImportRefused, match="deribit is no venue of LiqTrend"):
        store.load(path, form="tardis")


@pytest.mark.parametrize("cut", [30, 200])
def test_a_truncated_archive_is_refused_with_the_line_and_claims_nothing(
    store: Store, tmp_path: Path, cut: int
) -> None:
    rows = "\n".join(tardis_row(T0 + n, "bybit", "BTCUSDT") for n in range(3_000))
    whole = gzip.compress(f"{TARDIS}\n{rows}\n".encode())
    path = tmp_path / "bybit_liquidations_2024-03-01_BTCUSDT.csv.gz"
    path.write_bytes(whole[: len(whole) - cut])
    with pytest.raises(ImportRefused, match=r"csv\.gz:\d+: is damaged or cut short"):
        store.load(path, form="tardis")
    assert store.reader.count("coverage") == 0
    assert store.reader.count("imports") == 0
    # Downloaded again, it is whole.
    path.write_bytes(whole)
    report = store.load(path, form="tardis")
    assert report.kept + report.duplicates == 3_000


HEADER = "s,S,q,p,ap,X,l,z,T"
GOOD = f"BTCUSDT,SELL,2,50,50,FILLED,2,2,{T0}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "looks like none of the formats"),
        (b"\x00\xff\x1f" * 1000, "looks like none of the formats"),
        (b"a,b\n1,2\n", "looks like none of the formats"),
        (b'{"what": 1}\n', "looks like none of the formats"),
        (b"date,open,high,low,close,volume\n1,2,3,4,5,6\n", "`liq-provider candles` reads those"),
        (f"{HEADER},s\n{GOOD},x\n".encode(), "two columns s"),
        (f"{HEADER}\nx,y\nBTCUSDT,UP,1,1,1,F,1,1,{T0}\n".encode(), "no row of it is a liquidation"),
        (f"{HEADER}\n".encode() + b"x" * (1 << 21), r":2: is longer than any row"),
    ],
)
def test_what_is_no_recording_is_refused_as_a_whole(
    store: Store, tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(ImportRefused, match=reason):
        store.load(path, form=None)
    assert store.reader.count("coverage") == 0


@pytest.mark.parametrize("form", ["okx-rest", "tardis", "frames", "binance-forceorder"])
def test_a_file_under_another_formats_name_is_refused(
    store: Store, tmp_path: Path, form: str
) -> None:
    path = zipped(
        tmp_path / "BTCUSDT-liquidationSnapshot-2024-03-01.zip", SNAPSHOT, snapshot_row(T0)
    )
    with pytest.raises(ImportRefused):
        store.load(path, form=form)
    assert store.reader.count("liquidations") == 0


def test_order_marks_and_joined_files_do_not_matter(store: Store, tmp_path: Path) -> None:
    later = GOOD.replace(str(T0), str(T0 + 90_000))
    lines = ["\ufeff" + HEADER, later, HEADER, GOOD, ""]
    path = tmp_path / "a.csv"
    path.write_bytes("\r\n".join(lines).encode())
    report = store.load(path, form=None)
    assert report.kept == 2
    assert [str(row) for row in report.bad_rows] == [
        f"{path}:3: the header once more; were two files joined?"
    ]
    (span,) = report.covered["binance"]
    assert (span.start_ms, span.end_ms) == (T0, T0 + 90_001)


def test_frames_may_be_compressed(store: Store, tmp_path: Path) -> None:
    frame = {
        "e": "forceOrder",
        "E": T0,
        "o": dict(zip(HEADER.split(","), GOOD.split(","), strict=True)),
    }
    line = {"venue": "binance", "received_ms": T0 + 700, "frame": json.dumps(frame)}
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(line).encode()))
    assert store.load(path, form=None).kept == 1
    assert orders(store)[0][-1] == T0 + 700


def test_folders_and_patterns_are_read_once_and_not_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for day in (1, 2):
        path = tmp_path / "data" / f"BTCUSDT-liquidationSnapshot-2024-03-0{day}.zip"
        path.parent.mkdir(exist_ok=True)
        zipped(path, SNAPSHOT, snapshot_row(T0 + (day - 1) * DAY + 7))
    (tmp_path / "data" / ".hidden").write_text("x")
    # Published beside each file, to check its download.
    (tmp_path / "data" / f"{path.name}.CHECKSUM").write_text("5f3a  it\n")
    assert main(["import", "data", "data/*.zip"]) == 0
    assert "2 liquidations kept, 0 duplicates, 0 bad rows in 2 file(s)" in capsys.readouterr().out
    (tmp_path / "data" / "notes.txt").write_text("not a recording")
    assert main(["import", "data"]) == 1
    said = capsys.readouterr().out
    assert "0 liquidations kept, 2 duplicates, 0 bad rows in 2 file(s)" in said
    assert "2 of the files were read before" in said
    assert "refused: data/notes.txt: looks like none of the formats" in said
    assert main(["import", "data/*.csv"]) == 2
    assert "data/*.csv: matches nothing" in capsys.readouterr().err


def test_a_pipe_is_refused_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("rows")
    assert main(["import", "rows"]) == 2
    assert "rows: is no file; what a pipe says must be saved as one" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_does_not_stop_the_others(store: Store, tmp_path: Path) -> None:
    good, bad = tmp_path / "a.csv", tmp_path / "b.csv"
    good.write_text(f"{HEADER}\n{GOOD}\n")
    bad.write_text(f"{HEADER}\n{GOOD}\n")
    opened = Path.open

    def fails(path: Path, *args: Any, **more: Any) -> Any:
        if path == bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return opened(path, *args, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", fails)
        report = store.load(bad, good)
    assert report.kept == 1
    assert report.refused == [f"{bad}: Input/output error"]


@pytest.mark.parametrize("ending", [".CSV", ".csv.zst", ".csv.xz"])
def test_a_day_file_may_be_packed_in_any_way(store: Store, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"bybit_liquidations_2024-03-01_BTCUSDT{ending}"
    path.write_text(f"{TARDIS}\nbybit,BTCUSDT,{T0}000,{T0}900,,sell,50,1\n")
    (span,) = store.load(path, form=None).covered["bybit"]
    assert span.end_ms - span.start_ms == DAY


def test_an_interrupted_import_goes_on_where_it_was(tmp_path: Path) -> None:
    """Two files of one recording, the second of which could not be read at first."""
    rows = [GOOD.replace(str(T0), str(T0 + n * 60_000)) for n in range(12)]
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("\n".join([HEADER, *rows[:6]]))
    second.write_text("\n".join([HEADER, *rows[6:]]))
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole, parts = Store(tmp_path / "whole"), Store(tmp_path / "parts")
    whole.load(first, second)
    parts.load(first)
    again = parts.load(first, second)
    assert (again.skipped, again.kept, again.duplicates) == (1, 6, 6)
    for name in ("liquidations", "minutes"):
        assert whole.reader.count(name) == parts.reader.count(name)
    span = (T0 - MINUTE_MS, T0 + 20 * MINUTE_MS)
    one = whole.reader.grids(["BTC"], ["binance"], *span)["BTC"]
    other = parts.reader.grids(["BTC"], ["binance"], *span)["BTC"]
    assert one.covered.tolist() == other.covered.tolist()
    assert one.covered.sum() == 11
    whole.writer.close()
    parts.writer.close()


def test_of_many_files_that_are_none_the_first_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for number in range(25):
        (tmp_path / "data" / f"{number:02}.txt").write_text("nothing")
    assert main(["import", "data"]) == 2
    said = capsys.readouterr().err
    assert "data/09.txt" in said and "data/10.txt" not in said
    assert "... and 15 more" in said
