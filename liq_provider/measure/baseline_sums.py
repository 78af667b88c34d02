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

import numpy as np
import numpy.typing as npt

from liq_provider.core.arrays import CountArray, FloatArray, IntArray

ComplexArray = npt.NDArray[np.complex128]


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

    :param number: of the series' first one, by the clock
    :param positions: in the series, ascending
    :param others: where only what is not zero is counted, ascending
    :param stride: distance between elements of one window
    :param width: elements in a window
    """

    def __init__(
        self, number: int, positions: IntArray, others: IntArray, stride: int, width: int
    ) -> None:
        front = number % (stride * width)
        # All that lie whole strides apart are neighbours, and an empty block parts them from the
        # next, so that no window reaches into others.
        blocks = (front + int(positions[-1])) // (stride * width) + 2

        def ordered(places: IntArray) -> tuple[IntArray, IntArray]:
            """:return: their order by line and row, and a number for each that says both"""
            row = (places + front) // stride
            line = places + front - row * stride
            order = np.argsort(line.astype(np.min_scalar_type(stride)), kind="stable")
            return order, (line * (blocks * width) + row)[order]

        self._order, keys = ordered(positions)
        self._block = keys // width
        self._oldest = np.searchsorted(keys, keys - width)
        order, between = ordered(others)
        self._others = np.empty((2, len(others)), dtype=np.int64)
        self._others[:, order] = np.searchsorted(keys, [between - width, between])

    def sums(self, values: FloatArray) -> tuple[FloatArray, FloatArray, CountArray]:
        """
        :param values: at the positions
        :return: for the positions, then for the others, how many elements of the window are not
            zero, behind the sum and the sum of the squares: of positions that are not zero
        """
        size, ordered = len(values), values[self._order]
        busy = ordered != 0.0
        sums = np.zeros(size + self._others.shape[1], dtype=np.complex128)
        active_n = np.empty(len(sums), dtype=np.int32)
        if busy.all():
            sums[self._order] = _sums_of_busy(ordered, self._block, self._oldest)
            active_n[self._order] = np.arange(size) - self._oldest
            active_n[size:] = self._others[1] - self._others[0]
        else:
            rows = np.flatnonzero(busy)
            before = np.concatenate(([0], np.cumsum(busy)))  # so many are busy before each
            oldest = before[self._oldest]
            of_busy = _sums_of_busy(ordered[rows], self._block[rows], oldest[rows])
            sums[self._order[rows]] = of_busy
            active_n[self._order] = before[:-1] - oldest
            active_n[size:] = before[self._others[1]] - before[self._others[0]]
        return sums.real, sums.imag, active_n


def _sums_of_busy(values: FloatArray, block: IntArray, oldest: IntArray) -> ComplexArray:
    """
    :param block: of each value, ascending
    :param oldest: position of the oldest value in the window of each
    :return: of each, the sum over its window
    """
    if not len(values):
        return np.zeros(0, dtype=np.complex128)
    new = np.concatenate(([True], block[1:] != block[:-1]))
    row, starts = np.cumsum(new) - 1, np.flatnonzero(new)
    column = np.arange(len(values)) - starts[row]
    # One more in front of each block: nothing is added up before its first.
    size = int(column.max()) + 2
    place = row * size + column
    both = np.zeros(len(starts) * size, dtype=np.complex128)
    both.real[place + 1], both.imag[place + 1] = values, values * values
    table = both.reshape(-1, size)
    sums: ComplexArray = np.cumsum(table, axis=1).reshape(-1)[place]
    since = np.cumsum(table[:, :0:-1], axis=1).reshape(-1)
    backwards = row * (size - 1) + size - 2 - column
    # The window's older end, where anything of it lies in the block before.
    earlier = block[oldest] == block - 1
    sums += np.where(earlier, since[backwards[oldest]], 0.0)
    return sums
