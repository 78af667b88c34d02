"""
A new candle of every pair in the bot's loop: what does LiqTrend's populate cost, beside a strategy
that does almost nothing, and Freqtrade's own sample?

    python benchmarks/loop.py [--pairs 400] [--rounds 7]

Each strategy is loaded and called as Freqtrade does it: ``bot_loop_start``, then ``analyze`` of the
whole list, with as many candles as a bot has for its start. Fetching candles is left out, as it is
the same for all. The time is that of the loop's thread on the processor, so that what else runs on
the machine counts less; the strategies take turns, and ratios are those of each turn.

The three make different columns. That LiqTrend's are those that are inserted one by one is what the
row ``loop`` of ``make bench`` and ``tests/bot/test_trading.py`` compare. Costs grow with pairs, and
hardly with candles.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import freqtrade.templates
import numpy as np
import pandas as pd
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import CandleType, MarginMode, RunMode, TradingMode
from freqtrade.persistence import init_db
from freqtrade.resolvers import StrategyResolver

from benchmarks.slow_columns import SlowColumns
from liq_provider.bot.snapshot import READING, Snapshot
from liq_provider.bot.source import LiveSource
from liq_provider.config.settings import load_settings
from liq_provider.core.durations import HOUR_MS, MINUTE_MS
from liq_provider.judge.decisions import Rules
from liq_provider.measure.feature_rows import FeatureRows, State

CANDLES = 529  # one request of 499, and the 30 of the start
HISTORY_MIN = 48 * 60

TRIVIAL = """
from freqtrade.strategy import IStrategy

class Trivial(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1m"
    can_short = True
    minimal_roi = {}
    stoploss = -0.99
    process_only_new_candles = False
    startup_candle_count = 30

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe["enter_long"] = 0
        dataframe["enter_short"] = 0
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe["exit_long"] = 0
        dataframe["exit_short"] = 0
        return dataframe
"""


# What LiqTrend must come to: its columns by the plain way.
ONE_BY_ONE = """
from freqtrade.strategy import IStrategy

class OneByOne(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1m"
    can_short = True
    minimal_roi = {}
    stoploss = -0.99
    process_only_new_candles = False
    startup_candle_count = 30
    columns_of = {}

    def populate_indicators(self, dataframe, metadata):
        return self.columns_of[metadata["pair"]].indicators(dataframe)

    def populate_entry_trend(self, dataframe, metadata):
        return self.columns_of[metadata["pair"]].entries(dataframe)

    def populate_exit_trend(self, dataframe, metadata):
        return self.columns_of[metadata["pair"]].exits(dataframe)
"""


class Candles:
    """What an exchange has fetched: the last candles of each pair, moved on by one at a time."""

    def __init__(self, pairs: list[str], close_ms: int, rounds: int) -> None:
        self.close_ms = close_ms
        self._frames = {}
        opened = close_ms + MINUTE_MS * np.arange(-CANDLES, rounds + 1, dtype=np.int64)
        for number, pair in enumerate(pairs):
            rng = np.random.default_rng(number)
            close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, len(opened))))
            before = np.concatenate([[100.0], close[:-1]])
            self._frames[pair] = pd.DataFrame(
                {
                    "date": pd.to_datetime(opened, unit="ms", utc=True),
                    "open": before,
                    "high": np.maximum(before, close) * 1.0004,
                    "low": np.minimum(before, close) * 0.9996,
                    "close": close,
                    "volume": rng.lognormal(3, 1, len(opened)),
                }
            )
        self.now: dict[str, pd.DataFrame] = {}
        self.step(0)

    def step(self, number: int) -> None:
        """The newest candle is the ``number``-th after the first one."""
        self.now = {
            pair: frame.iloc[number : number + CANDLES].reset_index(drop=True)
            for pair, frame in self._frames.items()
        }

    def klines(self, key: tuple[str, ...], copy: bool = True) -> pd.DataFrame:
        """As Freqtrade's exchange has it."""
        return self.now[key[0]].copy() if copy else self.now[key[0]]


@dataclass
class PairList:
    """As Freqtrade's pair list manager has it."""

    whitelist: list[str]


class Fixed:
    """Has the snapshot that a bot's reader would have."""

    unanswered_s = 0.0

    def __init__(self) -> None:
        self.snapshot = Snapshot(error=READING)

    def take(self) -> Snapshot:
        return self.snapshot

    def end(self) -> None:
        pass


def features(number: int, close_ms: int) -> FeatureRows:
    """
    Two days of a coin, the first ones with something in most minutes, the last ones with little:
    as liquidations are spread over a market.
    """
    rng = np.random.default_rng(number)
    size = max(20, HISTORY_MIN // (1 + number // 4))
    minute = np.sort(rng.choice(HISTORY_MIN, size, replace=False))
    usd, share = rng.lognormal(10, 2, size), rng.random(size)
    floats = ("long_usd", "short_usd", "z", "robust_z", "percentile")
    before: dict[str, Any] = {f"before_{name}": np.full(size, np.nan) for name in floats}
    return FeatureRows(
        close_ms=close_ms - MINUTE_MS * (HISTORY_MIN - 1 - minute).astype(np.int64),
        long_usd=usd * share,
        short_usd=usd * (1 - share),
        count=rng.integers(1, 40, size),
        z=rng.normal(0, 1.5, size),
        robust_z=rng.normal(0, 1, size),
        percentile=rng.random(size),
        state=np.full(size, int(State.READY), dtype=np.int64),
        baseline_n=np.full(size, 288, dtype=np.int64),
        active_n=np.full(size, 100, dtype=np.int64),
        steady=np.ones(size, dtype=bool),
        before_count=np.zeros(size, dtype=np.int64),
        **before,
    )


def config_of(folder: Path, name: str, source: Path) -> dict[str, Any]:
    """:return: the part of Freqtrade's configuration that a strategy asks for"""
    return {
        "runmode": RunMode.DRY_RUN,
        "dry_run": True,
        "trading_mode": TradingMode.FUTURES,
        "margin_mode": MarginMode.ISOLATED,
        "candle_type_def": CandleType.FUTURES,
        "timeframe": "1m",
        "stake_currency": "USDT",
        "stake_amount": 100,
        "max_open_trades": 5,
        "exchange": {"name": "binance", "pair_whitelist": []},
        "user_data_dir": folder / "user_data",
        "strategy": name,
        "strategy_path": str(source),
        "recursive_strategy_search": False,
        "bot_name": "bench",
        "liq_provider": {"autostart": False},
    }


def load(folder: Path, name: str, source: Path, candles: Candles, pairs: list[str]) -> Any:
    """:return: a strategy as the bot has it"""
    config = config_of(folder, name, source)
    strategy = StrategyResolver.load_strategy(config)
    strategy.dp = DataProvider(config, candles)
    strategy.dp.add_pairlisthandler(PairList(pairs))
    strategy.ft_bot_start()
    return strategy


def listen(strategy: Any, pairs: list[str], close_ms: int) -> Callable[[int], None]:
    """
    Give LiqTrend features in place of a store.

    :return: moves them on to a minute
    """
    published, engine = Fixed(), strategy.liq.engine
    engine.source.end()
    engine.source = LiveSource(published, strategy.liq.settings)
    rows = {pair.split("/")[0]: features(n, close_ms) for n, pair in enumerate(pairs)}

    def settle(now_close_ms: int) -> None:
        published.snapshot = Snapshot(
            computed_ms=now_close_ms,
            sidecar={"skew_ms": 0, "feeds": {"binance": {"state": "live"}}},
            rows=rows,
            loaded_ms=now_close_ms,
        )

    return settle


def one_by_one(pairs: list[str], close_ms: int) -> dict[str, SlowColumns]:
    """:return: of each pair, with the features that ``listen`` gives to LiqTrend"""
    settings = load_settings({}, {})
    return {
        pair: SlowColumns(
            *(features(number, close_ms), [], Rules.of(settings), "live"),
            settings.trend_candles,
            live=True,
        )
        for number, pair in enumerate(pairs)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    pairs = [f"C{number}/USDT:USDT" for number in range(chosen.pairs)]
    close_ms = int(time.time()) // 60 * MINUTE_MS - HOUR_MS
    candles = Candles(pairs, close_ms, chosen.rounds)
    root = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "user_data").mkdir()
        (folder / "trivial").mkdir()
        (folder / "trivial" / "trivial.py").write_text(TRIVIAL)
        init_db("sqlite://")
        strategies = {
            "trivial": load(folder, "Trivial", folder / "trivial", candles, pairs),
            "sample": load(
                folder, "SampleStrategy", Path(freqtrade.templates.__path__[0]), candles, pairs
            ),
            "LiqTrend": load(folder, "LiqTrend", root / "strategies", candles, pairs),
        }
        settle = listen(strategies["LiqTrend"], pairs, close_ms)
        took: dict[str, list[float]] = {name: [] for name in strategies}
        for number in range(chosen.rounds + 1):
            candles.step(number)
            now_ms = close_ms + number * MINUTE_MS
            settle(now_ms)
            now = datetime.fromtimestamp(now_ms / 1000 + 3, UTC)
            for name, strategy in strategies.items():
                begun = time.thread_time()
                strategy.bot_loop_start(current_time=now)
                strategy.analyze(pairs)
                if number:  # the first one is everybody's start
                    took[name].append((time.thread_time() - begun) * 1e3 / len(pairs))
        for pair in pairs:
            frame, _ = strategies["LiqTrend"].dp.get_analyzed_dataframe(pair, "1m")
            assert len(frame) == CANDLES and "liq_level" in frame, pair
        strategies["LiqTrend"].ft_bot_cleanup()
    print(f"{chosen.pairs} pairs, {CANDLES} candles each, {chosen.rounds} rounds; ms a pair")
    for name, ms in took.items():
        ratio = median(one / base for one, base in zip(ms, took["trivial"], strict=True))
        print(
            f"{name:10}{median(ms):>8.2f}  ({min(ms):.2f} to {max(ms):.2f}){ratio:>8.2f} x trivial"
        )


if __name__ == "__main__":
    main()
