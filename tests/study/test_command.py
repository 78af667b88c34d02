"""``liq-provider study`` as a user runs it: report, hold-out, missing candles."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from liq_provider.cli import main
from tests.study.planted import START_MS
from tests.study.test_hyperopt_planted import BTC, write

SOL = "SOL/USDT:USDT"

RECORDED = Path(__file__).parents[2].parent / "shared" / "recorded"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("planted")
    write(base, 3, 0.008)
    config = {
        "timeframe": "5m",
        "exchange": {"name": "binance", "pair_whitelist": [BTC, "ETH/USDT:USDT"]},
        "liq_provider": {
            "store": "sqlite:///store.sqlite",
            "venues": {"bybit": {"enabled": False}, "okx": {"enabled": False}},
        },
    }
    (base / "config.json").write_text(json.dumps(config))
    return base


def report_of(base: Path) -> dict:
    return json.loads(max((base / "user_data" / "study").glob("*.json")).read_text())


def test_the_hold_out_is_opened_once_and_that_is_remembered(
    planted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(planted)
    assert main(["study"]) == 0
    said = capsys.readouterr().out
    assert "2026-01-09 00:00 to 2026-01-13 00:00 UTC was not looked at by a study" in said
    report = report_of(planted)
    assert report["holdout"] is None
    assert report["study"]["to_ms"] <= 1_767_916_800_000, "2026-01-09"
    assert main(["study", "--open-holdout"]) == 0
    said = capsys.readouterr().out
    assert "opened now, for the first time" in said
    assert "Hold-out: 2026-01-09 00:00 to" in said
    assert main(["study"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"was first looked at on .* and is no longer a hold-out", said)


def test_the_page_needs_nothing_else_and_escapes_what_it_shows(
    planted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(planted)
    assert main(["study", "--out", "out", "--fee", "0.001"]) == 0
    (page,) = Path("out").glob("*.html")
    text = page.read_text()
    assert not re.search(r'<(script|link|img|iframe)[^>]+(src|href)=["\']?http', text)
    assert "0.240% of costs" in text
    assert "<h1>" in text.partition("<p>")[0], "the answer comes first"
    assert "NaN" not in next(Path("out").glob("*.json")).read_text()


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDED.is_dir(), reason=f"no recorded market data in {RECORDED}")
@pytest.mark.parametrize(
    "name", ["okx_liquidations_2026-03-04_05.csv", "binance_forceorder_2025-01-26_27.csv"]
)
def test_a_short_recording_without_candles_is_not_enough_data(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["import", str(RECORDED / name)]) in (0, 1)
    assert main(["features", "--pair", BTC]) == 0
    assert main(["explain", "--pair", BTC]) in (0, 1)
    capsys.readouterr()
    assert main(["study", "--pair", BTC, "--pair", "ETH/USDT:USDT"]) == 0
    said = capsys.readouterr().out
    assert "NOT ENOUGH DATA to answer" in said
    assert "returns are unknown" in said
    assert "QUALIFIED." not in said


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDED.is_dir(), reason=f"no recorded market data in {RECORDED}")
def test_a_hundred_days_of_hourly_bars_are_not_enough_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    bars, candles = (
        str(RECORDED / name)
        for name in ("coinglass_btc_liquidation_1h.csv", "binance_btcusdt_candles_1h.csv")
    )
    section = {"backtest_source": "coinglass", "segment_min": 60, "baseline_hours": 168}
    Path("config.json").write_text(json.dumps({"timeframe": "1h", "liq_provider": section}))
    assert main(["import", bars, "--format", "coinglass", "--pair", BTC]) == 0
    assert main(["study", "--pair", BTC, "--candles", candles]) == 0
    said = capsys.readouterr().out
    assert "NOT ENOUGH DATA" in said
    assert "returns are unknown" not in said
    report = report_of(tmp_path)
    assert report["study"]["horizon_min"] == 60
    assert report["study"]["events"] > 20
    assert pd.notna(report["study"]["hypotheses"][0]["mean"]["mean"])


DAY_MS = 86_400_000


@pytest.fixture
def bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hourly bars of BTC on 40 days and of SOL on 120; candles of BTC on its 40."""
    monkeypatch.chdir(tmp_path)
    section = {"backtest_source": "coinglass", "segment_min": 60, "baseline_hours": 168}
    whitelist = [BTC, "ETH/USDT:USDT", SOL, "XRP/USDT:USDT"]
    config = {"timeframe": "1h", "exchange": {"pair_whitelist": whitelist}}
    Path("config.json").write_text(json.dumps(config | {"liq_provider": section}))
    rng = np.random.default_rng(1)
    for pair, days in ((BTC, 40), (SOL, 120)):
        rows = ["timestamp,longUsd,shortUsd"]
        for hour in range(24 * days):
            wave = 5e7 if hour % 40 == 39 else 0.0
            usd = wave + rng.lognormal(12, 1), rng.lognormal(11, 1)
            rows.append(f"{START_MS + hour * DAY_MS // 24},{usd[0]:.2f},{usd[1]:.2f}")
        Path("bars.csv").write_text("\n".join(rows))
        assert main(["import", "bars.csv", "--format", "coinglass", "--pair", pair]) == 0
    rows = ["date,open,high,low,close,volume"]
    rows += [f"{START_MS + hour * DAY_MS // 24},100,101,99,100,1" for hour in range(24 * 40)]
    Path("candles.csv").write_text("\n".join(rows))
    return tmp_path


def test_pairs_of_which_nothing_is_known_are_named_and_left_out(
    bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study"]) == 0
    said = capsys.readouterr().out
    assert "nothing is known of them: ETH/USDT:USDT, XRP/USDT:USDT." in said
    assert "2 pair(s)" in said
    report = report_of(bars)
    assert report["unknown"] == ["ETH/USDT:USDT", "XRP/USDT:USDT"]
    assert [pair["pair"] for pair in report["study"]["pairs"]] == [BTC, SOL]
    assert report["study"]["known_days"] == pytest.approx(84, abs=0.1), "days of SOL's 120"


def test_what_another_study_looked_at_is_no_hold_out(
    bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """That of several pairs ended later, and so looked at what is the last part of one alone."""
    alone = ["study", "--pair", BTC, "--candles", "candles.csv"]
    assert main(alone) == 0
    assert "2026-01-29 00:00 to 2026-02-10 00:00 UTC was not looked at" in capsys.readouterr().out
    assert main(alone) == 0
    assert "2026-02-10 00:00 UTC was not looked at" in capsys.readouterr().out, "the rest was"
    assert main(["study"]) == 0
    assert "was not looked at" in capsys.readouterr().out
    assert main(alone) == 0
    said = capsys.readouterr().out
    assert "was not looked at" not in said
    assert re.search(
        r"was first looked at on .* \(of it 2026-01-29 00:00 to 2026-02-10 00:00\) and is no "
        "longer a hold-out",
        said,
    )
    assert main(["study", "--pair", SOL]) == 0
    assert "was not looked at" in capsys.readouterr().out, "by its own span only"


def test_an_empty_store_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["study"]) == 2
    assert "There is no store" in capsys.readouterr().err
