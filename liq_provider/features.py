"""
Anomaly features of one coin at every minute close: the only place where they are made.

The live sidecar, backtests, the command line and the dashboard all call ``compute_features``
on a ``MinuteGrid``; what differs is only where the minutes were read from.

At minute close t, with segments of ``segment_min`` minutes:

* V(t): the venues that cover the whole scored segment, less those that had to be dropped to
  keep enough baseline segments (see ``baseline``)
* the baseline: the ``baseline_segments`` segments that end at t - segment, t - 2 segments, ...;
  one counts only if all of V(t) cover it
* ``z = (notional - mean) / std`` with the population std of the counted baseline segments
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from liq_provider.baseline import BaselineCounts, covered_by, mask_of, masks_in
from liq_provider.minutes import FeatureParams, MinuteGrid, windows_of
from liq_provider.rolling import BoolArray, CountArray, FloatArray, IntArray, SmallIntArray
from liq_provider.rows import FeatureRows, State, long_ratio, purity
from liq_provider.scoring import ROUNDING, covered_segments, score_venues, segments

__all__ = [
    "FeatureParams",
    "FeatureRows",
    "Features",
    "MinuteGrid",
    "State",
    "compute_features",
    "long_ratio",
    "purity",
    "windows_of",
]

_MAD_TO_SIGMA = 1.4826  # MAD of a normal distribution times this is its standard deviation
_PIECE_MIN = 32_768  # minutes computed at once
# What depends on the chosen venues, and what it says where none cover the segment.
_SCORED = {
    "long_usd": 0.0,
    "short_usd": 0.0,
    "count": 0,
    "z": np.nan,
    "mean_usd": np.nan,
    "std_usd": np.nan,
    "active_n": 0,
}


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
    state: SmallIntArray
    baseline_n: CountArray
    active_n: CountArray
    venue_mask: SmallIntArray
    has_counts: bool
    _grid: MinuteGrid = field(repr=False)
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
        mask, params = int(self.venue_mask[row]), self.params.in_steps(self._grid.step_min)
        if self._grid.fills is not None:
            # What is known differs from row to row.
            start = max(0, row + 1 - params.lookback_min)
            piece = self._grid.between(start, row + 1).as_of(int(self.close_ms[row]))
            values, known = segments(piece, params.segment_min, mask)
            row -= start
        else:
            if mask not in self._segments:
                self._segments[mask] = segments(self._grid, params.segment_min, mask)
            values, known = self._segments[mask]
        index = row - params.segment_min * np.arange(1, params.baseline_segments + 1)
        index = index[index >= 0]
        return values[index][known[index]]

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

    def at(self, rows: IntArray, robust_z: FloatArray) -> FeatureRows:
        """
        :param robust_z: of all minutes
        :return: some rows
        """
        return FeatureRows(
            close_ms=self.close_ms[rows],
            long_usd=self.long_usd[rows],
            short_usd=self.short_usd[rows],
            count=self.count[rows],
            z=self.z[rows],
            robust_z=robust_z[rows],
            state=self.state[rows].astype(np.int64),
            baseline_n=self.baseline_n[rows].astype(np.int64),
            active_n=self.active_n[rows].astype(np.int64),
            has_counts=self.has_counts,
        )


def _robust_z(notional_usd: float, baseline: FloatArray) -> float:
    logs = np.log1p(baseline[baseline > 0])
    if not len(logs):
        return float("nan")
    median = float(np.median(logs))
    mad = float(np.median(np.abs(logs - median)))
    if mad <= ROUNDING * median:
        return 0.0
    return (float(np.log1p(notional_usd)) - median) / (_MAD_TO_SIGMA * mad)


def compute_features(grid: MinuteGrid, params: FeatureParams) -> Features:
    """
    Features at the close of every minute (or bar) of the grid.

    A row needs ``params.lookback_min`` minutes before it to be what live trading saw; the
    caller reads that much more than it wants.

    :param grid: the coin's minutes, or its bars
    :param params: windows
    :raises UsageError: a segment is no whole number of bars
    """
    size, steps = grid.minutes, params.in_steps(grid.step_min)
    result = Features(
        venues=grid.venues,
        params=params,
        close_ms=np.arange(1, size + 1, dtype=np.int64) * grid.step_ms + grid.start_ms,
        long_usd=np.empty(size),
        short_usd=np.empty(size),
        count=np.empty(size, dtype=np.int64),
        z=np.empty(size),
        mean_usd=np.empty(size),
        std_usd=np.empty(size),
        state=np.empty(size, dtype=np.int8),
        baseline_n=np.empty(size, dtype=np.int32),
        active_n=np.empty(size, dtype=np.int32),
        venue_mask=np.empty(size, dtype=np.int8),
        has_counts=grid.has_counts,
        _grid=grid,
    )
    bounds = _pieces(grid)
    for first, end in pairwise(bounds):
        # Nothing before the look-back matters, and short arrays stay in the processor's cache.
        start = max(0, first - steps.lookback_min)
        piece = grid.between(start, end).as_of(int(result.close_ms[first]))
        _compute_piece(result, piece, steps, first, first - start)
    return result


def _pieces(grid: MinuteGrid) -> list[int]:
    """:return: bounds of spans of rows that are short, and within which the same is known"""
    bounds = {*range(0, grid.minutes, _PIECE_MIN), grid.minutes}
    # The first row whose close is not before the time.
    known = -(-(grid.fill_times_ms - grid.start_ms) // grid.step_ms) - 1
    bounds.update(int(row) for row in known if 0 < row < grid.minutes)
    return sorted(bounds)


def _compute_piece(
    result: Features, piece: MinuteGrid, params: FeatureParams, first: int, skipped: int
) -> None:
    """
    :param piece: some columns and the look-back before them
    :param params: windows in columns
    :param first: where they belong in the result
    :param skipped: columns of look-back
    """
    covered = np.stack([covered_segments(row, params.segment_min) for row in piece.covered])
    known = covered
    if piece.known is not None:
        known = np.stack([covered_segments(row, params.segment_min) for row in piece.known])
    baselines = BaselineCounts(known, params)
    chosen, baseline_n = baselines.choose(mask_of(covered))
    chosen, baseline_n = chosen[skipped:], baseline_n[skipped:]
    masks = masks_in(chosen)
    everywhere = len(masks) == 1 and bool(chosen.all())
    rows = slice(first, first + len(chosen))
    for mask in masks:
        scored = score_venues(
            piece, params, mask, covered_by(known, mask), baselines.of(mask), skipped
        )
        where = everywhere or chosen == mask
        for name in _SCORED:
            np.copyto(getattr(result, name)[rows], getattr(scored, name), where=where)
    if not everywhere:
        uncovered = chosen == 0
        for name, missing in _SCORED.items():
            getattr(result, name)[rows][uncovered] = missing
    result.baseline_n[rows], result.venue_mask[rows] = baseline_n, chosen
    state = result.state[rows]
    state[:] = State.READY
    state[result.active_n[rows] < params.min_active_segments] = State.TOO_THIN
    state[baseline_n < params.min_baseline_segments] = State.WARMING_UP
    state[chosen == 0] = State.UNCOVERED
    result.z[rows][state != State.READY] = np.nan
