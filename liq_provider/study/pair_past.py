"""One pair's past: its candles, and what was measured at their closes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liq_provider.core.arrays import FloatArray, IntArray
from liq_provider.core.durations import MINUTE_MS
from liq_provider.measure.feature_rows import FeatureRows, State


@dataclass(frozen=True, slots=True)
class PairPast:
    """
    :param open_ms: opens of the candles, ascending; so are the next two by candle
    :param open: prices
    :param close: prices
    :param rows: features at minute closes, or at the closes of bars
    :param venues: V(t) of each row, as text
    """

    pair: str
    timeframe_ms: int
    open_ms: IntArray
    open: FloatArray
    close: FloatArray
    rows: FeatureRows
    venues: Sequence[str]

    @property
    def close_ms(self) -> IntArray:
        """Closes of the candles."""
        return self.open_ms + self.timeframe_ms

    @property
    def known_ms(self) -> IntArray:
        """Closes of the candles that something is known at."""
        rows = self.rows.close_ms[self.rows.state != State.UNCOVERED]
        return self.close_ms[np.isin(self.close_ms, rows)]

    def between(self, from_ms: int, to_ms: int) -> "PairPast":
        """:return: the candles that close in ``[from_ms, to_ms)``; features stay as they are"""
        part = slice(*np.searchsorted(self.close_ms, [from_ms, to_ms]).tolist())
        return PairPast(
            self.pair,
            self.timeframe_ms,
            self.open_ms[part],
            self.open[part],
            self.close[part],
            self.rows,
            self.venues,
        )

    def forward(self, horizon_min: int, late_candles: int = 0) -> FloatArray:
        """
        Return from the open of the candle after each close to the close ``horizon_min`` later.

        :param late_candles: enter that much later, and leave that much later
        :return: per candle as a share of the entry price; NaN where a candle is missing
        """
        close_ms, wait_ms = self.close_ms, late_candles * self.timeframe_ms
        entry = _at(self.open_ms, close_ms + wait_ms, self.open)
        leave = _at(close_ms, close_ms + wait_ms + horizon_min * MINUTE_MS, self.close)
        return leave / entry - 1


def _at(times_ms: IntArray, wanted_ms: IntArray, values: FloatArray) -> FloatArray:
    if not len(times_ms):
        return np.full(len(wanted_ms), np.nan)
    places = np.minimum(np.searchsorted(times_ms, wanted_ms), len(times_ms) - 1)
    return np.where(times_ms[places] == wanted_ms, values[places], np.nan)
