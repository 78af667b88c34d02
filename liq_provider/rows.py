"""What features are read as: one row per minute, and what follows from a row alone."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from liq_provider.rolling import FloatArray, IntArray


class State(IntEnum):
    """Why a z is missing, or READY when it is not."""

    UNCOVERED = 0
    WARMING_UP = 1
    TOO_THIN = 2
    READY = 3


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """
    Features of one coin as the strategy and the store know them, ascending by ``close_ms``.

    May be sparse: a minute that is left out had an empty segment or no coverage, and could
    not be anomalous. ``z`` and ``robust_z`` are NaN where missing.
    """

    close_ms: IntArray
    long_usd: FloatArray
    short_usd: FloatArray
    count: IntArray
    z: FloatArray
    robust_z: FloatArray
    state: IntArray
    baseline_n: IntArray
    active_n: IntArray
    has_counts: bool = True

    def __len__(self) -> int:
        return len(self.close_ms)

    @classmethod
    def empty(cls) -> "FeatureRows":
        """:return: no rows"""
        none, nothing = np.array([], dtype=np.int64), np.array([])
        return cls(none, nothing, nothing, none, nothing, nothing, none, none, none)

    def then(self, newer: "FeatureRows") -> "FeatureRows":
        """:return: these rows, then the newer ones that begin after their end"""
        if not len(self):
            return newer
        fresh = newer.close_ms > self.close_ms[-1]
        columns = [name for name in self.__dataclass_fields__ if name != "has_counts"]
        joined = {
            name: np.concatenate([getattr(self, name), getattr(newer, name)[fresh]])
            for name in columns
        }
        return FeatureRows(**joined, has_counts=self.has_counts and newer.has_counts)

    def since(self, close_ms: int) -> "FeatureRows":
        """:return: the rows from ``close_ms`` on"""
        first = int(np.searchsorted(self.close_ms, close_ms))
        columns = [name for name in self.__dataclass_fields__ if name != "has_counts"]
        return FeatureRows(
            **{name: getattr(self, name)[first:] for name in columns}, has_counts=self.has_counts
        )


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
