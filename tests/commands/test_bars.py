"""Commands that are made of a vendor's bars, in a store that holds nothing else."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liq_provider.cli import main

PAIR = "BTC/USDT:USDT"
HOUR_MS = 3_600_000
T0 = 1_767_225_600_000  # 2026-01-01 00:00 UTC
HOURS = 24 * 12
LAST = "2026-01-13 00:00:00"


@pytest.fixture
def bars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Path:
    """Twelve days, and a wave of longs in the last hour."""
    monkeypatch.chdir(tmp_path)
    section = {
        "backtest_source": "coinglass",
        "segment_min": 60,
        "baseline_hours": 168,
        "min_baseline_segments": 72,
    }
    Path("config.json").write_text(json.dumps({"timeframe": "1h", "liq_provider": section}))
    rng = np.random.default_rng(1)
    rows = ["timestamp,longUsd,shortUsd"]
    for hour in range(HOURS):
        longs = 5e7 if hour == HOURS - 1 else rng.lognormal(12, 1)
        rows.append(f"{T0 + hour * HOUR_MS},{longs:.2f},{rng.lognormal(11, 1):.2f}")
    Path("bars.csv").write_text("\n".join(rows))
    assert main(["import", "bars.csv", "--format", "coinglass", "--pair", PAIR]) == 0
    capsys.readouterr()
    return tmp_path


def gates(said: str) -> dict[str, dict[str, Any]]:
    return {gate["name"]: gate for gate in json.loads(said)["gates"]}


@pytest.mark.parametrize("at", [["--at", "2026-01-13T00:00"], []])
def test_explain_is_made_of_the_bars(
    bars: Path, capsys: pytest.CaptureFixture[str], at: list[str]
) -> None:
    assert main(["explain", "--pair", PAIR, "--json", *at]) == 0
    said = capsys.readouterr().out
    assert json.loads(said)["close"] == LAST, "the newest bar's if none is named"
    told = gates(said)
    assert told["coverage"]["measured"] == "covered by coinglass"
    assert told["size"]["measured"].startswith("$50,")
    assert told["z"]["passed"] is True
    assert told["wave"]["passed"] is True
    assert told["count"]["passed"] is None, "bars have no number of orders"


def test_features_are_made_of_the_bars(bars: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["features", "--pair", PAIR]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 25, "the last day, both ends"
    assert rows[-1]["close"] == LAST
    assert (rows[-1]["venues"], rows[-1]["long_usd"]) == ("coinglass", "50000000.0")
    assert rows[-1]["strength"] == "strong"
    assert rows[-1]["count"] == "", "unknown, not zero"


@pytest.mark.parametrize("command", ["explain", "features", "plot"])
def test_a_pair_without_bars_is_told(
    bars: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([command, "--pair", "ETH/USDT:USDT"]) == 2
    said = capsys.readouterr().err
    assert "ETH/USDT:USDT: the store holds no bars of it from coinglass" in said
