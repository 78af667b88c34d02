"""
Does price agree? One rule for the strategy and the judge.

Over the last n closed candles: the return ``c = close[t] / close[t-n] - 1`` against what the
candles' own noise would give, ``v = std(one-candle log returns) * sqrt(n)`` (random walk
scaling of volatility). Up if c > k v, down if c < -k v, else flat.
"""

import numpy as np
import numpy.typing as npt

from liq_provider.core.arrays import FloatArray, IntArray


def trend_inputs(close: npt.ArrayLike, candles: int) -> tuple[FloatArray, FloatArray]:
    """
    The two numbers that the trend compares, for every candle.

    :param close: closes of closed candles, oldest first
    :param candles: n, the look-back in candles
    :return: c and v as ratios, NaN for the first n candles
    """
    prices = np.asarray(close, dtype=np.float64)
    change = np.full(len(prices), np.nan)
    noise = np.full(len(prices), np.nan)
    if len(prices) > candles:
        change[candles:] = prices[candles:] / prices[:-candles] - 1
        noise[candles:] = _trailing_std(np.diff(np.log(prices)), candles) * np.sqrt(candles)
        change[np.isnan(noise)] = np.nan  # a missing candle within the look-back
    return change, noise


def _trailing_std(values: FloatArray, width: int) -> FloatArray:
    """Population std of every ``width`` neighbours in two passes, always added in one order."""
    size = len(values) - width + 1
    mean, squares = np.zeros(size), np.zeros(size)
    for k in range(width):
        mean += values[k : k + size]
    mean /= width
    for k in range(width):
        squares += (values[k : k + size] - mean) ** 2
    std: FloatArray = np.sqrt(squares / width)
    return std


def trend_signs(change: FloatArray, noise: FloatArray, k: float) -> IntArray:
    """
    :param change: c
    :param noise: v
    :param k: how many v a move must exceed
    :return: +1 up, -1 down, 0 flat or unknown; ``known`` is ``np.isfinite(change)``
    """
    with np.errstate(invalid="ignore"):
        up, down = change > k * noise, change < -k * noise
    return up.astype(np.int64) - down


def trend_word(sign: int) -> str:
    """+1 -> up, -1 -> down, 0 -> flat."""
    return {1: "up", -1: "down", 0: "flat"}[sign]
