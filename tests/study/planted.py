"""Generated markets in which liquidations mean something, nothing, or the opposite."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from liq_provider.core.arrays import FloatArray, IntArray
from liq_provider.core.durations import MINUTE_MS
from liq_provider.measure.features import compute_features
from liq_provider.measure.minute_grid import FeatureParams, MinuteGrid
from liq_provider.measure.minute_results import Computed
from liq_provider.study.pair_past import PairPast

START_MS = 1_767_225_600_000  # 2026-01-01 00:00 UTC
TIMEFRAME_MIN = 5
_DAY_MIN = 1_440
_NOISE = 0.0009  # of a candle
_WAVES_A_DAY = 6
_WAVE_MIN = 3
_RUN_MIN = 60


@dataclass(frozen=True)
class Market:
    """
    One pair, from minute 0 on.

    :param longs: USD of long liquidations by minute; so are shorts
    :param orders: their number by minute
    :param close: of candles; the first open is 100
    """

    longs: FloatArray
    shorts: FloatArray
    orders: IntArray
    close: FloatArray

    @property
    def open(self) -> FloatArray:
        return np.concatenate([[100.0], self.close[:-1]])


def market(seed: int, days: int, edge: float) -> Market:
    """
    :param edge: what price does in the hour after a wave, in the direction of the wave, as a
        share; negative for a reversal
    """
    rng = np.random.default_rng(seed)
    minutes, candles = days * _DAY_MIN, days * _DAY_MIN // TIMEFRAME_MIN
    some = rng.random(minutes) < 0.15
    size = np.where(some, rng.lognormal(8.0, 1.0, minutes), 0.0)
    long_side = rng.random(minutes) < 0.5
    longs, shorts = np.where(long_side, size, 0.0), np.where(long_side, 0.0, size)
    orders = some.astype(np.int64)
    returns = rng.normal(0, _NOISE, candles)
    apart = _DAY_MIN // _WAVES_A_DAY
    for first in range(2 * apart, minutes - apart, apart):
        begin = first + int(rng.integers(0, apart - _RUN_MIN - 30))
        candle = (begin + _WAVE_MIN) // TIMEFRAME_MIN + 1
        # Liquidations hit those whom the last hour went against, more often than not.
        moved = np.sign(returns[candle - 16 : candle - 1].sum())
        sign = int(moved) if rng.random() < 0.65 else -int(moved)
        side = shorts if sign > 0 else longs
        side[begin : begin + _WAVE_MIN] += 150_000 * rng.lognormal(0, 0.3, _WAVE_MIN)
        orders[begin : begin + _WAVE_MIN] += 8
        run = slice(candle, candle + _RUN_MIN // TIMEFRAME_MIN)
        returns[run] += sign * edge / (_RUN_MIN // TIMEFRAME_MIN)
    # On the tick, as candles are.
    return Market(longs, shorts, orders, np.round(100 * np.cumprod(1 + returns), 3))


def pair_data(made: Market, pair: str = "BTC/USDT:USDT", unknown: Collection[int] = ()) -> PairPast:
    """
    What a study is made of.

    :param unknown: minutes in which nobody listened
    """
    size = len(made.longs)
    covered = np.ones((1, size), dtype=bool)
    covered[0, list(unknown)] = False
    grid = MinuteGrid(
        START_MS,
        ("binance",),
        made.longs[None],
        made.shorts[None],
        made.orders[None],
        covered,
    )
    rows = Computed("BTC", compute_features(grid, FeatureParams()), np.arange(size)).rows()
    opened = START_MS + np.arange(len(made.close), dtype=np.int64) * TIMEFRAME_MIN * MINUTE_MS
    step_ms = TIMEFRAME_MIN * MINUTE_MS
    return PairPast(pair, step_ms, opened, made.open, made.close, rows, ["binance"] * size)
