"""Recordings into the store: good rows are kept, bad ones counted, claims are honest."""

import csv
import json
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from liq_provider.core.coverage import Interval
from liq_provider.errors import ImportRefused
from liq_provider.history.importer import ImportReport, import_files
from liq_provider.store import schema
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer

T0 = 1_795_350_000_000
MINUTE = 60_000
HEADER = "s,S,q,p,ap,X,l,z,T"
RECORDED = Path(__file__).parents[2].parent / "shared" / "recorded"

recorded = pytest.mark.recorded
needs_recorded = pytest.mark.skipif(
    not RECORDED.is_dir(), reason=f"no recorded market data in {RECORDED}"
)


class Store:
    """A store and what was imported into it."""

    def __init__(self, directory: Path) -> None:
        url = f"sqlite:///{directory / 'store.sqlite'}"
        self.writer = Writer(open_engine(url))
        # Whoever makes one in passing need not close it.
        weakref.finalize(self, self.writer.close)
        self.reader = Reader(url)

    def load(self, *paths: Path, form: str = "binance-forceorder", **options: Any) -> ImportReport:
        return import_files(self.writer, self.reader, paths, form, **options)

    def total_usd(self) -> float:
        table = schema.minutes.c
        with self.writer.engine.connect() as connection:
            query = select(func.sum(table.long_usd + table.short_usd))
            return float(connection.execute(query).scalar() or 0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.writer.close()


def row(
    at_ms: int, symbol: str = "BTCUSDT", side: str = "SELL", z: str = "2", ap: str = "50"
) -> str:
    return f"{symbol},{side},{z},{ap},{ap},FILLED,{z},{z},{at_ms}"


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# -- real recordings


@recorded
@needs_recorded
def test_a_real_crash_comes_in_whole_and_once(store: Store) -> None:
    path = RECORDED / "binance_forceorder_2025-01-26_27.csv"
    report = store.load(path)
    assert (report.kept, report.duplicates, report.bad) == (1_837, 1_673, 0)
    with path.open(newline="") as file:
        unique = {tuple(r[k] for k in ("s", "S", "ap", "z", "T")): r for r in csv.DictReader(file)}
    expected_usd = sum(float(r["z"]) * float(r["ap"]) for r in unique.values())
    assert store.total_usd() == pytest.approx(expected_usd, abs=0.01)
    again = store.load(path)
    assert (again.kept, again.duplicates) == (0, 3_510)
    assert store.total_usd() == pytest.approx(expected_usd, abs=0.01)
    assert len(report.covered["binance"]) >= 2  # two days with a night in between


@recorded
@needs_recorded
@pytest.mark.parametrize(
    ("name", "form", "rows"),
    [
        ("binance_forceorder_2024-08-17_18.csv", "binance-forceorder", 456),
        ("binance_forceorder_sample.jsonl", "binance-forceorder", 13),
    ],
)
def test_other_recordings_are_read_without_a_bad_row(
    store: Store, name: str, form: str, rows: int
) -> None:
    report = store.load(RECORDED / name, form=form)
    assert report.bad == 0
    assert report.kept + report.duplicates == rows


@recorded
@needs_recorded
def test_okx_history_counts_contracts_and_names_what_it_does_not_know(store: Store) -> None:
    path = RECORDED / "okx_liquidations_2026-03-04_05.csv"
    sizes = {"BTC-USDT-SWAP": 0.01, "ETH-USDT-SWAP": 0.1, "SOL-USDT-SWAP": 1, "DOGE-USDT-SWAP": 1e3}
    with path.open(newline="") as file:
        unique = {tuple(sorted(r.items())): r for r in csv.DictReader(file)}.values()
    expected_usd = sum(
        float(r["sz"]) * float(r["bkPx"]) * sizes[r["instId"]]
        for r in unique
        if r["instId"] in sizes
    )
    report = store.load(path, form="okx-rest")
    assert store.total_usd() == pytest.approx(expected_usd, abs=0.01)
    assert report.bad > 0
    (reason,) = {bad.reason for bad in report.bad_rows}
    assert reason.startswith("unknown_market: HYPE-USDT-SWAP is in no market list of okx")


# -- rows


def test_good_rows_are_kept_and_bad_ones_named_by_line(store: Store, tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.csv",
        HEADER,
        row(T0),
        "BTCUSDT,SELL,1",  # truncated
        row(T0 + 1),
        'BTCUSDT,"SELL,1,50,50,FILLED,1,1,1795350000002',  # a stray quote
        row(T0 + 2, ap="-"),
        HEADER,  # two files stuck together
        row(T0 + 3, side="SIDEWAYS"),
        "",
        row(T0 + 4) + ",surplus",
        row(1_795_350_000),  # seconds
        row(T0 + 5, symbol="BTCUSD_PERP"),
        "\x00\x00\x00",
        row(T0 + 6),
        "BTCUSDT,SELL,2,50,50,FILL",  # the end of a file that is still being written
    )
    report = store.load(path)
    assert report.kept == 4
    assert [bad.line for bad in report.bad_rows] == [3, 5, 6, 7, 8, 11, 12, 13, 15]
    assert report.bad == 9
    assert store.total_usd() == 4 * 100.0


def test_only_the_first_bad_rows_are_kept_and_all_are_counted(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", HEADER, *["broken"] * 100, row(T0))
    report = store.load(path)
    assert (report.bad, len(report.bad_rows), report.kept) == (100, 20, 1)


def test_a_byte_order_mark_is_no_part_of_the_first_name(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{HEADER}\r\n{row(T0)}\r\n", encoding="utf-8-sig")
    assert store.load(path).kept == 1


def test_json_lines_may_be_wrapped_or_bare(store: Store, tmp_path: Path) -> None:
    order = dict(zip(HEADER.split(","), row(T0).split(","), strict=True))
    event = {"e": "forceOrder", "E": T0 + 5, "o": order | {"T": T0 + 1}}
    path = write(
        tmp_path / "x.jsonl", json.dumps(order), json.dumps(event), "{", "[1]", "7", '"text"'
    )
    report = store.load(path)
    assert report.kept == 2
    assert [bad.line for bad in report.bad_rows] == [3, 4, 5, 6]


def test_recorded_frames_keep_their_receive_times(store: Store, tmp_path: Path) -> None:
    sent = {"T": T0 + 59_000, "s": "BTCUSDT", "S": "Buy", "v": "2", "p": "50"}
    frame = json.dumps({"topic": "allLiquidation.BTCUSDT", "data": [sent, sent]})
    pong = json.dumps({"op": "pong"})
    lines = [
        {"venue": "bybit", "received_ms": T0 + 63_000, "frame": frame},
        {"venue": "bybit", "received_ms": T0 + 63_000, "frame": pong},
        {"venue": "nowhere", "received_ms": T0, "frame": frame},
        {"venue": ["bybit"], "received_ms": T0, "frame": frame},
        {"venue": "bybit", "received_ms": "then", "frame": frame},
        {"venue": "bybit", "received_ms": 10**30, "frame": frame},
        {"venue": "bybit", "received_ms": T0, "frame": 5},
        {"venue": "bybit", "received_ms": T0, "frame": "<html>"},
        [],
    ]
    path = write(tmp_path / "x.jsonl", *[json.dumps(line) for line in lines])
    report = store.load(path, form="frames")
    assert dict(report.booked) == {"arrival": 2}
    assert [bad.line for bad in report.bad_rows] == [3, 4, 5, 6, 7, 8, 9]


def test_rows_without_receive_times_stay_in_their_minute(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", HEADER, row(T0 + 59_999))
    assert store.load(path).booked == {"event": 1}


def test_rows_from_the_future_are_bad(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", HEADER, row(T0), row(T0 + 3_600_000))
    report = store.load(path, now_ms=T0 + MINUTE)
    assert (report.kept, report.bad) == (1, 1)
    assert "future" in report.bad_rows[0].reason
    assert report.covered == {"binance": [Interval(T0, T0 + 1)]}


# -- files


@pytest.mark.parametrize("content", ["", "a,b,c\n1,2,3\n", "\x00\x01\x02", '{"s": "BTCUSDT"}\n'])
def test_a_file_of_another_format_is_refused(store: Store, tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(content)
    with pytest.raises(ImportRefused, match=r"x\.csv: no column"):
        store.load(path)
    assert store.reader.count("liquidations") == 0


def test_files_that_cannot_be_read_are_refused(store: Store, tmp_path: Path) -> None:
    good = write(tmp_path / "good.csv", HEADER, row(T0))
    report = store.load(tmp_path / "missing.csv", good)
    assert report.kept == 1
    assert report.refused == [f"{tmp_path / 'missing.csv'}: no such file"]
    with pytest.raises(ImportRefused, match="no such file"):
        store.load(tmp_path)
    assert store.reader.count("liquidations") == 1  # what came before stays


def test_two_recorders_of_the_same_time_count_once(store: Store, tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", HEADER, row(T0), row(T0 + 1))
    second = write(tmp_path / "b.csv", HEADER, row(T0 + 1), row(T0 + 2))
    report = store.load(first, second)
    assert (report.files, report.kept, report.duplicates) == (2, 3, 1)


# -- coverage


def spans(report: ImportReport) -> list[tuple[float, float]]:
    return [
        ((span.start_ms - T0) / MINUTE, (span.end_ms - 1 - T0) / MINUTE)
        for span in report.covered["binance"]
    ]


def test_a_recording_covers_from_its_first_to_its_last_row(store: Store, tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.csv", HEADER, row(T0 + 9 * MINUTE), row(T0 + 30_000), row(T0 + 5 * MINUTE)
    )
    report = store.load(path)
    assert spans(report) == [(0.5, 9)]
    covered = store.reader.coverage(["binance"], T0, T0 + 60 * MINUTE)
    assert covered == report.covered


def test_a_longer_hole_is_unknown_from_row_to_row(store: Store, tmp_path: Path) -> None:
    at = (0.25, 1.5, 11.5, 22, 22.5)  # holes of 10 and 10.5 minutes
    path = write(tmp_path / "x.csv", HEADER, *[row(T0 + round(m * MINUTE)) for m in at])
    assert spans(store.load(path)) == [(0.25, 11.5), (22, 22.5)]
    assert spans(store.load(path, max_gap_ms=11 * MINUTE)) == [(0.25, 22.5)]
    assert spans(store.load(path, max_gap_ms=MINUTE)) == [
        (0.25, 0.25),
        (1.5, 1.5),
        (11.5, 11.5),
        (22, 22.5),
    ]


def test_a_hole_on_one_pair_is_none_if_another_one_speaks(store: Store, tmp_path: Path) -> None:
    lines = [row(T0), row(T0 + 8 * MINUTE, symbol="ETHUSDT"), row(T0 + 16 * MINUTE)]
    assert spans(store.load(write(tmp_path / "x.csv", HEADER, *lines))) == [(0, 16)]


def test_a_stated_coverage_replaces_the_guess(store: Store, tmp_path: Path) -> None:
    stated = Interval(T0 - 60 * MINUTE, T0 + 60 * MINUTE)
    report = store.load(write(tmp_path / "x.csv", HEADER, row(T0)), covered=stated)
    assert report.covered == {"binance": [stated]}


def okx_rows(*rows: tuple[int, str]) -> list[str]:
    return ["ts,instId,side,sz,bkPx", *(f"{ms},{coin}-USDT-SWAP,sell,1,50" for ms, coin in rows)]


def test_a_recording_of_single_markets_covers_their_coins(store: Store, tmp_path: Path) -> None:
    lines = okx_rows(
        (T0, "BTC"), (T0 + 6 * MINUTE, "ETH"), (T0 + 12 * MINUTE, "BTC"), (T0 + 14 * MINUTE, "BTC")
    )
    report = store.load(write(tmp_path / "x.csv", *lines), form="okx-rest")
    # A row of ETH does not bridge the hole of BTC.
    assert report.coins == {"okx": ["BTC", "ETH"]}
    assert report.covered["okx"] == [
        Interval(T0, T0 + 1),
        Interval(T0 + 6 * MINUTE, T0 + 6 * MINUTE + 1),
        Interval(T0 + 12 * MINUTE, T0 + 14 * MINUTE + 1),
    ]
    grids = store.reader.grids(["BTC", "ETH", "SOL"], ["okx"], T0, T0 + 20 * MINUTE)
    assert {base: int(grid.covered.sum()) for base, grid in grids.items()} == {
        "BTC": 2,
        "ETH": 0,
        "SOL": 0,
    }
    assert store.reader.coverage(["okx"], T0, T0 + 20 * MINUTE) == {"okx": []}


def test_a_stated_coverage_is_about_the_coins_that_were_kept(store: Store, tmp_path: Path) -> None:
    stated = Interval(T0, T0 + 20 * MINUTE)
    path = write(tmp_path / "x.csv", *okx_rows((T0, "BTC"), (T0, "NOBODYKNOWS")))
    report = store.load(path, form="okx-rest", covered=stated)
    assert (report.bad, report.covered, report.coins) == (1, {"okx": [stated]}, {"okx": ["BTC"]})
    grids = store.reader.grids(["BTC", "ETH"], ["okx"], T0, T0 + 20 * MINUTE)
    assert [grid.covered.all() for grid in grids.values()] == [True, False]
