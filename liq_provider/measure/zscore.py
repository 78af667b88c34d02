"""The z of every minute of one coin, for one fixed set of venues."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from liq_provider.core.arrays import BoolArray, CountArray, FloatArray, IntArray
from liq_provider.measure.minute_grid import FeatureParams, MinuteGrid
from liq_provider.measure.window_sums import strided_sum, window_sum

# Below this squared coefficient of variation sum(x^2)/n - mean^2 has lost digits that the
# promised 1e-9 needs, and the window is done again in two passes.
_FLAT_CV2 = 1e-4
# Sums of the same money in another order differ by less than this share of it. A smaller
# spread is rounding: such a baseline is constant, and its std exactly 0.
ROUNDING = 1e-12
_ROWS_AT_ONCE = 4_096  # of the second pass, to bound its memory

Value = TypeVar("Value", np.float64, np.int64)


@dataclass(slots=True)
class Scored:
    """One value per minute, as arrays of one length."""

    long_usd: FloatArray
    short_usd: FloatArray
    count: IntArray
    z: FloatArray
    mean_usd: FloatArray
    std_usd: FloatArray
    active_n: CountArray


def covered_segments(covered: BoolArray, segment_min: int) -> BoolArray:
    """:return: where all minutes of the segment are covered; shape (minutes,) as given"""
    if covered.all():
        whole = covered.copy()
        whole[: segment_min - 1] = False  # nothing is known before the first minute
        return whole
    counted = window_sum(covered.astype(np.int32), 1, segment_min)
    return np.asarray(counted == segment_min)


def segments(grid: MinuteGrid, segment_min: int, mask: int) -> tuple[FloatArray, BoolArray]:
    """
    :param mask: venues, as bits
    :return: what each segment is worth to them, and where all of them know it for a baseline
    """
    members = members_of(mask)
    long_usd = window_sum(_together(grid.long_usd, members), 1, segment_min)
    short_usd = window_sum(_together(grid.short_usd, members), 1, segment_min)
    covered = np.logical_and.reduce(
        [covered_segments(grid.in_baselines[row], segment_min) for row in members]
    )
    return long_usd + short_usd, covered


def score_venues(
    grid: MinuteGrid,
    params: FeatureParams,
    mask: int,
    covered: BoolArray,
    baseline_n: CountArray,
    skipped: int,
) -> Scored:
    """
    :param mask: the venues, as bits
    :param covered: the segments that all of them know for a baseline
    :param baseline_n: the baseline segments that all of them know
    :param skipped: minutes of look-back, which are not scored themselves
    """
    members = members_of(mask)
    stride, width = params.segment_min, params.baseline_segments
    long_usd = window_sum(_together(grid.long_usd, members), 1, stride)
    short_usd = window_sum(_together(grid.short_usd, members), 1, stride)
    count = window_sum(_together(grid.count, members), 1, stride)
    notional = long_usd + short_usd
    if not covered.all():
        notional[~covered] = 0.0
    n = np.maximum(baseline_n[skipped:], 1).astype(np.float64)
    mean = strided_sum(notional, stride, width, skipped)
    mean /= n
    square = mean * mean
    variance = strided_sum(notional * notional, stride, width, skipped)
    variance /= n
    variance -= square
    square *= _FLAT_CV2
    flat = np.flatnonzero(variance < square)
    np.maximum(variance, 0.0, out=variance)
    std = np.sqrt(variance, out=variance)
    if len(flat):
        mean[flat], std[flat] = _two_pass(notional, covered, flat + skipped, stride, width)
    z = np.subtract(notional[skipped:], mean, out=square)
    divide_by_std(z, std)
    active_n = strided_sum((notional > 0).astype(np.int32), stride, width, skipped)
    return Scored(long_usd[skipped:], short_usd[skipped:], count[skipped:], z, mean, std, active_n)


def without_newest(
    grid: MinuteGrid, segment_min: int, mask: int, rows: IntArray
) -> tuple[FloatArray, FloatArray, IntArray]:
    """
    :param mask: venues, as bits
    :param rows: positions whose whole segment is within the grid
    :return: long and short USD and count of their segments without the newest minute
    """
    members = members_of(mask)
    long_usd, short_usd = np.zeros(len(rows)), np.zeros(len(rows))
    count = np.zeros(len(rows), dtype=np.int64)
    for venue in members:
        for back in range(1, segment_min):
            long_usd += grid.long_usd[venue, rows - back]
            short_usd += grid.short_usd[venue, rows - back]
            count += grid.count[venue, rows - back]
    return long_usd, short_usd, count


def divide_by_std(excess: FloatArray, std: FloatArray) -> None:
    """
    Make a z of how far a segment lies above its baseline's mean, in place.

    :param std: of the baseline; the z is 0 where it is
    """
    if std.all():
        excess /= std
        return
    constant = std == 0.0
    excess[constant] = 0.0
    excess /= np.where(constant, 1.0, std)


def members_of(mask: int) -> list[int]:
    """
    >>> members_of(0b101)
    [0, 2]
    """
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]


def _together(values: npt.NDArray[Value], members: list[int]) -> npt.NDArray[Value]:
    total: npt.NDArray[Value] = values[members[0]]
    for row in members[1:]:
        total = total + values[row]
    return total


def _two_pass(
    notional: FloatArray, covered: BoolArray, rows: IntArray, stride: int, width: int
) -> tuple[FloatArray, FloatArray]:
    """Mean and std of some baselines by their definition."""
    means, stds = np.empty(len(rows)), np.empty(len(rows))
    steps = stride * np.arange(1, width + 1)
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        index = rows[part, None] - steps
        known = index >= 0
        index[~known] = 0
        known &= covered[index]
        n = known.sum(axis=1)
        values = np.where(known, notional[index], 0.0)
        mean = values.sum(axis=1) / n
        largest = values.max(axis=1)
        smallest = np.where(known, values, np.inf).min(axis=1)
        values -= mean[:, None]
        values[~known] = 0.0
        std = np.sqrt((values * values).sum(axis=1) / n)
        std[largest - smallest <= ROUNDING * largest] = 0.0
        means[part], stds[part] = mean, std
    return means, stds
