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

from collections.abc import Iterator
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class _Line:
    """
    Positions that lie whole strides apart.

    :param at: which of all positions they are
    :param block: of each, ascending
    :param oldest: of its window, among these
    :param others: which of the others lie between them, and of these the first position that
        comes after, and the oldest of the window
    """

    at: IntArray
    block: IntArray
    oldest: IntArray
    others: tuple[IntArray, IntArray, IntArray]


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
        self._others = len(others)
        front = number % (stride * width)

        def by_line(places: IntArray) -> Iterator[tuple[IntArray, IntArray]]:
            """:return: for each line, which of the places are in it, and their rows"""
            row = (places + front) // stride
            line = (places + front - row * stride).astype(np.min_scalar_type(stride))
            order = np.argsort(line, kind="stable")
            row, ends = row[order], np.cumsum(np.bincount(line, minlength=stride))
            for first, end in zip((0, *ends), ends, strict=False):
                yield order[first:end], row[first:end]

        # One line after the other, because short arrays stay in the processor's cache.
        self._lines = [
            _Line(
                at,
                row // width,
                np.searchsorted(row, row - width),
                (other, *np.searchsorted(row, (between, between - width))),
            )
            for (at, row), (other, between) in zip(by_line(positions), by_line(others), strict=True)
        ]

    def sums(self, values: FloatArray) -> tuple[FloatArray, FloatArray, CountArray, CountArray]:
        """
        :param values: at the positions
        :return: the sums and those of the squares, of positions that are not zero; how many
            elements of the window are not zero; and the same for the others
        """
        sums = np.zeros(len(values), dtype=np.complex128)
        active_n = np.empty(len(values), dtype=np.int32)
        of_others = np.empty(self._others, dtype=np.int32)
        for line in self._lines:
            own, oldest, block, at = values[line.at], line.oldest, line.block, line.at
            other, after, first = line.others
            busy = own != 0.0
            if busy.all():
                active_n[at] = np.arange(len(at)) - oldest
                of_others[other] = after - first
            else:
                before = np.concatenate(([0], np.cumsum(busy)))  # so many are busy before each
                active_n[at] = before[:-1] - before[oldest]
                of_others[other] = before[after] - before[first]
                rows = np.flatnonzero(busy)
                own, block, at = own[rows], block[rows], at[rows]
                oldest = before[oldest[rows]]
            sums[at] = _sums_of_busy(own, block, oldest)
        return sums.real, sums.imag, active_n, of_others


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
    both.real[1:][place], both.imag[1:][place] = values, values * values
    table = both.reshape(-1, size)
    sums: ComplexArray = np.cumsum(table, axis=1).reshape(-1)[place]
    # The window's older end, where anything of it lies in the block before.
    earlier = block[oldest] == block - 1
    since = np.cumsum(table[:, :0:-1], axis=1).reshape(-1)
    backwards = row * (size - 1) + size - 2 - column
    sums[earlier] += since[backwards[oldest[earlier]]]
    return sums
