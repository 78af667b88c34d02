"""
``freqtrade backtesting`` of LiqTrend: what does it cost beside the same signals as columns that are
there already, with constant stops and no callbacks, and beside Freqtrade's own sample? And
``freqtrade hyperopt``: how many epochs a minute, beside the sample?

    python benchmarks/backtest.py [--days 20] [--rounds 5] [--epochs 20]

Twelve pairs of 1m candles, five slots, a wave of each coin every few hours. Each run is the whole
command in a process of its own; the time is what it took of the processor. They take turns. Trades
of every round of LiqTrend must be the same, byte for byte; those of the other two differ, as their
stops do. Costs grow with pairs times candles, and with the candles in which a position is open.

Hyperopt tries thresholds and stops in two processes; once each has done one epoch, the others are
counted. Their results must be the same in every round.
"""

import argparse
import asyncio
import hashlib
import json
import os
import resource
import shutil
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import freqtrade.templates
import numpy as np
import pandas as pd
import psutil
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType

from liq_provider.bot.start import past_engine
from liq_provider.config.settings import load_settings
from liq_provider.core.arrays import FloatArray
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import DAY_MIN, MINUTE_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.judge.decisions import Rules
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.symbols import DEMO_SYMBOLS, SymbolSpec
from liq_provider.simulator.urls import freqtrade_exchange_config
from liq_provider.simulator.world import World
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.writer import Writer

ROOT = Path(__file__).parents[1]
START_MS = 1_772_323_200_000  # 2026-03-01 00:00 UTC
PAIRS = 12
JOBS = 2
SAMPLE = Path(freqtrade.templates.__path__[0])

PRECOMPUTED = """
from pathlib import Path

import pandas as pd
from freqtrade.strategy import IStrategy

SIGNALS = ("enter_long", "enter_short", "enter_tag")
EXITS = ("exit_long", "exit_short", "exit_tag")

class Precomputed(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1m"
    can_short = True
    minimal_roi = {}
    stoploss = -0.02
    process_only_new_candles = False
    startup_candle_count = 30

    def populate_indicators(self, dataframe, metadata):
        name = metadata["pair"].split("/")[0] + ".feather"
        self.made = pd.read_feather(Path(__file__).parent / name)
        dataframe[list(SIGNALS + EXITS)] = self.made[list(SIGNALS + EXITS)].to_numpy()
        kept = dataframe[list(SIGNALS + EXITS)].rename(columns=lambda name: "my_" + name)
        return dataframe.drop(columns=list(SIGNALS + EXITS)).join(kept)

    def populate_entry_trend(self, dataframe, metadata):
        for name in SIGNALS:
            dataframe[name] = dataframe["my_" + name]
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        for name in EXITS:
            dataframe[name] = dataframe["my_" + name]
        return dataframe
"""


def candles(spec: SymbolSpec, number: int, minutes: int) -> pd.DataFrame:
    """A walk in which a position lasts for hours, and both stops are hit."""
    rng = np.random.default_rng(number)
    digits = spec.tick_digits
    close = spec.price * np.exp(np.cumsum(rng.normal(0, 6e-4, minutes)))
    close = np.round(close, digits)
    opened = np.concatenate([[np.round(spec.price, digits)], close[:-1]])
    reach = np.abs(rng.normal(0, 3e-4, (2, minutes)))
    high = np.round(np.maximum(opened, close) * (1 + reach[0]), digits)
    low = np.round(np.minimum(opened, close) * (1 - reach[1]), digits)
    dates = pd.date_range(pd.Timestamp(START_MS, unit="ms", tz="UTC"), periods=minutes, freq="1min")
    return pd.DataFrame(
        {"date": dates, "open": opened, "high": high, "low": low, "close": close, "volume": 100.0}
    )


def liquidations(spec: SymbolSpec, number: int, close: FloatArray) -> Iterator[Liquidation]:
    """
    Small ones all the time, and every few hours a wave in the direction that price took. Every
    second wave is mixed at first, so that its confidence grows.
    """
    rng = np.random.default_rng(1_000 + number)
    minutes = len(close)
    made = [
        (int(minute), "long" if rng.random() < 0.5 else "short", float(rng.lognormal(7.5, 1)))
        for minute in np.flatnonzero(rng.random(minutes) < 0.15)
    ]
    minute = DAY_MIN + 30
    while minute < minutes - 30:
        side, other = ("long", "short")[:: 1 if close[minute] < close[minute - 15] else -1]
        usd = float(300_000 * rng.lognormal(0, 0.5))
        made += [(minute + k, side, usd / 6) for k in range(3) for _ in range(6)]
        if rng.random() < 0.5:
            made.append((minute, other, usd * 0.2))
        minute += int(rng.integers(120, 480))
    for order, (minute, side, usd) in enumerate(sorted(made)):
        event_ms = START_MS + minute * MINUTE_MS + order % 50_000
        price = float(close[minute])
        yield Liquidation(
            *("binance", spec.symbol, spec.pair, spec.coin, side),  # type: ignore[arg-type]
            *(price, usd / price, usd, event_ms, event_ms + 100),
        )


def write_history(base: Path, specs: Sequence[SymbolSpec], minutes: int) -> None:
    """Candle files and a store below ``base``."""
    datadir = base / "user_data" / "data" / "binance"
    (datadir / "futures").mkdir(parents=True)
    handler = get_datahandler(datadir, "feather")
    writer = Writer(open_engine(f"sqlite:///{base / 'store.sqlite'}"))
    for number, spec in enumerate(specs):
        frame = candles(spec, number, minutes)
        handler.ohlcv_store(spec.pair, "1m", frame, CandleType.FUTURES)
        hours = frame.iloc[::60].reset_index(drop=True)
        handler.ohlcv_store(spec.pair, "1h", hours, CandleType.MARK)
        funding = hours[["date"]].assign(funding_rate=0.0)
        handler.ohlcv_store(spec.pair, "1h", funding, CandleType.FUNDING_RATE)
        orders = [Incoming(one) for one in liquidations(spec, number, frame["close"].to_numpy())]
        for first in range(0, len(orders), 5_000):
            writer.append(orders[first : first + 5_000])
    for venue in load_settings({}, {}).venues.enabled:
        writer.cover(venue, [Interval(START_MS, START_MS + minutes * MINUTE_MS)], "import")
    writer.close()


def write_signals(base: Path, specs: Sequence[SymbolSpec]) -> int:
    """
    What LiqTrend decides, for the strategy that has it all in columns.

    :return: number of entries
    """
    settings = load_settings({}, {})
    engine = past_engine(f"sqlite:///{base / 'store.sqlite'}", settings, MINUTE_MS, True)
    folder = base / "precomputed"
    folder.mkdir()
    (folder / "precomputed.py").write_text(PRECOMPUTED)
    handler = get_datahandler(base / "user_data" / "data" / "binance", "feather")
    entries = 0
    for spec in specs:
        frame = handler.ohlcv_load(spec.pair, "1m", CandleType.FUTURES)
        frame = engine.indicators(frame, spec.pair)
        frame = engine.exits(engine.entries(frame, spec.pair, Rules.of(settings)), spec.pair)
        entries += int(frame["enter_long"].sum() + frame["enter_short"].sum())
        frame.to_feather(folder / f"{spec.pair.split('/')[0]}.feather")
    return entries


class Lab:
    """
    Runs Freqtrade's commands on a history that is below ``base``.
    """

    def __init__(self, base: Path, url: str) -> None:
        self.base = base
        self.specs = DEMO_SYMBOLS[:PAIRS]
        self._url = url
        self._runs = 0
        self.entries = 0

    def config(self, strategy: str, folder: Path, **section: Any) -> Path:
        """:return: a configuration file"""
        # A copy, as hyperopt writes its parameters beside the strategy.
        copy = self.base / f"strategies-{strategy}"
        if not copy.exists():
            shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__", "*.j2"))
        pricing = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
        config = {
            "dry_run": True,
            "dry_run_wallet": 10_000,
            "strategy": strategy,
            "strategy_path": str(copy),
            "user_data_dir": str(self.base / "user_data"),
            "trading_mode": "futures",
            "margin_mode": "isolated",
            "timeframe": "1m",
            "stake_currency": "USDT",
            "stake_amount": 500,
            "max_open_trades": 5,
            "entry_pricing": pricing,
            "exit_pricing": pricing,
            "exchange": freqtrade_exchange_config(self._url)
            | {"pair_whitelist": [spec.pair for spec in self.specs]},
            "pairlists": [{"method": "StaticPairList"}],
            "liq_provider": {"store": "sqlite:///store.sqlite", "autostart": False, **section},
        }
        self._runs += 1
        path = self.base / f"config-{self._runs}.json"
        path.write_text(json.dumps(config))
        return path

    @contextmanager
    def running(self, *arguments: str, config: Path) -> Iterator[psutil.Popen]:
        """One of Freqtrade's commands; when this ends, it has ended well."""
        output = self.base / "output.txt"
        with output.open("w") as file:
            process = psutil.Popen(
                [sys.executable, "-m", "freqtrade", *arguments, "-c", str(config)],
                cwd=self.base,
                env={**os.environ, "COLUMNS": "300"},
                stdout=file,
                stderr=file,
            )
            try:
                yield process
                status = process.wait()
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        self.told = output.read_text(errors="replace")
        if status:
            raise SystemExit(self.told[-4000:])

    def run(self, *arguments: str, config: Path) -> float:
        """:return: seconds of the processor"""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with self.running(*arguments, config=config):
            pass
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def backtest(self, config: Path) -> tuple[float, str, int]:
        """:return: seconds of the processor, a digest of all trades, and their number"""
        results = self.base / "results"
        shutil.rmtree(results, ignore_errors=True)
        results.mkdir()
        used = self.run(
            *("backtesting", "--export", "trades", "--cache", "none"),
            *("--backtest-directory", str(results)),
            config=config,
        )
        (archive,) = results.glob("*.zip")
        with zipfile.ZipFile(archive) as file:
            name = next(n for n in file.namelist() if n.endswith(".json") and "_" not in n[-12:])
            made = json.loads(file.read(name))["strategy"]
        (trades,) = (strategy["trades"] for strategy in made.values())
        text = json.dumps(trades, sort_keys=True)
        return used, hashlib.sha256(text.encode()).hexdigest()[:12], len(trades)


@contextmanager
def lab(days: int) -> Iterator[Lab]:
    """A history of so many days, and the exchange that backtests ask for its markets."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    world = World(int(time.time() * 1000), background=0.0, history_h=1)
    simulator = Simulator(world)
    asyncio.run_coroutine_threadsafe(simulator.__aenter__(), loop).result(60)
    try:
        with tempfile.TemporaryDirectory() as name:
            bench = Lab(Path(name), simulator.url)
            (bench.base / "user_data").mkdir()
            write_history(bench.base, bench.specs, days * DAY_MIN)
            bench.entries = write_signals(bench.base, bench.specs)
            yield bench
    finally:
        asyncio.run_coroutine_threadsafe(simulator.__aexit__(None, None, None), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


def backtests(bench: Lab, rounds: int) -> None:
    """Print a line for each strategy."""
    configs = {
        "precomputed": bench.config("Precomputed", bench.base / "precomputed"),
        "sample": bench.config("SampleStrategy", SAMPLE),
        "LiqTrend": bench.config("LiqTrend", ROOT / "strategies"),
        "LiqTrend, keep": bench.config(
            "LiqTrend", ROOT / "strategies", on_upgrade="keep", min_confidence="low"
        ),
    }
    took: dict[str, list[float]] = {name: [] for name in configs}
    trades: dict[str, set[tuple[str, int]]] = {name: set() for name in configs}
    for _ in range(rounds):
        for name, config in configs.items():
            used, digest, count = bench.backtest(config)
            took[name].append(used)
            trades[name].add((digest, count))
    for name, seconds in took.items():
        assert len(trades[name]) == 1, f"{name}: the trades differ between rounds"
        ((digest, count),) = trades[name]
        assert count, f"{name}: no trades"
        ratio = median(one / base for one, base in zip(seconds, took["precomputed"], strict=True))
        print(
            f"{name:16}{median(seconds):>7.1f}  ({min(seconds):.1f} to {max(seconds):.1f})"
            f"{ratio:>7.2f} x precomputed{count:>6} trades {digest}",
            flush=True,
        )


def epochs_of(bench: Lab, config: Path, epochs: int) -> tuple[float, float, str]:
    """
    :return: seconds of the processor, of the clock, and what the epochs came to; the first ones,
        one of each process, are not counted, as processes start in them
    """
    results = bench.base / "user_data" / "hyperopt_results"
    command = (
        *("hyperopt", "--spaces", "buy", "sell", "-e", str(epochs), "-j", str(JOBS)),
        *("--hyperopt-loss", "SharpeHyperOptLossDaily", "--random-state", "1"),
        *("--min-trades", "1", "--disable-param-export"),
    )
    with bench.running(*command, config=config) as process:
        # Epochs are written once those of all processes are done.
        begin_s, begin_cpu_s = _once_written(process, results, JOBS)
        end_s, end_cpu_s = _once_written(process, results, epochs)
    lines = _lines(results)
    assert len(lines) == epochs, bench.told[-2000:]
    shutil.rmtree(results)
    told = [(line["loss"], line["results_explanation"]) for line in map(json.loads, lines)]
    return end_cpu_s - begin_cpu_s, end_s - begin_s, str(told)


def _lines(results: Path) -> list[str]:
    return [line for file in results.glob("*.fthypt") for line in file.read_text().splitlines()]


def _once_written(process: psutil.Popen, results: Path, epochs: int) -> tuple[float, float]:
    """:return: the clock, and the processor's seconds of all processes, once so many are done"""
    while len(_lines(results)) < epochs and process.poll() is None:
        time.sleep(0.02)
    used_s, family = 0.0, []
    with suppress(psutil.NoSuchProcess):  # it ends in the same moment
        family = [process, *process.children(recursive=True)]
    # Those that have ended count with whoever started them.
    for one in family:
        with suppress(psutil.NoSuchProcess):
            used_s += sum(one.cpu_times()[:4])
    return time.perf_counter(), used_s


def hyperopts(bench: Lab, rounds: int, epochs: int) -> None:
    """Print a line for each strategy."""
    configs = {
        "sample": bench.config("SampleStrategy", SAMPLE),
        "LiqTrend": bench.config("LiqTrend", ROOT / "strategies"),
    }
    per_minute: dict[str, list[float]] = {name: [] for name in configs}
    cpu: dict[str, list[float]] = {name: [] for name in configs}
    results: dict[str, set[str]] = {name: set() for name in configs}
    for _ in range(rounds):
        for name, config in configs.items():
            used, took, told = epochs_of(bench, config, epochs)
            per_minute[name].append(60 * (epochs - JOBS) / took)
            cpu[name].append(used / (epochs - JOBS))
            results[name].add(told)
    print(f"{epochs} epochs of hyperopt, -j {JOBS}")
    for name in configs:
        assert len(results[name]) == 1, f"{name}: the epochs differ between rounds"
        ratio = median(one / base for one, base in zip(cpu[name], cpu["sample"], strict=True))
        print(
            f"{name:16}{median(per_minute[name]):>7.1f} epochs a minute"
            f"{median(cpu[name]):>7.2f} CPU seconds an epoch{ratio:>7.2f} x sample"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20, help="of hyperopt; 0 for none")
    chosen = parser.parse_args()
    with lab(chosen.days) as bench:
        print(f"{PAIRS} pairs, {chosen.days} days of 1m, {bench.entries} entries; CPU seconds")
        backtests(bench, chosen.rounds)
        if chosen.epochs:
            hyperopts(bench, chosen.rounds, chosen.epochs)


if __name__ == "__main__":
    main()
