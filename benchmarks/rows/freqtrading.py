"""Freqtrade with LiqTrend: its loop, its backtests and hyperopt."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.contest import Contestant, Goal, Growth, Measured, Row
from benchmarks.measuring import measured

if TYPE_CHECKING:
    from benchmarks.backtest import Lab

_HERE = "benchmarks.rows.freqtrading"
_CANDLES = 3
_EPOCHS = 10


# -- a new candle in the bot's loop ----------------------------------------------------------


def prepare_loop(folder: Path, size: int) -> None:
    """When the first candle closes, so that all have the same ones."""
    from liq_provider.core.durations import HOUR_MS, MINUTE_MS

    close_ms = int(time.time()) // 60 * MINUTE_MS - HOUR_MS
    (folder / "close_ms.txt").write_text(str(close_ms))


def _loop(folder: Path, size: int, name: str, source: Path) -> Measured:
    from freqtrade.persistence import init_db

    from benchmarks.loop import Candles, listen, load, one_by_one
    from liq_provider.core.durations import MINUTE_MS

    pairs = [f"C{number}/USDT:USDT" for number in range(size)]
    close_ms = int((folder / "scene" / "close_ms.txt").read_text())
    candles = Candles(pairs, close_ms, _CANDLES)
    (folder / "user_data").mkdir()
    init_db("sqlite://")
    strategy = load(folder, name, source, candles, pairs)
    if name == "OneByOne":
        strategy.columns_of = one_by_one(pairs, close_ms)
    settle = listen(strategy, pairs, close_ms) if name == "LiqTrend" else lambda now_ms: None
    took, begun_s = [], time.perf_counter()
    for number in range(_CANDLES + 1):
        candles.step(number)
        settle(close_ms + number * MINUTE_MS)
        now = datetime.fromtimestamp((close_ms + number * MINUTE_MS) / 1000 + 3, UTC)
        before = time.thread_time()
        strategy.bot_loop_start(current_time=now)
        strategy.analyze(pairs)
        took.append(time.thread_time() - before)
    wall_s = time.perf_counter() - begun_s
    if name == "LiqTrend":
        strategy.ft_bot_cleanup()
    cpu_s = median(took[1:])  # the first one is everybody's start
    return measured(cpu_s * 1e3 / size, _values(strategy, pairs), cpu_s, wall_s)


def _values(strategy: Any, pairs: list[str]) -> Iterator[object]:
    """
    :return: names and values of all columns of all pairs
    :raises ValueError: a pair was left out, or has too few candles
    """
    from benchmarks.loop import CANDLES

    for pair in pairs:
        frame, _ = strategy.dp.get_analyzed_dataframe(pair, "1m")
        if len(frame) != CANDLES:
            raise ValueError(f"{pair}: {len(frame)} candles of {CANDLES}")
        for name, column in frame.items():
            values = column.to_numpy()
            yield name
            yield values.tolist() if values.dtype == object else values.tobytes()


def loop_liqtrend(folder: Path, size: int) -> Measured:
    """:param size: pairs"""
    return _loop(folder, size, "LiqTrend", Path(__file__).parents[2] / "strategies")


def _written(folder: Path, text: str) -> Path:
    source = folder / "strategies"
    source.mkdir()
    (source / "written.py").write_text(text)
    return source


def loop_one_by_one(folder: Path, size: int) -> Measured:
    """:param size: pairs"""
    from benchmarks.loop import ONE_BY_ONE

    return _loop(folder, size, "OneByOne", _written(folder, ONE_BY_ONE))


def loop_trivial(folder: Path, size: int) -> Measured:
    """:param size: pairs"""
    from benchmarks.loop import TRIVIAL

    return _loop(folder, size, "Trivial", _written(folder, TRIVIAL))


def loop_sample(folder: Path, size: int) -> Measured:
    """:param size: pairs"""
    import freqtrade.templates

    return _loop(folder, size, "SampleStrategy", Path(freqtrade.templates.__path__[0]))


# -- backtests and hyperopt ------------------------------------------------------------------


def prepare_history(folder: Path, size: int) -> None:
    """:param size: days of candles and liquidations of twelve pairs"""
    from benchmarks.backtest import PAIRS, write_history, write_signals
    from liq_provider.core.durations import DAY_MIN
    from liq_provider.simulator.symbols import DEMO_SYMBOLS

    (folder / "user_data").mkdir()
    write_history(folder, DEMO_SYMBOLS[:PAIRS], size * DAY_MIN)
    write_signals(folder, DEMO_SYMBOLS[:PAIRS])


@contextmanager
def _lab(folder: Path) -> Iterator["Lab"]:
    """Freqtrade's commands on the history of the scene; what they write stays in this folder."""
    from benchmarks.backtest import Lab
    from benchmarks.simulated import exchange

    scene = (folder / "scene").resolve()
    (folder / "user_data").mkdir()
    (folder / "user_data" / "data").symlink_to(scene / "user_data" / "data")
    shutil.copy(scene / "store.sqlite", folder)
    with exchange(0.0) as simulated:
        yield Lab(folder, simulated.url)


def _strategies(folder: Path) -> dict[str, Path]:
    from benchmarks.backtest import ROOT, SAMPLE

    return {
        "LiqTrend": ROOT / "strategies",
        "Precomputed": (folder / "scene").resolve() / "precomputed",
        "SampleStrategy": SAMPLE,
    }


def _backtest(folder: Path, name: str) -> Measured:
    begun_s = time.perf_counter()
    with _lab(folder) as lab:
        used_s, digest, count = lab.backtest(lab.config(name, _strategies(folder)[name]))
    if not count:
        raise ValueError(f"{name} made no trade")
    wall_s = time.perf_counter() - begun_s
    return measured(used_s, [digest, count], used_s, wall_s, f"{count:,} trades")


def backtest_liqtrend(folder: Path, size: int) -> Measured:
    """The whole command."""
    return _backtest(folder, "LiqTrend")


def backtest_precomputed(folder: Path, size: int) -> Measured:
    """The whole command."""
    return _backtest(folder, "Precomputed")


def backtest_sample(folder: Path, size: int) -> Measured:
    """The whole command."""
    return _backtest(folder, "SampleStrategy")


def _hyperopt(folder: Path, name: str) -> Measured:
    from benchmarks.backtest import JOBS, epochs_of

    with _lab(folder) as lab:
        config = lab.config(name, _strategies(folder)[name])
        cpu_s, wall_s, told = epochs_of(lab, config, _EPOCHS)
    # Two seconds of two cores are one of the clock.
    return measured(60 * JOBS * (_EPOCHS - JOBS) / cpu_s, [told], cpu_s, wall_s)


def hyperopt_liqtrend(folder: Path, size: int) -> Measured:
    """Its epochs, without the first one of each process."""
    return _hyperopt(folder, "LiqTrend")


def hyperopt_sample(folder: Path, size: int) -> Measured:
    """Its epochs, without the first one of each process."""
    return _hyperopt(folder, "SampleStrategy")


_OTHER_COLUMNS = "it makes other columns"
LOOP = Row(
    name="loop",
    work="a new candle in the bot's loop, 100 pairs",
    unit="milliseconds a pair",
    better="less",
    goal=Goal(1.5, peer="trivial strategy", peer_made=1.06),
    contestants=(
        Contestant("LiqTrend", f"{_HERE}:loop_liqtrend"),
        Contestant("columns one by one", f"{_HERE}:loop_one_by_one"),
        Contestant("trivial strategy", f"{_HERE}:loop_trivial", differs=_OTHER_COLUMNS),
        Contestant("Freqtrade's sample", f"{_HERE}:loop_sample", differs=_OTHER_COLUMNS),
    ),
    size=100,
    compares=(
        "Each strategy is loaded and called as Freqtrade does it, with the candles that a bot "
        "has; the median of some new candles. Fetching them is left out, as it is the same for "
        "all. LiqTrend's columns and signals have the same values as those that are put into the "
        "frame one by one, by the same decisions."
    ),
    prepare=f"{_HERE}:prepare_loop",
    growth=(Growth("pairs", f"{_HERE}:loop_liqtrend", (25, 100, 400), f"{_HERE}:prepare_loop"),),
)
BACKTEST = Row(
    name="backtest",
    work="`freqtrade backtesting`, 12 pairs, 8 days of 1m",
    unit="seconds",
    better="less",
    goal=Goal(1.5, "precomputed"),
    contestants=(
        Contestant("LiqTrend", f"{_HERE}:backtest_liqtrend"),
        Contestant(
            "precomputed",
            f"{_HERE}:backtest_precomputed",
            differs="it has LiqTrend's signals, and constant stops, so its trades end elsewhere",
        ),
        Contestant(
            "Freqtrade's sample",
            f"{_HERE}:backtest_sample",
            differs="it trades by other signals",
        ),
    ),
    size=8,
    compares="Whole commands. The trades of all rounds of LiqTrend are equal, byte for byte.",
    prepare=f"{_HERE}:prepare_history",
    growth=(Growth("days", f"{_HERE}:backtest_liqtrend", (4, 16), f"{_HERE}:prepare_history"),),
    interruptible=True,
)
HYPEROPT = Row(
    name="hyperopt",
    work="`freqtrade hyperopt -j 2 -e 10`, 12 pairs, 4 days of 1m",
    unit="epochs a minute of two cores",
    better="more",
    # 27 of the sample's 33.
    goal=Goal(0.82, "Freqtrade's sample"),
    contestants=(
        Contestant("LiqTrend", f"{_HERE}:hyperopt_liqtrend"),
        Contestant(
            "Freqtrade's sample",
            f"{_HERE}:hyperopt_sample",
            differs="it trades by other signals",
        ),
    ),
    size=4,
    compares=(
        "Ten epochs, of which the first one of each process is not counted, as it starts in it. "
        "The results of all epochs of LiqTrend are equal in all rounds."
    ),
    prepare=f"{_HERE}:prepare_history",
    growth=(Growth("days", f"{_HERE}:hyperopt_liqtrend", (2, 8), f"{_HERE}:prepare_history"),),
    interruptible=True,
)
