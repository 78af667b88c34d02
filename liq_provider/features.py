"""
Anomaly features of one coin at every minute close: the only place where they are made.

The live sidecar, backtests, the command line and the dashboard all call ``compute_features``
on a ``MinuteGrid``; what differs is only where the minutes were read from.

At minute close t, with segments of ``segment_min`` minutes:

* V(t): the venues that cover the whole scored segment, less those that had to be dropped to
  keep enough baseline segments (worst coverage first, ties in alphabetical order)
* the baseline: the ``baseline_segments`` segments that end at t - segment, t - 2 segments, ...;
  one counts only if all of V(t) cover it
* ``z = (notional - mean) / std`` with the population std of the counted baseline segments
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np

from liq_provider.liquidation import MINUTE_MS
from liq_provider.rolling import (
    BoolArray,
    FloatArray,
    IntArray,
    strided_count,
    strided_sum,
    trailing_count,
    trailing_sum,
)
from liq_provider.settings import Settings

# Below this squared coefficient of variation sum(x^2)/n - mean^2 has lost digits that the
# promised 1e-9 needs, and the window is done again in two passes.
_FLAT_CV2 = 1e-3
_MAD_TO_SIGMA = 1.4826  # MAD of a normal distribution times this is its standard deviation


class State(IntEnum):
    """Why a z is missing, or READY when it is not."""

    UNCOVERED = 0
    WARMING_UP = 1
    TOO_THIN = 2
    READY = 3


@dataclass(frozen=True, slots=True)
class FeatureParams:
    """The windows; thresholds are not here, they belong to ``grade``."""

    segment_min: int = 5
    baseline_segments: int = 288
    min_baseline_segments: int = 72
    min_active_segments: int = 20

    @classmethod
    def of(cls, settings: Settings) -> "FeatureParams":
        """:return: the windows that the settings ask for"""
        return cls(
            settings.segment_min,
            settings.baseline_segments,
            settings.min_baseline_segments,
            settings.min_active_segments,
        )

    @property
    def lookback_min(self) -> int:
        """Minutes before t that can influence the features at t."""
        return self.segment_min * (self.baseline_segments + 1)


def windows_of(settings: Settings) -> dict[str, Any]:
    """
    What a stored feature depends on besides the minutes. The sidecar publishes its own, and a
    strategy with other windows computes for itself.
    """
    params = FeatureParams.of(settings)
    return {
        "segment_min": params.segment_min,
        "baseline_segments": params.baseline_segments,
        "min_baseline_segments": params.min_baseline_segments,
        "min_active_segments": params.min_active_segments,
        "venues": list(settings.venues.enabled),
    }


@dataclass(frozen=True, slots=True)
class MinuteGrid:
    """
    Dense minutes of one coin.

    :param start_ms: open of the first minute
    :param venues: sorted names; the order of the first axis below
    :param long_usd: shape (venues, minutes)
    :param short_usd: shape (venues, minutes)
    :param count: shape (venues, minutes)
    :param covered: shape (venues, minutes); False means unknown, not zero
    :param has_counts: False for imported bars that state no number of orders
    """

    start_ms: int
    venues: tuple[str, ...]
    long_usd: FloatArray
    short_usd: FloatArray
    count: IntArray
    covered: BoolArray
    has_counts: bool = True

    @property
    def minutes(self) -> int:
        """Number of minutes."""
        return int(self.covered.shape[1])


@dataclass(slots=True)
class Features:
    """
    One value per minute close, as arrays of one length.

    ``z`` is NaN where ``state`` is not READY. ``venue_mask`` has bit i set if ``venues[i]``
    belongs to V(t). ``baseline_n`` counts the covered baseline segments, ``active_n`` those of
    them that are not empty.
    """

    venues: tuple[str, ...]
    params: FeatureParams
    close_ms: IntArray
    long_usd: FloatArray
    short_usd: FloatArray
    count: IntArray
    z: FloatArray
    mean_usd: FloatArray
    std_usd: FloatArray
    state: IntArray
    baseline_n: IntArray
    active_n: IntArray
    venue_mask: IntArray
    has_counts: bool = True
    _segments: dict[int, tuple[FloatArray, BoolArray]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.close_ms)

    @property
    def notional_usd(self) -> FloatArray:
        """Long and short together."""
        return self.long_usd + self.short_usd

    @property
    def long_ratio(self) -> FloatArray:
        """Share of long liquidations; 0.5 in an empty segment."""
        return long_ratio(self.long_usd, self.short_usd)

    @property
    def purity(self) -> FloatArray:
        """Share of the larger side; 0.5 in an empty segment."""
        return purity(self.long_usd, self.short_usd)

    def venues_at(self, row: int) -> tuple[str, ...]:
        """:return: V(t) of one row"""
        mask = int(self.venue_mask[row])
        return tuple(name for bit, name in enumerate(self.venues) if mask >> bit & 1)

    def baseline_at(self, row: int) -> FloatArray:
        """:return: notional of the covered baseline segments of one row, newest first"""
        values, covered = self._segments[int(self.venue_mask[row])]
        step = self.params.segment_min
        index = row - step * np.arange(1, self.params.baseline_segments + 1)
        index = index[index >= 0]
        return values[index][covered[index]]

    def robust_z(self, rows: IntArray | None = None) -> FloatArray:
        """
        Calibrated twin of ``z`` for heavy tails: (x - median) / (1.4826 MAD) on log1p of the
        non-empty baseline segments (Hampel's identifier on the log scale).

        :param rows: positions to compute; all that have a z if omitted
        :return: shape (minutes,), NaN where not computed or not defined
        """
        result = np.full(len(self), np.nan)
        if rows is None:
            rows = np.flatnonzero(self.state == State.READY)
        for row in rows:
            if self.state[row] == State.READY:
                result[row] = _robust_z(
                    float(self.long_usd[row] + self.short_usd[row]), self.baseline_at(int(row))
                )
        return result


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
    def of(cls, features: Features, robust_z: FloatArray, rows: IntArray) -> "FeatureRows":
        """:return: some rows of computed features"""
        return cls(
            close_ms=features.close_ms[rows],
            long_usd=features.long_usd[rows],
            short_usd=features.short_usd[rows],
            count=features.count[rows],
            z=features.z[rows],
            robust_z=robust_z[rows],
            state=features.state[rows],
            baseline_n=features.baseline_n[rows],
            active_n=features.active_n[rows],
            has_counts=features.has_counts,
        )

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


def _robust_z(notional_usd: float, baseline: FloatArray) -> float:
    logs = np.log1p(baseline[baseline > 0])
    if not len(logs):
        return float("nan")
    median = float(np.median(logs))
    mad = float(np.median(np.abs(logs - median)))
    if mad == 0:
        return 0.0
    return (float(np.log1p(notional_usd)) - median) / (_MAD_TO_SIGMA * mad)


def compute_features(grid: MinuteGrid, params: FeatureParams) -> Features:
    """
    Features at the close of every minute of the grid.

    A row needs ``params.lookback_min`` minutes before it to be what live trading saw; the
    caller reads that much more than it wants.

    :param grid: the coin's minutes
    :param params: windows
    """
    segment_covered = np.stack(
        [trailing_count(row, params.segment_min) == params.segment_min for row in grid.covered]
    )
    masks = _mask_of(segment_covered)
    result = _empty(grid, params, masks)
    baseline_of = _BaselineCounts(segment_covered, params)
    chosen = baseline_of.choose(masks)
    for mask in np.unique(chosen[chosen > 0]):
        _fill_rows(result, grid, segment_covered, int(mask), chosen == mask)
    result.baseline_n = np.where(chosen > 0, baseline_of.counted, 0)
    result.state = _states(result, params)
    result.z[result.state != State.READY] = np.nan
    return result


def _mask_of(segment_covered: BoolArray) -> IntArray:
    bits = 1 << np.arange(segment_covered.shape[0], dtype=np.int64)
    mask: IntArray = (segment_covered * bits[:, None]).sum(axis=0)
    return mask


def _empty(grid: MinuteGrid, params: FeatureParams, masks: IntArray) -> Features:
    size = grid.minutes
    return Features(
        venues=grid.venues,
        params=params,
        close_ms=grid.start_ms + MINUTE_MS * np.arange(1, size + 1, dtype=np.int64),
        long_usd=np.zeros(size),
        short_usd=np.zeros(size),
        count=np.zeros(size, dtype=np.int64),
        z=np.full(size, np.nan),
        mean_usd=np.full(size, np.nan),
        std_usd=np.full(size, np.nan),
        state=np.zeros(size, dtype=np.int64),
        baseline_n=np.zeros(size, dtype=np.int64),
        active_n=np.zeros(size, dtype=np.int64),
        venue_mask=np.zeros(size, dtype=np.int64),
        has_counts=grid.has_counts,
    )


class _BaselineCounts:
    """Covered baseline segments per set of venues, and the choice of V(t) by them."""

    def __init__(self, segment_covered: BoolArray, params: FeatureParams) -> None:
        self._covered = segment_covered
        self._params = params
        self._by_mask: dict[int, IntArray] = {}
        self.counted: IntArray = np.zeros(segment_covered.shape[1], dtype=np.int64)

    def choose(self, masks: IntArray) -> IntArray:
        """
        V(t) for every row: drop venues until the baseline is long enough. Where no choice is
        long enough, all covering venues stay and the longest baseline seen is reported.
        """
        current, chosen = masks.copy(), masks.copy()
        pending = np.flatnonzero(masks)
        self.counted[:] = 0
        while len(pending):
            counts = self._count_rows(current, pending)
            enough = counts >= self._params.min_baseline_segments
            rows = pending[enough]
            chosen[rows], self.counted[rows] = current[rows], counts[enough]
            pending = pending[~enough]
            self.counted[pending] = np.maximum(self.counted[pending], counts[~enough])
            current[pending] = self._without_worst(current, pending)
            pending = pending[current[pending] > 0]
        return chosen

    def _count_rows(self, masks: IntArray, rows: IntArray) -> IntArray:
        counts = np.zeros(len(rows), dtype=np.int64)
        for mask in np.unique(masks[rows]):
            where = masks[rows] == mask
            counts[where] = self._counts(int(mask))[rows[where]]
        return counts

    def _counts(self, mask: int) -> IntArray:
        if mask not in self._by_mask:
            self._by_mask[mask] = strided_count(
                _covered_by(self._covered, mask),
                self._params.segment_min,
                self._params.baseline_segments,
            )
        return self._by_mask[mask]

    def _without_worst(self, masks: IntArray, rows: IntArray) -> IntArray:
        venues = self._covered.shape[0]
        alone = np.stack([self._counts(1 << bit)[rows] for bit in range(venues)])
        absent = (masks[rows][None, :] >> np.arange(venues)[:, None] & 1) == 0
        # argmin takes the first of equals, and venues are in alphabetical order.
        worst = np.where(absent, np.iinfo(np.int64).max, alone).argmin(axis=0)
        remaining: IntArray = masks[rows] & ~(np.int64(1) << worst)
        return remaining


def _covered_by(segment_covered: BoolArray, mask: int) -> BoolArray:
    members = [bit for bit in range(segment_covered.shape[0]) if mask >> bit & 1]
    together: BoolArray = np.logical_and.reduce(segment_covered[members])
    return together


def _fill_rows(
    result: Features, grid: MinuteGrid, segment_covered: BoolArray, mask: int, rows: BoolArray
) -> None:
    params = result.params
    members = [bit for bit in range(len(grid.venues)) if mask >> bit & 1]
    long_usd = trailing_sum(grid.long_usd[members].sum(axis=0), params.segment_min)
    short_usd = trailing_sum(grid.short_usd[members].sum(axis=0), params.segment_min)
    count = np.cumsum(grid.count[members].sum(axis=0))
    count[params.segment_min :] -= count[: -params.segment_min].copy()

    covered = _covered_by(segment_covered, mask)
    notional = np.where(covered, long_usd + short_usd, 0.0)
    result._segments[mask] = (notional, covered)
    sums = strided_sum(notional, params.segment_min, params.baseline_segments)
    squares = strided_sum(notional * notional, params.segment_min, params.baseline_segments)
    counted = strided_count(covered, params.segment_min, params.baseline_segments)
    active = strided_count(notional > 0, params.segment_min, params.baseline_segments)

    result.long_usd[rows], result.short_usd[rows] = long_usd[rows], short_usd[rows]
    result.count[rows], result.active_n[rows] = count[rows], active[rows]
    result.venue_mask[rows] = mask
    n = np.maximum(counted[rows], 1)
    mean = sums[rows] / n
    variance = squares[rows] / n - mean * mean
    flat = np.flatnonzero(rows)[(variance < _FLAT_CV2 * mean * mean) & (mean > 0)]
    result.mean_usd[rows] = mean
    result.std_usd[rows] = np.sqrt(np.maximum(variance, 0.0))
    _two_pass(result, flat)
    std = result.std_usd[rows]
    excess = notional[rows] - result.mean_usd[rows]
    result.z[rows] = np.divide(excess, std, out=np.zeros_like(std), where=std > 0)


def _two_pass(result: Features, rows: IntArray) -> None:
    for row in rows:
        baseline = result.baseline_at(int(row))
        # Equal values must give exactly zero; the rounding of their mean would not.
        spread = len(baseline) and float(np.ptp(baseline))
        result.mean_usd[row] = baseline.mean() if len(baseline) else 0.0
        result.std_usd[row] = baseline.std() if spread else 0.0


def _states(result: Features, params: FeatureParams) -> IntArray:
    state = np.full(len(result), int(State.READY), dtype=np.int64)
    state[result.active_n < params.min_active_segments] = State.TOO_THIN
    state[result.baseline_n < params.min_baseline_segments] = State.WARMING_UP
    state[result.venue_mask == 0] = State.UNCOVERED
    return state
