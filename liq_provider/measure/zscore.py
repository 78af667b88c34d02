"""The z of every minute of one coin, for one fixed set of venues."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from liq_provider.core.arrays import BoolArray, CountArray, FloatArray, IntArray
from liq_provider.measure.minute_grid import FeatureParams, MinuteGrid
from liq_provider.measure.window_sums import window_sum

# Below this squared coefficient of variation sum(x^2)/n - mean^2 has lost digits that the
# promised 1e-9 needs, and the window is done again in two passes.
_FLAT_CV2 = 1e-4
# Sums of the same money in another order differ by less than this share of it. A smaller
# spread is rounding: such a baseline is constant, and its std exactly 0.
ROUNDING = 1e-12
_ROWS_AT_ONCE = 4_096  # of the second pass, to bound its memory

Value = TypeVar("Value", np.float64, np.int64)


@dataclass(frozen=True, slots=True)
class Sums:
    """
    What some venues have in the segments of some closes, and in the baselines of these.

    :param notional_usd: long and short together, 0 where a baseline does not know the segment
    :param total_usd: of the baseline
    :param total_squares: of the worths of the baseline's segments
    :param active_n: segments of the baseline that are not empty
    """

    long_usd: FloatArray
    short_usd: FloatArray
    count: IntArray
    notional_usd: FloatArray
    total_usd: FloatArray
    total_squares: FloatArray
    active_n: CountArray


@dataclass(slots=True)
class Scored:
    """One value per close, as arrays of one length."""

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
    long_usd = window_sum(together(grid.long_usd, members), 1, segment_min)
    short_usd = window_sum(together(grid.short_usd, members), 1, segment_min)
    covered = np.logical_and.reduce(
        [covered_segments(grid.in_baselines[row], segment_min) for row in members]
    )
    return long_usd + short_usd, covered


def scored(
    sums: Sums, baseline_n: CountArray, define: Callable[[IntArray], tuple[FloatArray, FloatArray]]
) -> Scored:
    """
    :param baseline_n: the baseline segments that are known
    :param define: mean and std of some of the closes, by their definition
    """
    n = np.maximum(baseline_n, 1).astype(np.float64)
    mean = sums.total_usd / n
    square = mean * mean
    variance = sums.total_squares / n
    variance -= square
    square *= _FLAT_CV2
    flat = np.flatnonzero(variance < square)
    np.maximum(variance, 0.0, out=variance)
    std = np.sqrt(variance, out=variance)
    if len(flat):
        mean[flat], std[flat] = define(flat)
    z = np.subtract(sums.notional_usd, mean, out=square)
    divide_by_std(z, std)
    return Scored(sums.long_usd, sums.short_usd, sums.count, z, mean, std, sums.active_n)


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


def together(values: npt.NDArray[Value], members: list[int]) -> npt.NDArray[Value]:
    """:return: the rows of some venues, added up"""
    total: npt.NDArray[Value] = values[members[0]]
    for row in members[1:]:
        total = total + values[row]
    return total


def two_pass(
    grid: MinuteGrid, params: FeatureParams, mask: int, rows: IntArray
) -> tuple[FloatArray, FloatArray]:
    """
    :param mask: venues, as bits
    :param rows: positions in the grid
    :return: mean and std of their baselines, by the definition
    """
    stride, width = params.segment_min, params.baseline_segments
    notional, covered = segments(grid, stride, mask)
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
