"""Vendors' bars are stored as what they are; what cannot be one is named with its line."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from liq_provider.cli import main
from liq_provider.errors import ImportRefused
from liq_provider.history.bar_formats import BarFile, read_bars
from liq_provider.history.recognise import recognise
from liq_provider.measure.features import compute_features
from liq_provider.measure.minute_grid import FeatureParams
from liq_provider.store.reader import Reader

HOUR = 3_600_000
T0 = 1_767_225_600_000  # 2026-01-01 00:00 UTC
PAIR = "BTC/USDT:USDT"


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def glass(*hours: int, **changes: Any) -> dict[str, Any]:
    rows = [
        {
            "time": T0 + hour * HOUR,
            "aggregated_long_liquidation_usd": f"{hour + 1}000.5",
            "aggregated_short_liquidation_usd": 10 * hour,
        }
        for hour in hours
    ]
    rows[-1].update(changes)
    return {"code": "0", "data": rows}


def read(path: Path, source: str = "coinglass", pair: str | None = PAIR, **more: Any) -> BarFile:
    options = {"bar_min": None, "settle_ms": 2_000, "now_ms": 0} | more
    return read_bars(path, source, pair, **options)


def test_aggregated_bars_are_one_market_with_their_own_length(tmp_path: Path) -> None:
    file = read(write(tmp_path / "a.json", glass(0, 1, 2, 5)))
    rows = file.bars["BTC", 60]
    assert [row["start_ms"] for row in rows] == [T0 + h * HOUR for h in (0, 1, 2, 5)]
    assert (rows[1]["long_usd"], rows[1]["short_usd"], rows[1]["market"]) == (2000.5, 10.0, "")
    assert rows[1]["available_at"] == T0 + 2 * HOUR + 2_000
    assert not file.bad


def test_coinalyze_names_its_markets_and_writes_seconds(tmp_path: Path) -> None:
    history = [{"t": T0 // 1000 + 300 * n, "l": 5.5, "s": n} for n in range(3)]
    answer = [
        {"symbol": "BTCUSDT_PERP.A", "history": history},
        {"symbol": "1000PEPEUSDC_PERP.6", "history": history},
        {"symbol": "BTCUSD_PERP.4", "history": history},
        {"symbol": "what", "history": history},
    ]
    file = read(write(tmp_path / "a.json", answer), "coinalyze", None)
    assert {key: len(rows) for key, rows in file.bars.items()} == {("BTC", 5): 6, ("PEPE", 5): 3}
    assert {row["pair"] for row in file.bars["BTC", 5]} == {PAIR, "BTC/USD:BTC"}
    assert file.bars["PEPE", 5][0]["pair"] == "1000PEPE/USDC:USDC"
    assert [str(row) for row in file.bad] == [
        f"{tmp_path / 'a.json'}:10: 'what' is no market such as BTCUSDT_PERP.A"
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"time": "yesterday"}, "its time"),
        ({"time": None}, "its time"),
        ({"aggregated_long_liquidation_usd": "-1"}, "its long liquidations"),
        ({"aggregated_long_liquidation_usd": "NaN"}, "its long liquidations"),
        ({"aggregated_short_liquidation_usd": "inf"}, "its short liquidations"),
        ({"aggregated_short_liquidation_usd": True}, "its short liquidations"),
        ({"aggregated_short_liquidation_usd": None}, "its short liquidations"),
        ({"time": T0 + 3 * HOUR + 60_000}, "does not begin at a whole bar of 60 min"),
        ({"time": T0 + HOUR}, "repeats line 2 with other sums"),
    ],
)
def test_a_bad_bar_is_named_and_the_good_ones_kept(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    file = read(write(tmp_path / "a.json", glass(0, 1, 2, 3, **changes)))
    assert len(file.bars["BTC", 60]) == 3
    (bad,) = file.bad
    assert bad.line == 4
    assert bad.reason.startswith(reason)


def test_a_bar_that_is_not_finished_is_not_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", glass(0, 1, 2))
    file = read(path, now_ms=T0 + 3 * HOUR - 1)
    assert len(file.bars["BTC", 60]) == 2
    assert "not finished" in file.bad[0].reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is no JSON"),
        ('{"code": "0", "data": [{', "is no JSON"),
        ({"code": "401", "msg": "Upgrade plan"}, "holds no list of bars, but 'Upgrade plan'"),
        ({"data": []}, "no row of it is a bar"),
        ({"data": [1, 2]}, r"no row of it is a bar; .*:1: is no bar"),
        (glass(0), "one bar alone does not tell its length; say --bar"),
    ],
)
def test_a_file_without_bars_is_refused(tmp_path: Path, content: Any, reason: str) -> None:
    with pytest.raises(ImportRefused, match=reason):
        read(write(tmp_path / "a.json", content))


def test_a_file_that_names_no_coin_asks_for_one(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="say --pair"):
        read(write(tmp_path / "a.json", glass(0, 1)), pair=None)


def test_the_command_imports_once_and_restates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["import", "a.csv", "--format", "coinglass", "--pair", PAIR]
    lines = ["timestamp,longUsd,shortUsd", *(f"{T0 + h * HOUR},1{h}.5,2" for h in range(4))]
    write(tmp_path / "a.csv", "\n".join(lines))
    assert main(command) == 0
    assert "BTC: 4 bars of 60 min kept, 0 duplicates, 0 restated" in capsys.readouterr().out
    lines[4] = f"{T0 + 3 * HOUR},99,2"
    write(tmp_path / "a.csv", "\n".join([*lines, "x,1,2"]))
    assert main(command) == 1
    said = capsys.readouterr().out
    assert "BTC: 0 bars of 60 min kept, 3 duplicates, 1 restated" in said
    assert "a.csv:6: its time" in said
    reader = Reader(f"sqlite:///{tmp_path}/user_data/liq_provider.sqlite")
    assert reader.bar_lengths("BTC", "coinglass") == [60]
    assert reader.bar_span("coinglass") == (T0, T0 + 4 * HOUR)
    grid = reader.bar_grid("BTC", "coinglass", 60, T0, T0 + 5 * HOUR)
    assert grid.long_usd.tolist() == [[10.5, 11.5, 12.5, 99, 0]]
    assert grid.covered.tolist() == [[True, True, True, True, False]]
    assert reader.active(0, 2**62) == {}, "bars are never spread over minutes"


def test_nine_markets_of_a_vendor_are_added_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    history = [{"t": (T0 + hour * HOUR) // 1000, "l": 10, "s": hour} for hour in range(6)]
    answer = [{"symbol": f"BTCUSDT_PERP.{name}", "history": history} for name in "ABCDEFGHI"]
    write(tmp_path / "a.json", answer)
    assert main(["import", "a.json", "--format", "coinalyze"]) == 0
    reader = Reader(f"sqlite:///{tmp_path}/user_data/liq_provider.sqlite")
    grid = reader.bar_grid("BTC", "coinalyze", 60, T0, T0 + 6 * HOUR)
    features = compute_features(grid, FeatureParams(60, 3, 2, 0))
    assert len(features.venues_at(5)) == 9
    assert (features.long_usd[5], features.short_usd[5]) == (90.0, 45.0)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_bars_may_be_compressed_and_are_refused_when_they_are_cut_short(
    tmp_path: Path, kind: str
) -> None:
    rows = [f"{T0 + hour * HOUR},{hour}.5,{hour * 7}" for hour in range(400)]
    text = "\r\n".join(["\ufefftimestamp,longUsd,shortUsd", *rows])
    if kind == "json":
        text = json.dumps(glass(*range(400)))
    whole = gzip.compress(text.encode())
    path = tmp_path / f"a.{kind}.gz"
    path.write_bytes(whole)
    assert recognise(path) == "coinglass"
    assert len(read(path).bars["BTC", 60]) == 400
    path.write_bytes(whole[:-20])
    with pytest.raises(ImportRefused, match="is damaged or cut short"):
        read(path)


def test_a_stray_quote_or_a_second_header_swallows_no_bar(tmp_path: Path) -> None:
    rows = [f"{T0 + hour * HOUR},1,2" for hour in range(5)]
    head = "timestamp,longUsd,shortUsd"
    lines = [head, rows[0], '"' + rows[1], head, rows[2], f"{T0 + 9 * HOUR},5", *rows[3:]]
    file = read(write(tmp_path / "a.csv", "\n".join(lines)))
    starts = [(row["start_ms"] - T0) // HOUR for row in file.bars["BTC", 60]]
    assert starts == [0, 2, 3, 4]
    assert [row.line for row in file.bad] == [3, 4, 6]
