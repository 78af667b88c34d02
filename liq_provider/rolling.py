"""
Window sums over long, heavy-tailed, non-negative series that keep full relative accuracy.

A difference of running totals loses the small windows that follow a giant print, so nothing
here ever subtracts: every window is the sum of a block's tail and the next block's head (the
two-pass scheme of van Herk and Gil-Werman, applied to sums). O(1) amortised per element.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
T = TypeVar("T", bound=np.generic)


def trailing_sum(values: FloatArray, width: int) -> FloatArray:
    """
    Sum of the latest ``width`` elements at every position; shorter at the front.

    :param values: shape (n,), non-negative
    :return: shape (n,)
    """
    total: FloatArray | None = None
    covered = 0
    power, block = np.asarray(values, dtype=np.float64), 1
    # Binary digits of the width: log2(width) additions per element, and only additions.
    while True:
        if width & block:
            total = power if total is None else _plus_shifted(total, power, covered)
            covered += block
        if covered == width:
            break
        power = _plus_shifted(power, power, block)
        block *= 2
    assert total is not None
    return total


def _plus_shifted(left: FloatArray, right: FloatArray, shift: int) -> FloatArray:
    result = left.copy()
    if shift < len(result):
        result[shift:] += right[:-shift]
    return result


def trailing_count(flags: BoolArray, width: int) -> IntArray:
    """
    How many of the latest ``width`` flags are set, at every position. Exact, being integers.

    :param flags: shape (n,)
    :return: shape (n,)
    """
    running = np.cumsum(flags, dtype=np.int64)
    counted = running.copy()
    counted[width:] -= running[:-width]
    return counted


def strided_count(flags: BoolArray, stride: int, width: int) -> IntArray:
    """
    For every t, how many of ``flags[t - stride], flags[t - 2 stride], ...`` are set.

    :param flags: shape (n,)
    :param stride: distance between elements of one window
    :param width: elements in a window
    :return: shape (n,)
    """
    table = _phases(flags.astype(np.int64), stride)
    running = np.cumsum(table, axis=1)
    counted = np.zeros_like(running)
    counted[:, 1:] = running[:, :-1]
    if table.shape[1] > width + 1:
        counted[:, width + 1 :] -= running[:, : -width - 1]
    return _unphase(counted, len(flags))


def strided_sum(values: FloatArray, stride: int, width: int) -> FloatArray:
    """
    For every t, ``values[t - stride] + values[t - 2 stride] + ...``, ``width`` terms.

    :param values: shape (n,), non-negative
    :param stride: distance between elements of one window
    :param width: elements in a window
    :return: shape (n,)
    """
    table = _phases(values, stride)
    rows = table.shape[1]
    blocks = -(-rows // width)
    padded = np.zeros((stride, blocks, width))
    padded.reshape(stride, -1)[:, :rows] = table
    ending_here = np.cumsum(padded, axis=2)
    # A window reaches into the block before, unless it ends at the last element of its own.
    tail = np.cumsum(padded[:, :, ::-1], axis=2)[:, :, ::-1]
    ending_here[:, 1:, : width - 1] += tail[:, :-1, 1:]
    result = np.zeros((stride, rows))
    result[:, 1:] = ending_here.reshape(stride, -1)[:, : rows - 1]
    return _unphase(result, len(values))


def _phases(values: npt.NDArray[T], stride: int) -> npt.NDArray[T]:
    """Deal a series into ``stride`` rows, element t into row ``t % stride``."""
    rows = -(-len(values) // stride)
    if rows * stride != len(values):
        values = np.concatenate([values, np.zeros(rows * stride - len(values), values.dtype)])
    return np.ascontiguousarray(values.reshape(rows, stride).T)


def _unphase(table: npt.NDArray[T], length: int) -> npt.NDArray[T]:
    return np.ascontiguousarray(table.T).reshape(-1)[:length]
