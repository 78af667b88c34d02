"""
Scores that compare a segment with each one of its baseline, instead of with sums over it.

Both are seldom asked for: they need a pass over the baseline for every minute.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from liq_provider.core.arrays import FloatArray
from liq_provider.measure.scales import Score
from liq_provider.measure.zscore import ROUNDING

_COMPARED: tuple[Score, Score] = ("robust", "percentile")
_MAD_TO_SIGMA = 1.4826  # MAD of a normal distribution times this is its standard deviation


@dataclass(frozen=True, slots=True)
class Compared:
    """Scores that compare with each baseline segment; NaN where they were not asked for."""

    robust_z: FloatArray
    percentile: FloatArray
    before_robust_z: FloatArray
    before_percentile: FloatArray

    @classmethod
    def nothing(cls, size: int, scores: Collection[Score] = ()) -> "Compared":
        """
        :param scores: that will be filled in; of the others no memory is taken
        """
        absent = np.broadcast_to(np.nan, size)
        made = (np.full(size, np.nan) if one in scores else absent for one in 2 * _COMPARED)
        return cls(*made)


def robust_z(notional_usd: float, baseline: FloatArray) -> float:
    """
    (x - median) / (1.4826 MAD) on log1p of the non-empty segments of a baseline.

    :return: NaN if all of them are empty
    """
    logs = np.log1p(baseline[baseline > 0])
    if not len(logs):
        return float("nan")
    median = float(np.median(logs))
    mad = float(np.median(np.abs(logs - median)))
    if mad <= ROUNDING * median:
        return 0.0
    return (float(np.log1p(notional_usd)) - median) / (_MAD_TO_SIGMA * mad)


def percentile(notional_usd: float, baseline: FloatArray) -> float:
    """
    Share of a baseline that is smaller, of equal ones half.

    >>> percentile(50.0, np.array([0.0] * 70 + [10.0] * 20 + [50.0] * 2 + [100.0] * 8))
    0.91

    :param baseline: at least one segment
    """
    smaller = np.count_nonzero(baseline < notional_usd)
    equal = np.count_nonzero(baseline == notional_usd)
    return float((smaller + 0.5 * equal) / len(baseline))
