"""
Columns the slow way, one inserted after the other: what fast ones are compared with.

The three steps are those of a strategy, between which Freqtrade does its own.
"""

from typing import Any

import numpy as np
import talib
from pandas import DataFrame

from liq_provider.bot.columns import REVERSAL, entry_tag
from liq_provider.core.arrays import BoolArray, IntArray
from liq_provider.core.durations import MINUTE_MS
from liq_provider.judge.decisions import CandleTrend, Decisions, Rules, VerdictMode, decide
from liq_provider.measure.feature_rows import FeatureRows, State
from liq_provider.measure.trend import trend_inputs
from liq_provider.measure.waves import Thresholds


class SlowColumns:
    """
    :param rows: features of the pair
    :param live: only who is offered may enter in the newest candle, and here nobody is
    :param late: candles by which signals are delayed
    """

    def __init__(
        self,
        rows: FeatureRows,
        verdicts: list[dict[str, Any]],
        rules: Rules,
        mode: VerdictMode,
        candles: int,
        *,
        live: bool = False,
        late: int = 0,
    ) -> None:
        self._rows, self._verdicts, self._rules = rows, verdicts, rules
        self._mode, self._candles = mode, candles
        self._live, self._late = live, late
        self._decisions: Decisions | None = None

    def indicators(self, frame: DataFrame) -> DataFrame:
        change, noise = trend_inputs(frame["close"].to_numpy(), self._candles)
        frame = frame.assign(liq_trend_change=change, liq_trend_noise=noise)
        high, low, close = (frame[name].to_numpy(dtype=float) for name in ("high", "low", "close"))
        return frame.assign(
            atr=talib.ATR(high, low, close, timeperiod=14), rsi=talib.RSI(close, timeperiod=14)
        )

    def entries(self, frame: DataFrame) -> DataFrame:
        trend = CandleTrend(
            frame["liq_trend_change"].to_numpy(), frame["liq_trend_noise"].to_numpy()
        )
        close_ms = _closes(frame)
        decisions = decide(close_ms, self._rows, trend, self._verdicts, self._rules, self._mode)
        self._decisions = decisions
        entry = decisions.entry.copy()
        if self._live and len(entry):
            entry[-1] = False
        return frame.assign(
            **_decision_columns(decisions, self._rules.thresholds),
            **_entry_columns(decisions, entry, self._late),
        )

    def exits(self, frame: DataFrame) -> DataFrame:
        assert self._decisions is not None
        return frame.assign(**_exit_columns(self._decisions, self._late))


def _closes(frame: DataFrame) -> IntArray:
    opened: IntArray = frame["date"].dt.as_unit("ms").astype("int64").to_numpy()
    return opened + MINUTE_MS


def _decision_columns(decisions: Decisions, thresholds: Thresholds) -> dict[str, Any]:
    long_usd, short_usd, purity, count = (
        np.where(decisions.state == State.UNCOVERED, np.nan, values)
        for values in (decisions.long_usd, decisions.short_usd, decisions.purity, decisions.count)
    )
    return {
        "liq_long_usd": long_usd,
        "liq_short_usd": short_usd,
        "liq_long_usd_down": -long_usd,
        "liq_count": count,
        "liq_z": decisions.z,
        "liq_zscore": thresholds.zscore,
        "liq_z_threshold": thresholds.z_threshold,
        "liq_z_strong": thresholds.z_strong,
        "liq_purity": purity,
        "liq_purity_threshold": thresholds.purity_threshold,
        "liq_purity_strong": thresholds.purity_strong,
        "liq_state": decisions.state,
        "liq_strength": decisions.strength,
        "liq_sign": decisions.sign,
        "liq_wave": decisions.wave_ms,
        "liq_seen": decisions.seen.astype(np.int64),
        "liq_aligned": decisions.aligned,
        "liq_judged": decisions.judged.astype(np.int64),
        "liq_news": decisions.news,
        "liq_level": decisions.level,
        "liq_candidate": decisions.candidate.astype(np.int64),
        "liq_wave_side": decisions.sign * decisions.strength,
        "liq_verdict_side": decisions.sign * decisions.level,
    }


def _entry_columns(decisions: Decisions, entry: BoolArray, late: int) -> dict[str, Any]:
    tags = np.full(len(entry), "", dtype=object)
    for row in np.flatnonzero(entry):
        tags[row] = entry_tag(
            int(decisions.sign[row]), int(decisions.strength[row]), int(decisions.level[row])
        )
    columns = {
        "enter_long": (entry & (decisions.sign > 0)).astype(np.int64),
        "enter_short": (entry & (decisions.sign < 0)).astype(np.int64),
        "enter_tag": tags,
    }
    return {name: _delayed(values, late) for name, values in columns.items()}


def _exit_columns(decisions: Decisions, late: int) -> dict[str, Any]:
    against_long = decisions.sure & (decisions.sign < 0)
    against_short = decisions.sure & (decisions.sign > 0)
    columns = {
        "exit_long": against_long.astype(np.int64),
        "exit_short": against_short.astype(np.int64),
        "exit_tag": np.where(against_long | against_short, REVERSAL, "").astype(object),
    }
    return {name: _delayed(values, late) for name, values in columns.items()}


def _delayed(values: Any, late: int) -> Any:
    if not late:
        return values
    moved = np.roll(values, late)
    moved[:late] = "" if values.dtype == object else 0
    return moved
