"""
Sums over baselines, in an order of additions that the clock fixes.

Segments that lie one segment apart are numbered by the clock, and ``width`` numbers in a row are
a block. A baseline is the end of one block and the beginning of the next. Its sum is that of the
end, added up backwards, and that of the beginning, added up forwards. Nothing is subtracted: a
difference of running totals would lose the small windows that follow a giant print.

The order depends on the clock and on the windows alone, never on where the series begins. What
live trading computes minute by minute is therefore bit for bit what a backtest computes at once.
And an empty segment adds exactly nothing, so whoever leaves all of them out (``BusyBaselines``)
has the same bits as well.

A number and its square are added up together, as the two halves of a complex number.
"""

from collections.abc import Callable

import numpy as np

from liq_provider.core.arrays import CountArray, FloatArray, IntArray
from liq_provider.measure.block_rows import BlockRows
from liq_provider.measure.ranks import Ranks


def baseline_sums(
    values: FloatArray, number: int, stride: int, width: int
) -> tuple[FloatArray, FloatArray]:
    """
    For every t, ``values[t - stride] + values[t - 2 stride] + ...``, ``width`` terms.

    >>> baseline_sums(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), 7, 2, 2)[0].tolist()
    [0.0, 0.0, 1.0, 2.0, 4.0, 6.0]

    :param values: shape (n,), non-negative
    :param number: of the first one, by the clock
    :param stride: distance between elements of one window
    :param width: elements in a window
    :return: the sums, and those of the squares; shape (n,)
    """
    front, size = number % (stride * width), len(values)
    blocks = -(-(front + size) // (stride * width))
    padded = np.zeros(blocks * width * stride)
    padded[front : front + size] = values
    # One more in front of each block: nothing is added up before its first.
    both = np.zeros((blocks, stride, width + 1), dtype=np.complex128)
    both.real[:, :, 1:] = padded.reshape(blocks, width, stride).transpose(0, 2, 1)
    np.multiply(both.real, both.real, out=both.imag)
    sums = np.cumsum(both, axis=2)[:, :, :width]
    sums[1:] += np.cumsum(both[:-1, :, :0:-1], axis=2)[:, :, ::-1]
    in_time = sums.transpose(0, 2, 1).reshape(-1)[front : front + size]
    return in_time.real, in_time.imag


class BusyBaselines:
    """
    The same for those positions of a series that alone may be other than zero.

    Positions whole strides apart are a line. Line after line each position has its place, and
    ``width`` places are a block, with some that stay empty before each line.

    :param number: of the series' first one, by the clock
    :param positions: in the series, ascending
    :param others: where only what is not zero is counted, ascending
    :param stride: distance between elements of one window
    :param width: elements in a window
    """

    def __init__(
        self, number: int, positions: IntArray, others: IntArray, stride: int, width: int
    ) -> None:
        # A window may begin a block earlier, and one of the others be just before the series.
        front = number % (stride * width) + 2 * stride * width
        last = max(int(part[-1]) if len(part) else 0 for part in (positions, others))
        line = ((front + last) // (stride * width) + 1) * width

        def places(of: IntArray) -> IntArray:
            place = of + front
            row = place // stride
            # (place - row * stride) * line + row
            place *= line
            row *= stride * line - 1
            place -= row
            return place

        own, other = places(positions), places(others)
        ranks = Ranks(own, stride * line)
        self._rank, self._oldest = ranks.before(own), ranks.before(own - width)
        self._others = ranks.before(other), ranks.before(other - width)
        self._rows = BlockRows(ranks.before(np.arange(0, stride * line + 1, width)))
        block = own // width
        self._older = self._rows.before(self._rank, block)
        block -= 1
        self._newer = self._rows.since(self._oldest, block)

    def sums(self, values: FloatArray) -> tuple[FloatArray, FloatArray, CountArray, CountArray]:
        """
        :param values: at the positions
        :return: the sums and those of the squares; how many elements of the window are not zero;
            and the same for the others
        """
        both = np.empty(len(values), dtype=np.complex128)
        both.real = values
        np.multiply(values, values, out=both.imag)
        older, newer = self._rows.added_up(both, self._older)
        sums = older[self._older]
        sums += newer[self._newer]
        busy = values != 0.0
        if busy.all():
            return sums.real, sums.imag, *self._counts(lambda ranks: ranks)
        before = np.zeros(len(values) + 1, dtype=np.int64)  # so many are busy before each
        before[1:][self._rank] = busy
        np.cumsum(before, out=before)
        return sums.real, sums.imag, *self._counts(before.__getitem__)

    def _counts(self, busy_before: Callable[[IntArray], IntArray]) -> tuple[CountArray, CountArray]:
        """
        :param busy_before: of ranks, how many of those before are not zero
        :return: elements of windows that are not zero
        """
        own = busy_before(self._rank) - busy_before(self._oldest)
        other, oldest = self._others
        others = busy_before(other) - busy_before(oldest)
        return own.astype(np.int32), others.astype(np.int32)
