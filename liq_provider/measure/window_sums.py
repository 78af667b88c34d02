"""
Window sums over long, heavy-tailed, non-negative series that keep full relative accuracy.

A difference of running totals loses the small windows that follow a giant print, so nothing
here ever subtracts: a window of 288 is a window of 256 plus one of 32, and each power of two is
two of the power below. That is log2(width) additions per element, of whole arrays.

The order of the additions depends on the window alone, never on where the series begins. What
live trading computes minute by minute is therefore bit for bit what a backtest computes at once.
"""

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from liq_provider.core.arrays import BoolArray, IntArray

Number = TypeVar("Number", bound=np.number[Any])


def trailing_count(flags: BoolArray, width: int) -> IntArray:
    """
    How many of the latest ``width`` flags are set, at every position.

    :param flags: shape (n,)
    :return: shape (n,)
    """
    return window_sum(flags.astype(np.int32), 1, width).astype(np.int64)


def strided_sum(
    values: npt.NDArray[Number], stride: int, width: int, skipped: int = 0
) -> npt.NDArray[Number]:
    """
    For every t, ``values[t - stride] + values[t - 2 stride] + ...``, ``width`` terms.

    >>> strided_sum(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), 2, 2).tolist()
    [0.0, 0.0, 1.0, 2.0, 4.0, 6.0]

    :param values: shape (n,), non-negative
    :param stride: distance between elements of one window
    :param width: elements in a window
    :param skipped: how many positions at the front are not asked for
    :return: shape (n - skipped,)
    """
    sums = window_sum(values, stride, width)
    if skipped >= stride:
        return sums[skipped - stride : len(sums) - stride]
    moved = np.zeros_like(sums)
    moved[stride:] = sums[:-stride]
    return moved[skipped:]


def strided_count(flags: BoolArray, stride: int, width: int) -> IntArray:
    """
    For every t, how many of ``flags[t - stride], flags[t - 2 stride], ...`` are set.

    :param flags: shape (n,)
    :param stride: distance between elements of one window
    :param width: elements in a window
    :return: shape (n,)
    """
    return strided_sum(flags.astype(np.int32), stride, width).astype(np.int64)


def window_sum(values: npt.NDArray[Number], stride: int, width: int) -> npt.NDArray[Number]:
    """
    For every t, ``values[t] + values[t - stride] + ...``, ``width`` terms, in the series' own type.

    :param values: shape (n,)
    :param stride: distance between elements of one window
    :param width: elements in a window, at least 1
    :return: shape (n,), never the input itself
    """
    total: npt.NDArray[Number] | None = None
    taken, power, block = 0, values, 1
    # Two arrays in turn, because adding an array to itself in place would make a third.
    spare: npt.NDArray[Number] | None = None
    while True:
        if width & block:
            if total is None:
                total = power.copy()
            else:
                _add_earlier(total, power, taken * stride, out=total)
            taken += block
        if taken == width:
            return total if total is not None else values.copy()
        target = np.empty_like(values) if spare is None else spare
        _add_earlier(power, power, block * stride, out=target)
        spare = None if power is values else power
        power, block = target, block * 2


def _add_earlier(
    left: npt.NDArray[Number], right: npt.NDArray[Number], shift: int, out: npt.NDArray[Number]
) -> None:
    """Write ``left[t] + right[t - shift]``; nothing is added where there is no earlier one."""
    if shift >= len(left):
        np.copyto(out, left)
        return
    if out is not left:
        out[:shift] = left[:shift]
    np.add(left[shift:], right[:-shift], out=out[shift:])
