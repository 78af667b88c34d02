"""Where liquidations did happen, by price and time: measured, not modelled."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from liq_provider.core.arrays import BoolArray, FloatArray, IntArray
from liq_provider.core.coins import base_asset_of
from liq_provider.plot.records import Candles

_TIME_BINS = 144
_PRICE_BINS = 48  # of the range in which price was
_MOST_PRICE_BINS = 160
# A print farther away than this many times that range, and this share of price, is no price.
_FENCE_RANGES, _FENCE_SHARE = 3.0, 0.05


@dataclass(frozen=True, slots=True)
class Prints:
    """Liquidations in order of time; arrays of one length, prices in units of one pair."""

    event_ms: IntArray
    price: FloatArray
    usd: FloatArray
    is_long: BoolArray

    @classmethod
    def of(cls, rows: Sequence[Any], pair: str) -> "Prints":
        """
        :param rows: of ``Reader.liquidations``
        :param pair: in whose units prices are wanted: 1000PEPE costs a thousand PEPE
        """
        if not rows:
            return cls(np.array([], dtype=np.int64), np.array([]), np.array([]), np.array([], bool))
        event_ms, pairs, sides, price, usd = zip(*rows, strict=True)
        ratio = {name: multiplier(pair) / multiplier(name) for name in set(pairs)}
        return cls(
            np.array(event_ms, dtype=np.int64),
            np.array(price) * np.array([ratio[name] for name in pairs]),
            np.array(usd),
            np.array(sides) == "long",
        )


@dataclass(frozen=True, slots=True)
class HeatMap:
    """
    Sums of liquidations in cells of price and time.

    :param time_ms: edges of the cells, shape (times + 1,)
    :param price: edges of the cells, shape (prices + 1,); empty if nothing was liquidated
    :param long_usd: long positions that were liquidated, shape (prices, times)
    :param short_usd: short positions that were liquidated, shape (prices, times)
    :param outside_usd: at prices too far away to be shown
    """

    time_ms: IntArray
    price: FloatArray
    long_usd: FloatArray
    short_usd: FloatArray
    outside_usd: float = 0.0

    @property
    def usd(self) -> FloatArray:
        """Both sides, shape (prices, times)."""
        return self.long_usd + self.short_usd


def multiplier(pair: str) -> int:
    """
    How many coins one unit of a pair is.

    >>> [multiplier(p) for p in ("1000PEPE/USDT:USDT", "SHIB1000/USDT:USDT", "1INCH/USDT:USDT")]
    [1000, 1000, 1]
    """
    base = pair.partition("/")[0]
    extra = base.replace(base_asset_of(base), "", 1)
    return int(extra.replace("M", "000000") or 1)


def heat_map(
    prints: Prints, candles: Candles, timeframe_ms: int, from_ms: int, to_ms: int
) -> HeatMap:
    """
    :param prints: of ``[from_ms, to_ms)``
    :param candles: which say in what range price was; may be empty
    """
    step_ms = timeframe_ms * max(1, math.ceil((to_ms - from_ms) / timeframe_ms / _TIME_BINS))
    times = np.arange(from_ms, to_ms + step_ms, step_ms, dtype=np.int64)
    if not len(prints.price):
        none = np.zeros((0, len(times) - 1))
        return HeatMap(times, np.array([]), none, none)
    low, high = _range(prints, candles)
    fence = max(_FENCE_RANGES * (high - low), _FENCE_SHARE * high)
    inside = (prints.price >= low - fence) & (prints.price <= high + fence)
    edges = _edges(prints.price[inside], low, high)

    def sums(side: BoolArray) -> FloatArray:
        kept = inside & side
        usd: FloatArray = np.histogram2d(
            prints.price[kept],
            prints.event_ms[kept],
            bins=(edges, times.astype(float)),
            weights=prints.usd[kept],
        )[0]
        return usd

    outside_usd = float(prints.usd[~inside].sum())
    return HeatMap(times, edges, sums(prints.is_long), sums(~prints.is_long), outside_usd)


def _range(prints: Prints, candles: Candles) -> tuple[float, float]:
    """Where price was."""
    if len(candles):
        return float(candles.low.min()), float(candles.high.max())
    low, high = np.quantile(prints.price, [0.05, 0.95])
    return float(low), float(high)


def _edges(prices: FloatArray, low: float, high: float) -> FloatArray:
    """Round prices, ``_PRICE_BINS`` or fewer between low and high."""
    least = min(low, float(prices.min())) if len(prices) else low
    most = max(high, float(prices.max())) if len(prices) else high
    wanted = max((high - low) / _PRICE_BINS, (most - least) / (_MOST_PRICE_BINS - 2), high * 1e-6)
    power = 10.0 ** math.floor(math.log10(wanted))
    step = power * next(f for f in (1, 2, 2.5, 5, 10) if f * power >= wanted * (1 - 1e-9))
    # One more on each side: a price on an edge must not fall off it by the last bit.
    first, last = math.floor(least / step) - 1, math.ceil(most / step) + 1
    return step * np.arange(first, last + 1, dtype=float)
