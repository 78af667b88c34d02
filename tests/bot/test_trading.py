"""The frame that Freqtrade trades on is the same as that of columns inserted one by one."""

from collections import Counter
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.enums import CandleType, RunMode
from freqtrade.strategy import IStrategy
from pandas.testing import assert_frame_equal

from benchmarks.slow_columns import SlowColumns
from liq_provider.bot import engine
from liq_provider.bot.engine import Engine
from liq_provider.bot.snapshot import Snapshot
from liq_provider.bot.source import HistorySource, LiveSource
from liq_provider.config.settings import Settings
from liq_provider.core.durations import MINUTE_MS
from liq_provider.judge.decisions import Rules
from liq_provider.measure.feature_rows import FeatureRows, State
from tests.bot.helpers import at, begun, settings, verdict
from tests.bot.test_engine import BTC
from tests.strategies.test_search import loaded

SPAN = 600
NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Slow(IStrategy):
    """Freqtrade's steps, and in each of them the slow columns."""

    INTERFACE_VERSION = 3
    timeframe = "1m"
    columns: SlowColumns

    def populate_indicators(self, dataframe: pd.DataFrame, metadata: dict) -> pd.DataFrame:
        return self.columns.indicators(dataframe)

    def populate_entry_trend(self, dataframe: pd.DataFrame, metadata: dict) -> pd.DataFrame:
        return self.columns.entries(dataframe)

    def populate_exit_trend(self, dataframe: pd.DataFrame, metadata: dict) -> pd.DataFrame:
        return self.columns.exits(dataframe)


class Past(HistorySource):
    """One coin's rows and verdicts, whatever is asked for."""

    def __init__(self, rows: FeatureRows, verdicts: list[dict[str, Any]]) -> None:
        super().__init__(None, settings())
        self._known = rows, verdicts

    def rows(self, *_: object, **__: object) -> FeatureRows:
        return self._known[0]

    def verdicts(self, *_: object) -> list[dict[str, Any]]:
        return self._known[1]


def candles(rng: np.random.Generator, size: int) -> pd.DataFrame:
    """The last one closes at the end of the span."""
    close = 100 * np.exp(np.cumsum(rng.normal(0, 2e-3, size)))
    opened = at(SPAN) + MINUTE_MS * np.arange(-size, 0, dtype=np.int64)
    return pd.DataFrame(
        {
            "date": pd.to_datetime(opened, unit="ms", utc=True),
            "open": close,
            "high": close * 1.001,
            "low": close * 0.999,
            "close": close,
            "volume": rng.random(size),
        }
    )


def features(rng: np.random.Generator, share: float) -> FeatureRows:
    """:param share: of the minutes that have any"""
    minutes = np.flatnonzero(rng.random(SPAN) < share) + 1
    size = len(minutes)
    usd, side = rng.lognormal(11, 2, size), rng.beta(0.2, 0.2, size)
    return FeatureRows(
        close_ms=np.array([at(int(minute)) for minute in minutes], dtype=np.int64),
        long_usd=usd * side,
        short_usd=usd * (1 - side),
        count=rng.integers(1, 20, size),
        z=np.where(rng.random(size) < 0.1, np.nan, rng.normal(2, 3, size)),
        robust_z=rng.normal(0, 1, size),
        percentile=rng.random(size),
        state=rng.choice([int(state) for state in State], size, p=[0.1, 0.1, 0.1, 0.7]),
        baseline_n=rng.integers(0, 289, size),
        active_n=rng.integers(0, 289, size),
        **begun(rng.random(size) < 0.8),
    )


def verdicts(rng: np.random.Generator, rows: FeatureRows) -> list[dict[str, Any]]:
    """Of some of the minutes, whatever they were."""
    chosen = np.sort(rng.choice(len(rows), min(len(rows), 30), replace=False))
    minutes = [(int(rows.close_ms[row]) - at(0)) // MINUTE_MS for row in chosen]
    return [
        verdict(
            minute,
            minute + int(rng.integers(0, 5)),
            direction=str(rng.choice(["LONG", "SHORT"])),
            news=str(rng.choice(["supports", "none", "contradicts", "not_asked"])),
            action=str(rng.choice(["enter", "skip"])),
            downgrade=int(rng.integers(0, 2)),
        )
        for minute in minutes
    ]


@pytest.fixture
def strategy(tmp_path: Path) -> Any:
    return started(loaded(), tmp_path)


def started(kind: Any, tmp_path: Path) -> Any:
    """The strategy as Freqtrade has it for a plot, which needs no store."""
    made = kind(
        {
            "runmode": RunMode.PLOT,
            "trading_mode": "futures",
            "margin_mode": "isolated",
            "candle_type_def": CandleType.FUTURES,
            "timeframe": "1m",
            "max_open_trades": 5,
            "exchange": {},
            "user_data_dir": tmp_path / "user_data",
            "liq_provider": {},
        }
    )
    made.bot_start()
    return made


def given(
    strategy: Any,
    mode: str,
    own: Settings,
    rows: FeatureRows,
    judged: list[dict[str, Any]],
) -> None:
    """Let the strategy decide about these."""
    if mode == "live":
        snapshot = Snapshot(rows={"BTC": rows} if len(rows) else {}, verdicts={"BTC": judged})
        source = LiveSource(SimpleNamespace(), own)  # type: ignore[arg-type]
        source.snapshot = snapshot
        strategy.liq.live = SimpleNamespace()
    else:
        source = Past(rows, judged)  # type: ignore[assignment]
        strategy.liq.live = None
    strategy.liq.settings = own
    strategy.liq.engine = Engine(own, MINUTE_MS, source, mode)  # type: ignore[arg-type]


def whole_frame(strategy: Any, frame: pd.DataFrame) -> pd.DataFrame:
    """:return: the frame after all that Freqtrade does with it"""
    made: pd.DataFrame = strategy.analyze_ticker(frame.copy(), {"pair": BTC})
    return made


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["live", "recorded", "matrix", "both"])
def test_the_frame_is_that_of_columns_inserted_one_by_one(strategy: Any, mode: str) -> None:
    compared = {"entries": 0, "exits": 0, "neither": 0}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        own = settings(backtest_entry=str(rng.choice(["open", "next"])), min_confidence="low")
        size = int(rng.choice([1, 5, 40, SPAN]))
        frame, rows = candles(rng, size), features(rng, float(rng.choice([0, 0.02, 0.3, 1])))
        judged = verdicts(rng, rows)
        given(strategy, mode, own, rows, judged)
        strategy.min_confidence.value = "low"
        late = 0 if mode == "live" or own.backtest_entry == "open" else 1
        slow = Slow({"timeframe": "1m", "candle_type_def": CandleType.FUTURES, "exchange": {}})
        slow.columns = SlowColumns(
            rows,
            [] if mode == "matrix" else judged,
            Rules.of(own),
            mode,  # type: ignore[arg-type]
            own.trend_candles,
            live=mode == "live",
            late=late,
        )
        expected = whole_frame(slow, frame)
        # A second candle finds what the first one left behind.
        for _ in range(2):
            assert_frame_equal(whole_frame(strategy, frame), expected)
        enters = bool(expected[["enter_long", "enter_short"]].to_numpy().any())
        exits = bool(expected[["exit_long", "exit_short"]].to_numpy().any())
        compared["entries"] += enters
        compared["exits"] += exits
        compared["neither"] += not (enters or exits)
    assert all(compared.values()), compared


@pytest.mark.parametrize("mode", ["live", "matrix"])
def test_a_derived_strategy_may_change_what_is_decided_on(tmp_path: Path, mode: str) -> None:
    """Between Freqtrade's steps the frame is whatever its methods make of it."""

    class Flat(loaded()):  # type: ignore[misc]
        def populate_indicators(self, dataframe: pd.DataFrame, metadata: dict) -> pd.DataFrame:
            frame: pd.DataFrame = super().populate_indicators(dataframe, metadata)
            return frame.assign(liq_trend_change=0.0)

    rng = np.random.default_rng(1)
    rows, frame = features(rng, 1), candles(rng, 100)
    aligned = {}
    for kind in (loaded(), Flat):
        strategy = started(kind, tmp_path)
        given(strategy, mode, settings(), rows, [])
        made = whole_frame(strategy, frame)
        aligned[kind.__name__] = set(made["liq_aligned"][made["liq_strength"] > 0])
        columns = list(made.columns)
    assert aligned["Flat"] == {0} and 1 in aligned["LiqTrend"]
    assert columns == list(made.columns)


def test_a_live_candle_is_decided_once_and_its_frame_is_made_once(
    strategy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    given(strategy, "live", settings(), FeatureRows.empty(), [])
    calls = Counter[str]()
    for name in ("decide", "beside"):
        own = getattr(engine, name)

        def counted(*given: Any, name: str = name, own: Any = own) -> Any:
            calls[name] += 1
            return own(*given)

        monkeypatch.setattr(engine, name, counted)
    whole_frame(strategy, candles(rng, 100))
    assert calls == {"decide": 1, "beside": 1}


def test_rules_that_change_between_the_steps_are_those_of_the_entries(strategy: Any) -> None:
    rng = np.random.default_rng(1)
    given(strategy, "live", settings(), features(rng, 1), [])
    frame = strategy.advise_indicators(candles(rng, 100), {"pair": BTC})
    strategy.z_threshold.value = strategy.z_strong.value = 50.0
    made = strategy.advise_entry(frame, {"pair": BTC})
    assert (frame["liq_strength"] > 0).any() and not made["liq_strength"].any()
    assert set(made["liq_z_threshold"]) == {50.0}


def test_exits_that_a_derived_strategy_made_before_are_overwritten(strategy: Any) -> None:
    rng = np.random.default_rng(1)
    given(strategy, "matrix", settings(), FeatureRows.empty(), [])
    frame = strategy.advise_indicators(candles(rng, 100), {"pair": BTC})
    frame = strategy.advise_entry(frame, {"pair": BTC})
    frame["exit_long"] = 1
    assert not strategy.advise_exit(frame, {"pair": BTC})["exit_long"].any()


def test_a_derived_strategy_is_told_each_stop_as_it_may_make_more_of_it(tmp_path: Path) -> None:
    """Freqtrade takes what its own method says; another one would calculate with it."""

    class Tighter(loaded()):  # type: ignore[misc]
        def custom_stoploss(self, **kwargs: Any) -> float:
            return min(0.015, super().custom_stoploss(**kwargs))

    trade = SimpleNamespace(
        open_rate=100.0,
        open_date_utc=NOW,
        is_short=False,
        leverage=1.0,
        pair=BTC,
        stop_loss=98.0,  # the fallback stop, as Freqtrade has it
        max_rate=100.0,
        liquidation_price=None,
    )
    asked = {
        "pair": BTC,
        "trade": trade,
        "current_time": NOW,
        "current_rate": 100.0,
        "current_profit": 0.0,
    }
    own, derived = started(loaded(), tmp_path), started(Tighter, tmp_path)
    assert own.custom_stoploss(after_fill=False, **asked) is None
    assert own.custom_stoploss(after_fill=True, **asked) == pytest.approx(0.02)
    assert derived.custom_stoploss(after_fill=False, **asked) == 0.015


def test_decisions_are_whole(strategy: Any) -> None:
    """What is shared between loops is never written to."""
    rng = np.random.default_rng(2)
    rows = features(rng, 1)
    before = {one.name: np.copy(getattr(rows, one.name)) for one in fields(rows)}
    given(strategy, "live", settings(), rows, verdicts(rng, rows))
    frame = candles(rng, 100)
    first = whole_frame(strategy, frame)
    first["liq_zscore"], first["exit_tag"], first["liq_z"] = "mine", "mine", 0.0
    first.loc[:, "liq_level"] = 7
    second = whole_frame(strategy, frame)
    assert set(second["liq_zscore"]) == {"classic"} and set(second["exit_tag"]) != {"mine"}
    assert (second["liq_level"] < 7).all()
    for name, values in before.items():
        assert np.array_equal(getattr(rows, name), values, equal_nan=values.dtype.kind == "f")
