"""
The statistics of the study, all clustered: waves of one moment are one, days stand together.

* interval of a mean: the cluster bootstrap (resampling whole days with replacement, percentile
  interval; Efron and Tibshirani 1993, chapter 13; Cameron, Gelbach and Miller 2008)
* placebo: a randomisation test against random times of the same pair and day
* sign flip: a randomisation test that flips the sign of whole days
* difference of two means: the same resampling and the same flips, of the days of both
* how many events would be needed: the usual two-sided power calculation for a mean
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from liq_provider.core.arrays import FloatArray, IntArray

_DRAWS = 4_000
_POWER = 0.8

# Mean of each cluster, and its day.
Clusters = tuple[FloatArray, IntArray]


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


@dataclass(frozen=True, slots=True)
class Difference:
    """
    One mean minus another, with its interval, in shares of the price.

    :param p: how often random signs of whole days make a difference as far on the same side
    """

    mean: float
    low: float
    high: float
    p: float


def by_cluster(values: FloatArray, clusters: IntArray, days: IntArray) -> Clusters:
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


def difference_of(
    first: Clusters, second: Clusters, level: float, rng: np.random.Generator
) -> Difference:
    """
    Mean of the first minus mean of the second; a day is drawn with what both have of it.

    :param level: of the interval
    :return: NaN throughout if one of them is empty
    """
    (left, left_days), (right, right_days) = first, second
    if not len(left) or not len(right):
        return Difference(np.nan, np.nan, np.nan, np.nan)
    unique, index = np.unique(np.concatenate([left_days, right_days]), return_inverse=True)
    size = len(unique)
    drawn = rng.multinomial(size, np.full(size, 1 / size), size=_DRAWS)

    def means(values: FloatArray, at: IntArray) -> FloatArray:
        sums = np.bincount(at, weights=values, minlength=size)
        # A draw may have no event of one of the two: it has no mean then.
        with np.errstate(invalid="ignore"):
            drawn_means: FloatArray = (drawn @ sums) / (drawn @ np.bincount(at, minlength=size))
        return drawn_means

    differences = means(left, index[: len(left)]) - means(right, index[len(left) :])
    low, high = np.nanquantile(differences, [(1 - level) / 2, (1 + level) / 2])
    mean = float(left.mean() - right.mean())
    # What each cluster adds to the difference: these sum up to it.
    middle = np.concatenate([left, right]).mean()
    parts = np.concatenate([(left - middle) / len(left), (middle - right) / len(right)])
    p = sign_flip_p(np.copysign(1.0, mean) * parts, unique[index], rng)
    return Difference(mean, float(low), float(high), p)


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


def needed(spread: float, effect: float, level: float, power: float = _POWER) -> int | None:
    """
    >>> needed(80, 10, 0.99)
    748

    :param spread: standard deviation of one event
    :param effect: the mean that is to be told from zero
    :param power: how likely it is to be told
    :return: events for that, None if there is no effect to be told
    """
    if not np.isfinite(spread) or effect <= 0:
        return None
    normal = NormalDist()
    quantiles = normal.inv_cdf((1 + level) / 2) + normal.inv_cdf(power)
    return int(np.ceil((quantiles * spread / effect) ** 2))
