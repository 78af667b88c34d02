"""What features are read as: one row per minute, and what follows from a row alone."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

import numpy as np

from liq_provider.core.arrays import BoolArray, CountArray, FloatArray, IntArray


class State(IntEnum):
    """Why a z is missing, or READY when it is not."""

    UNCOVERED = 0
    WARMING_UP = 1
    TOO_THIN = 2
    READY = 3


class Minimums(Protocol):
    """How much of a baseline a score takes."""

    @property
    def min_baseline_segments(self) -> int: ...
    @property
    def min_active_segments(self) -> int: ...


class Measured(Protocol):
    """What thresholds are held against: sums of segments, and the scores of these."""

    @property
    def long_usd(self) -> FloatArray: ...
    @property
    def short_usd(self) -> FloatArray: ...
    @property
    def count(self) -> IntArray: ...
    @property
    def z(self) -> FloatArray: ...
    @property
    def robust_z(self) -> FloatArray: ...
    @property
    def percentile(self) -> FloatArray: ...
    @property
    def has_counts(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Before:
    """The segments of some rows without their newest minute; NaN where not asked for."""

    long_usd: FloatArray
    short_usd: FloatArray
    count: IntArray
    z: FloatArray
    robust_z: FloatArray
    percentile: FloatArray
    has_counts: bool


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """
    Features of one coin as the strategy and the store know them, ascending by ``close_ms``.

    May be sparse: a minute that is left out had an empty segment or no coverage, and could
    not be anomalous. ``z``, ``robust_z`` and ``percentile`` are NaN where missing.

    :param steady: the close before was READY for the same venues, so that it can say whether a
        wave begins here; False where that is not on record
    :param before_long_usd: of the segment without its newest minute, where the row is READY and
        not steady, else NaN (the count 0); so are the other ``before_*``
    """

    close_ms: IntArray
    long_usd: FloatArray
    short_usd: FloatArray
    count: IntArray
    z: FloatArray
    robust_z: FloatArray
    percentile: FloatArray
    state: IntArray
    baseline_n: IntArray
    active_n: IntArray
    steady: BoolArray
    before_long_usd: FloatArray
    before_short_usd: FloatArray
    before_count: IntArray
    before_z: FloatArray
    before_robust_z: FloatArray
    before_percentile: FloatArray
    has_counts: bool = True

    def __len__(self) -> int:
        return len(self.close_ms)

    @classmethod
    def empty(cls) -> "FeatureRows":
        """:return: no rows"""
        columns: dict[str, Any] = {name: np.array([], kind) for name, kind in COLUMNS.items()}
        return cls(**columns)

    @property
    def before(self) -> Before:
        """The segments without their newest minute."""
        return Before(
            self.before_long_usd,
            self.before_short_usd,
            self.before_count,
            self.before_z,
            self.before_robust_z,
            self.before_percentile,
            self.has_counts,
        )

    def then(self, newer: "FeatureRows") -> "FeatureRows":
        """:return: these rows, then the newer ones that begin after their end"""
        if not len(self):
            return newer
        fresh = newer.close_ms > self.close_ms[-1]
        joined = {
            name: np.concatenate([getattr(self, name), getattr(newer, name)[fresh]])
            for name in COLUMNS
        }
        return FeatureRows(**joined, has_counts=self.has_counts and newer.has_counts)

    def since(self, close_ms: int) -> "FeatureRows":
        """:return: the rows from ``close_ms`` on"""
        return self.picked(slice(int(np.searchsorted(self.close_ms, close_ms)), None))

    def picked(self, rows: IntArray | slice) -> "FeatureRows":
        """:return: some of the rows, by position"""
        return FeatureRows(
            **{name: getattr(self, name)[rows] for name in COLUMNS}, has_counts=self.has_counts
        )


_WHOLE = {"close_ms", "count", "state", "baseline_n", "active_n", "before_count"}
# The columns with the type of each. An unknown number is NaN, an unknown ``steady`` False.
COLUMNS: dict[str, type[np.generic]] = {
    name: np.bool_ if name == "steady" else np.int64 if name in _WHOLE else np.float64
    for name in FeatureRows.__dataclass_fields__
    if name != "has_counts"
}


def states(
    covered: BoolArray,
    baseline_n: IntArray | CountArray,
    active_n: IntArray | CountArray,
    minimums: Minimums,
) -> IntArray:
    """
    :param covered: whether a venue was known for the whole segment
    :param baseline_n: segments of the baseline that are known
    :param active_n: those of them with liquidations
    :return: a ``State`` for each segment
    """
    state = np.full(len(covered), int(State.READY), dtype=np.int64)
    state[active_n < minimums.min_active_segments] = State.TOO_THIN
    state[baseline_n < minimums.min_baseline_segments] = State.WARMING_UP
    state[~covered] = State.UNCOVERED
    return state


def long_ratio(long_usd: FloatArray, short_usd: FloatArray) -> FloatArray:
    """long / (long + short), 0.5 where both are zero."""
    total = long_usd + short_usd
    return np.divide(long_usd, total, out=np.full_like(total, 0.5), where=total > 0)


def purity(long_usd: FloatArray, short_usd: FloatArray) -> FloatArray:
    """max(long, short) / (long + short), 0.5 where both are zero."""
    total = long_usd + short_usd
    return np.divide(
        np.maximum(long_usd, short_usd), total, out=np.full_like(total, 0.5), where=total > 0
    )
