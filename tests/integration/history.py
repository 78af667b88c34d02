"""A few hours of candles and liquidations on disk, for the real ``freqtrade backtesting``."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.data.btanalysis import load_backtest_data
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType

from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.store.booked_minute import Incoming
from tests.bot.helpers import Store
from tests.integration.harness import BTC, ETH, SOL, bot_config

START = pd.Timestamp("2026-03-01", tz="UTC")
START_MS = int(START.timestamp() * 1000)
MINUTES = 360
BASES = {"BTC": (BTC, 50_000.0, 1), "ETH": (ETH, 3_000.0, 2), "SOL": (SOL, 180.0, 2)}
FEATURES = {"baseline_hours": 2, "min_baseline_segments": 12, "min_active_segments": 5}


def time_of(minute: int) -> pd.Timestamp:
    """Open of a candle."""
    return START + pd.Timedelta(minutes=minute)


@dataclass
class CoinScript:
    """
    What happens to a coin.

    :param drift: change of price per candle, with some noise
    :param waves: minute and size in USD; longs are wiped out where price falls
    :param steps: lasting changes of price, within one candle
    :param spikes: how far a candle's low (negative) or high reaches beyond open and close
    """

    drift: float
    waves: dict[int, float] = field(default_factory=dict)
    steps: dict[int, float] = field(default_factory=dict)
    spikes: dict[int, float] = field(default_factory=dict)


def candles(base: str, script: CoinScript) -> pd.DataFrame:
    """Candles rounded to the tick, as lookahead-analysis needs them."""
    _, first, digits = BASES[base]
    change = np.where(np.arange(MINUTES) % 2, 3.0, -1.0) * script.drift
    for minute, step in script.steps.items():
        change[minute] = step
    close = np.round(first * np.cumprod(1 + change), digits)
    opened = np.concatenate([[first], close[:-1]])
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    for minute, reach in script.spikes.items():
        if reach < 0:
            low[minute] = round(low[minute] * (1 + reach), digits)
        else:
            high[minute] = round(high[minute] * (1 + reach), digits)
    return pd.DataFrame(
        {
            "date": pd.date_range(START, periods=MINUTES, freq="1min"),
            "open": opened,
            "high": high,
            "low": low,
            "close": close,
            "volume": 100.0,
        }
    )


def liquidations(base: str, script: CoinScript) -> list[Liquidation]:
    """Small ones all the time, and the waves."""
    pair, price, _ = BASES[base]
    rng = np.random.default_rng(len(base) + int(price))
    orders = [
        (minute, "long" if rng.random() < 0.5 else "short", float(rng.uniform(1_000, 4_000)))
        for minute in range(0, MINUTES, 2)
    ]
    side = "long" if script.drift < 0 else "short"
    for minute, usd in script.waves.items():
        orders += [(minute, side, usd / 10)] * 10
    made = []
    for number, (minute, position_side, usd) in enumerate(orders):
        event_ms = START_MS + minute * MINUTE_MS + number % 50_000
        made.append(
            Liquidation(
                "bybit",
                f"{base}USDT",
                pair,
                base,
                position_side,  # type: ignore[arg-type]
                price,
                usd / price,
                usd,
                event_ms,
                event_ms + 100,
            )
        )
    return made


def write_history(base: Path, scripts: dict[str, CoinScript]) -> None:
    """Candle files and store below ``base``."""
    datadir = base / "user_data" / "data" / "binance"
    (datadir / "futures").mkdir(parents=True)
    handler = get_datahandler(datadir, "feather")
    store = Store(base / "store.sqlite")
    for name, script in scripts.items():
        pair = BASES[name][0]
        frame = candles(name, script)
        handler.ohlcv_store(pair, "1m", frame, CandleType.FUTURES)
        hours = frame.iloc[::60].reset_index(drop=True)
        handler.ohlcv_store(pair, "1h", hours, CandleType.MARK)
        funding = hours[["date"]].assign(funding_rate=0.0)
        handler.ohlcv_store(pair, "1h", funding, CandleType.FUNDING_RATE)
        store.writer.append([Incoming(order) for order in liquidations(name, script)])
    store.cover(START_MS, START_MS + MINUTES * MINUTE_MS)
    store.close()


class FreqtradeRuns:
    """Runs Freqtrade's commands on such a history."""

    def __init__(self, sim: Simulator, base: Path) -> None:
        self.sim = sim
        self.base = base
        self._runs = 0

    def config(self, overrides: dict[str, Any], **section: Any) -> Path:
        """:return: a configuration file for one run"""
        config = bot_config(self.sim, self.base, **(FEATURES | section)) | overrides
        config["liq_provider"]["max_entry_delay_s"] = 30
        del config["db_url"]
        self._runs += 1
        path = self.base / f"config-{self._runs}.json"
        path.write_text(json.dumps(config))
        return path

    def run(self, *arguments: str, config: Path | None = None) -> str:
        """:return: what a Freqtrade command prints; it must succeed"""
        path = config or self.config({})
        done = subprocess.run(
            [sys.executable, "-m", "freqtrade", *arguments, "-c", str(path)],
            cwd=self.base,
            env={**os.environ, "COLUMNS": "400"},
            capture_output=True,
            text=True,
            timeout=500,
        )
        # Wrong arguments, too, end with 0.
        failed = done.returncode != 0 or "error: unrecognized arguments" in done.stderr
        assert not failed, done.stdout[-3000:] + done.stderr[-6000:]
        return done.stdout + done.stderr

    def trades(self, overrides: dict[str, Any] | None = None, **section: Any) -> pd.DataFrame:
        """:return: the trades of a backtest"""
        path = self.config(overrides or {}, **section)
        results = self.base / f"results-{self._runs}"
        results.mkdir()
        self.run(
            *("backtesting", "--export", "trades", "--cache", "none"),
            *("--backtest-directory", str(results)),
            config=path,
        )
        return load_backtest_data(results)
