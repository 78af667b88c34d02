"""Single candles among those of a pair: a backtest asks for one in every step of an open trade."""

import numpy as np

from liq_provider.core.arrays import FloatArray, IntArray


def row_at(closes: IntArray, close_ms: int, timeframe_ms: int) -> int | None:
    """
    :param closes: of candles, ascending
    :return: position of the candle that closed at ``close_ms``, None if there is none
    """
    row = rows_until(closes, close_ms, timeframe_ms) - 1
    return row if row >= 0 and closes[row] == close_ms else None


def rows_until(closes: IntArray, now_ms: int, timeframe_ms: int) -> int:
    """:return: how many of the candles were closed at ``now_ms``"""
    if not len(closes):
        return 0
    # Candles follow each other evenly; only where some are missing must they be searched.
    count = (now_ms - int(closes[0])) // timeframe_ms + 1
    if count <= 0:
        return 0
    if count < len(closes) and closes[count - 1] <= now_ms < closes[count]:
        return count
    return int(np.searchsorted(closes, now_ms, side="right"))


class BestPrice:
    """
    The best price since a position was opened. Asked for one candle after the other, as backtests
    do, it looks at the new one only.

    :param close_ms: closes of a pair's candles, ascending
    """

    def __init__(
        self, close_ms: IntArray, high: FloatArray, low: FloatArray, timeframe_ms: int
    ) -> None:
        self._close_ms, self._high, self._low = close_ms, high, low
        self._timeframe_ms = timeframe_ms
        self._of: tuple[int, bool] | None = None
        self._seen = 0
        self._best = 0.0

    def since(self, opened_ms: int, now_ms: int, short: bool) -> float | None:
        """
        :param opened_ms: when the position was opened
        :return: best price of the candles since then that are complete, None if there is none
        """
        last = rows_until(self._close_ms, now_ms, self._timeframe_ms)
        if self._of != (opened_ms, short) or last < self._seen:
            # The candle in which it was opened is the first one.
            step = self._timeframe_ms
            entry_close_ms = opened_ms - opened_ms % step + step
            first = rows_until(self._close_ms, entry_close_ms - 1, step)
            if last <= first:
                return None
            self._of, self._seen = (opened_ms, short), first
            self._best = float(self._low[first] if short else self._high[first])
        if last > self._seen:
            new = slice(self._seen, last)
            if short:
                self._best = min(self._best, float(self._low[new].min()))
            else:
                self._best = max(self._best, float(self._high[new].max()))
            self._seen = last
        return self._best
