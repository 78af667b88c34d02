"""A CSV of candles becomes Freqtrade's own file, or is refused with its line."""

from pathlib import Path

import pandas as pd
import pytest
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType

from liq_provider.cli import main
from liq_provider.errors import ImportRefused
from liq_provider.history.candle_files import read_candles

HOUR_MS = 3_600_000
PAIR = "BTC/USDT:USDT"
HEADER = "date,open,high,low,close,volume"
GOOD = [
    f"{HOUR_MS},100,102,99,101,5",
    f"{2 * HOUR_MS},101,103,100,102,6",
    f"{3 * HOUR_MS},102,104,101,103,7",
]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def test_freqtrade_reads_what_the_command_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.csv", [GOOD[2], GOOD[0]])
    assert main(["candles", "a.csv", "--pair", PAIR, "--timeframe", "1h"]) == 0
    assert "2 candles" in (said := capsys.readouterr().out)
    assert "1 missing between them" in said
    # What was there stays, what is new is added, what differs is overwritten.
    write(tmp_path / "b.csv", [GOOD[1], f"{3 * HOUR_MS},102,105,101,104,7"])
    assert main(["candles", "b.csv", "--pair", PAIR, "--timeframe", "1h"]) == 0
    handler = get_datahandler(tmp_path / "user_data/data/binance", "feather")
    loaded = handler.ohlcv_load(PAIR, "1h", CandleType.FUTURES)
    assert list(loaded["date"]) == [
        pd.Timestamp(n * HOUR_MS, unit="ms", tz="UTC") for n in (1, 2, 3)
    ]
    assert list(loaded["close"]) == [101, 102, 104]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"{2 * HOUR_MS},101,103,100,x,6", "3: is not all numbers"),
        (f"{2 * HOUR_MS},101,103,100,inf,6", "3: is not all numbers"),
        (f"{2 * HOUR_MS},101,103,100,,6", "3: is not all numbers"),
        (f"{2 * HOUR_MS + 1},101,103,100,102,6", "3: does not open at a whole timeframe"),
        (GOOD[0], "3: repeats a candle"),
        (f"{2 * HOUR_MS},0,103,0,102,6", "3: has no possible price"),
        (f"{2 * HOUR_MS},101,101.5,100,102,6", "3: has a price outside of its low and high"),
    ],
)
def test_a_wrong_candle_is_named_by_its_line(tmp_path: Path, line: str, reason: str) -> None:
    path = write(tmp_path / "a.csv", [GOOD[0], line, GOOD[2]])
    with pytest.raises(ImportRefused, match=reason):
        read_candles(path, HOUR_MS)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", HEADER.encode() + b"\n", b"\x00\xff\xfe"])
def test_what_is_no_file_of_candles_is_refused_as_a_whole(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(ImportRefused, match=r"a\.csv"):
        read_candles(path, HOUR_MS)


@pytest.mark.parametrize("pair", ["BTC/USDT", "btc/usdt:usdt", "../BTC/USDT:USDT", ":/"])
def test_what_is_no_pair_is_refused_as_by_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], pair: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.csv", GOOD)
    assert main(["candles", "a.csv", "--pair", pair, "--timeframe", "1h"]) == 2
    said = f"--pair {pair!r}: write it as Freqtrade does, such as BTC/USDT:USDT"
    assert said in capsys.readouterr().err


def test_a_timeframe_that_is_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.csv", GOOD)
    assert main(["candles", "a.csv", "--pair", PAIR, "--timeframe", "7x"]) == 2
    assert "'7x'" in capsys.readouterr().err
