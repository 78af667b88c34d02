"""The ready settings of each timeframe, vendors' bars, and windows that hyperopt may choose."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType

from liq_provider.config.settings import load_settings
from liq_provider.store.bar_rows import put_bars
from liq_provider.store.database import open_engine
from tests.integration.harness import BTC, ROOT, bot_config, simulator
from tests.integration.history import FreqtradeRuns

HOUR_MS = 3_600_000
HOURS = 400
START = pd.Timestamp("2026-02-01", tz="UTC")
START_MS = int(START.timestamp() * 1000)
PRESETS = sorted((ROOT / "configs").glob("timeframe-*.json"))
# A wave of longs in these hours, after a fall.
WAVES = (250, 300, 350)
SPAN = "20260205-20260217"


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_each_preset_fits_its_timeframe(path: Path) -> None:
    preset = json.loads(path.read_text())
    settings = load_settings(preset, {})
    minutes = pd.Timedelta(preset["timeframe"].replace("m", "min")).total_seconds() / 60
    assert settings.segment_min % minutes == 0
    assert settings.baseline_segments >= 2 * settings.min_baseline_segments
    assert settings.max_entry_delay_s < minutes * 60


@pytest.fixture(scope="module")
def hourly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreqtradeRuns]:
    """Hourly candles and vendors' bars of BTC."""
    base = tmp_path_factory.mktemp("hourly")
    rng = np.random.default_rng(4)
    change = rng.normal(0, 0.002, HOURS)
    for wave in WAVES:
        change[wave - 8 : wave + 4] -= 0.004
        change[wave + 6 : wave + 14] += 0.006
    close = np.round(50_000 * np.cumprod(1 + change), 1)
    opened = np.concatenate([[50_000.0], close[:-1]])
    frame = pd.DataFrame(
        {
            "date": pd.date_range(START, periods=HOURS, freq="1h"),
            "open": opened,
            "high": np.maximum(opened, close),
            "low": np.minimum(opened, close),
            "close": close,
            "volume": 100.0,
        }
    )
    datadir = base / "user_data" / "data" / "binance"
    (datadir / "futures").mkdir(parents=True)
    handler = get_datahandler(datadir, "feather")
    handler.ohlcv_store(BTC, "1h", frame, CandleType.FUTURES)
    engine = open_engine(f"sqlite:///{base / 'store.sqlite'}")
    put_bars(engine, [bar(hour, rng) for hour in range(HOURS) if hour != 100])
    engine.dispose()
    with simulator() as sim:
        yield FreqtradeRuns(sim, base)


def bar(hour: int, rng: np.random.Generator) -> dict[str, object]:
    start_ms = START_MS + hour * HOUR_MS
    return {
        "base_asset": "BTC",
        "source": "coinglass",
        "bar_min": 60,
        "start_ms": start_ms,
        "market": "",
        "pair": BTC,
        "long_usd": 8e7 if hour in WAVES else float(rng.lognormal(13, 0.8)),
        "short_usd": float(rng.lognormal(12, 0.8)),
        "available_at": start_ms + HOUR_MS + 2_000,
    }


def config(lab: FreqtradeRuns, **section: object) -> Path:
    """The 1h preset on the vendor's bars."""
    config = bot_config(lab.sim, lab.base)
    preset = json.loads((ROOT / "configs" / "timeframe-1h.json").read_text())
    config["liq_provider"] = {
        "store": "sqlite:///store.sqlite",
        "backtest_source": "coinglass",
        **preset["liq_provider"],
        **section,
    }
    config["exchange"]["pair_whitelist"] = [BTC]
    del config["db_url"]
    path = lab.base / "config.json"
    path.write_text(json.dumps(config | {"timeframe": preset["timeframe"]}))
    return path


def test_a_backtest_on_bars_enters_after_the_hour_of_the_wave(hourly: FreqtradeRuns) -> None:
    results = hourly.base / "results"
    results.mkdir()
    told = hourly.run(
        *("backtesting", "--export", "trades", "--cache", "none"),
        *("--backtest-directory", str(results)),
        config=config(hourly),
    )
    from freqtrade.data.btanalysis import load_backtest_data

    tested = load_backtest_data(results)
    expected = {START + pd.Timedelta(hours=wave + 1) for wave in WAVES}
    entered = set(tested["open_date"])
    assert expected <= entered
    assert set(tested["enter_tag"]) <= {"liq_short_strong_medium", "liq_long_strong_medium"}
    # 30 candles of startup; the bar that is missing is one unknown candle.
    assert "liquidations known for 369 of 370 candles (99.7%)" in told
    assert "!!!" not in told


def test_little_coverage_frames_the_result(hourly: FreqtradeRuns) -> None:
    told = hourly.run(*("backtesting", "--cache", "none"), config=config(hourly, min_coverage=1.0))
    assert told.count("!!! ONLY 99.7% OF THE CANDLES HAVE KNOWN LIQUIDATIONS") == 2


def test_bars_that_are_too_coarse_are_named(hourly: FreqtradeRuns, tmp_path: Path) -> None:
    path = config(hourly)
    text = json.loads(path.read_text())
    text["timeframe"] = "15m"
    path.write_text(json.dumps(text))
    handler = get_datahandler(hourly.base / "user_data" / "data" / "binance", "feather")
    hours = handler.ohlcv_load(BTC, "1h", CandleType.FUTURES)
    handler.ohlcv_store(BTC, "15m", hours, CandleType.FUTURES)
    with pytest.raises(AssertionError) as told:
        hourly.run("backtesting", "--cache", "none", config=path)
    assert re.search(
        r"bars of BTC from coinglass are 60 min long; timeframe \(15 min\)", str(told.value)
    )


def test_there_is_no_bias_on_bars(hourly: FreqtradeRuns) -> None:
    path = config(hourly, backtest_verdicts="matrix")
    told = hourly.run(
        *("lookahead-analysis", "--minimum-trade-amount", "2", "--targeted-trade-amount", "3"),
        *("--timerange", SPAN),
        config=path,
    )
    assert re.search(r"LiqTrend\s*[│|]\s*No\b", told), told[-2000:]
    told = hourly.run(
        *("recursive-analysis", "--startup-candle", "30", "60", "--timerange", SPAN), config=path
    )
    # RSI and ATR are only shown; what decides must not depend on where the data begins.
    assert "liq_atr" in told or "liq_rsi" in told or "rsi" in told, told
    assert not re.search(r"liq_(z|purity|level|trend|strength)\w*\s*[│|]", told), told
    assert "No lookahead bias on indicators found" in told


def test_hyperopt_chooses_among_windows_that_were_computed_once(hourly: FreqtradeRuns) -> None:
    path = config(hourly, hyperopt_windows=["60/96", "120/240"])
    told = hourly.run(
        *("hyperopt", "--spaces", "buy", "-e", "12", "-j", "2", "--min-trades", "1"),
        *("--hyperopt-loss", "OnlyProfitHyperOptLoss", "--random-state", "2", "--print-all"),
        config=path,
    )
    assert told.count("liquidations known for") == 1, "features are not made for every epoch"
    results = next((hourly.base / "user_data" / "hyperopt_results").glob("*.fthypt"))
    epochs = [json.loads(line) for line in results.read_text().splitlines()]
    assert {epoch["params_dict"]["windows"] for epoch in epochs} == {
        *("configured", "60/96", "120/240")
    }
    chosen = json.loads((hourly.base / "strategies" / "LiqTrend.json").read_text())
    assert chosen["params"]["buy"]["windows"] in ("configured", "60/96", "120/240")
    # What was found is read the Freqtrade way, and computed for that choice alone.
    chosen["params"]["buy"]["windows"] = "120/240"
    (hourly.base / "strategies" / "LiqTrend.json").write_text(json.dumps(chosen))
    copied = hourly.base / "kept.json"
    shutil.copy(hourly.base / "strategies" / "LiqTrend.json", copied)
    told = hourly.run("backtesting", "--cache", "none", config=path)
    assert "windows = 120/240" in told
