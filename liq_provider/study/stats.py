"""
The statistics of the study, all clustered: waves of one moment are one, days stand together.

* interval of a mean: the cluster bootstrap (resampling whole days with replacement, percentile
  interval; Efron and Tibshirani 1993, chapter 13; Cameron, Gelbach and Miller 2008)
* placebo: a randomisation test against random times of the same pair and day
* sign flip: a randomisation test that flips the sign of whole days
* how many events would be needed: the usual two-sided power calculation for a mean
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from liq_provider.rolling import FloatArray, IntArray

_DRAWS = 4_000
_POWER = 0.8


@dataclass(frozen=True, slots=True)
class Mean:
    """
    A mean with its interval, in shares of the price.

    :param n: clusters that it is the mean of
    :param days: on which they were
    :param spread: their standard deviation
    """

    n: int
    days: int
    mean: float
    low: float
    high: float
    spread: float


def by_cluster(
    values: FloatArray, clusters: IntArray, days: IntArray
) -> tuple[FloatArray, IntArray]:
    """
    :param values: per event; NaN is left out
    :return: mean of each cluster, and its day
    """
    there = np.isfinite(values)
    if not there.any():
        return np.array([]), np.array([], dtype=np.int64)
    _, first, index = np.unique(clusters[there], return_index=True, return_inverse=True)
    sums = np.bincount(index, weights=values[there])
    return sums / np.bincount(index), days[there][first]


def mean_of(values: FloatArray, days: IntArray, level: float, rng: np.random.Generator) -> Mean:
    """
    :param values: one per cluster
    :param level: of the interval, such as 0.95
    """
    n = len(values)
    if n == 0:
        return Mean(0, 0, np.nan, np.nan, np.nan, np.nan)
    unique, index = np.unique(days, return_inverse=True)
    sums, counts = np.bincount(index, weights=values), np.bincount(index)
    size = len(unique)
    drawn = rng.multinomial(size, np.full(size, 1 / size), size=_DRAWS)
    means = (drawn @ sums) / (drawn @ counts)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    spread = float(values.std(ddof=1)) if n > 1 else np.nan
    return Mean(n, size, float(values.mean()), float(low), float(high), spread)


def sign_flip_p(values: FloatArray, days: IntArray, rng: np.random.Generator) -> float:
    """:return: how often a mean this high comes about if whole days had a random sign"""
    unique, index = np.unique(days, return_inverse=True)
    sums = np.bincount(index, weights=values)
    flips = rng.choice([-1.0, 1.0], size=(_DRAWS, len(unique)))
    return _p(flips @ sums, float(sums.sum()))


def placebo_p(placebo: FloatArray, observed: float) -> float:
    """:return: how often random times had a mean at least as high as the one observed"""
    return _p(placebo[np.isfinite(placebo)], observed)


def _p(draws: npt.NDArray[np.float64], observed: float) -> float:
    return float((1 + (draws >= observed - 1e-15).sum()) / (1 + len(draws)))


def needed(spread: float, effect: float, level: float) -> int | None:
    """
    :param spread: standard deviation of one event
    :param effect: the mean that is to be told from zero
    :return: events for that with a power of 80 %, None if there is no effect to be told
    """
    if not np.isfinite(spread) or effect <= 0:
        return None
    normal = NormalDist()
    quantiles = normal.inv_cdf((1 + level) / 2) + normal.inv_cdf(_POWER)
    return int(np.ceil((quantiles * spread / effect) ** 2))
