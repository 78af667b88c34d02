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
* whether the close before t was scored for the same V(t) (``steady``). Where it was not, nobody
  can say that a wave begins at t, and the segment without its newest minute is measured as well,
  for the same V(t) and against the same baseline (``before``). Both are what is known at t
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from liq_provider.core.arrays import (
    BoolArray,
    CountArray,
    FloatArray,
    IntArray,
    MaskArray,
    SmallIntArray,
)
from liq_provider.measure.baseline import BaselineCounts, covered_by, mask_of, mask_type, masks_in
from liq_provider.measure.feature_rows import FeatureRows, State, long_ratio, purity, states
from liq_provider.measure.minute_grid import FeatureParams, MinuteGrid
from liq_provider.measure.robust_scores import Compared, percentile, robust_z
from liq_provider.measure.scales import Score
from liq_provider.measure.zscore import (
    covered_segments,
    divide_by_std,
    score_venues,
    segments,
    without_newest,
)

_PIECE_MIN = 32_768  # minutes computed at once
# What depends on the chosen venues, and what it says where none cover the segment.
_SCORED = {
    "long_usd": 0.0,
    "short_usd": 0.0,
    "count": 0,
    "z": np.nan,
    "mean_usd": np.nan,
    "std_usd": np.nan,
}


@dataclass(slots=True)
class Features:
    """
    One value per minute close, as arrays of one length.

    ``z`` is NaN where ``state`` is not READY. ``venue_mask`` has bit i set if ``venues[i]``
    belongs to V(t). ``baseline_n`` counts the covered baseline segments, ``active_n`` those of
    them that are not empty. ``steady`` says that the close before was READY for the same V(t);
    the columns ``before_*`` are NaN (the count 0) where it is, or where there is no z.
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
    venue_mask: MaskArray
    steady: BoolArray
    before_long_usd: FloatArray
    before_short_usd: FloatArray
    before_count: IntArray
    before_z: FloatArray
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
        if self._grid.changes:
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
        only: tuple[Score, ...] = ("robust",)
        return self.compared(rows, only).robust_z

    def percentile(self, rows: IntArray | None = None) -> FloatArray:
        """
        Share of the baseline segments that are smaller, of equal ones half.

        :param rows: positions to compute; all that have a z if omitted
        :return: shape (minutes,), NaN where not computed
        """
        only: tuple[Score, ...] = ("percentile",)
        return self.compared(rows, only).percentile

    def compared(
        self, rows: IntArray | None, scores: Collection[Score], min_usd: float = 0.0
    ) -> Compared:
        """
        What is not made of sums, and so has to look at each baseline: one row after the other.

        :param rows: positions to compute; all that have a z if omitted
        :param scores: that are wanted
        :param min_usd: segments that are worth less are left out
        :return: of all minutes
        """
        compared = Compared.nothing(len(self))
        if not set(scores) & {"robust", "percentile"}:
            return compared
        chosen = np.arange(len(self)) if rows is None else rows
        # Of a year few are worth it: which they are is asked of all at once.
        chosen = chosen[self.state[chosen] == State.READY]
        chosen = chosen[self.long_usd[chosen] + self.short_usd[chosen] >= min_usd]
        for row in chosen.tolist():
            usd = float(self.long_usd[row] + self.short_usd[row])
            baseline = self.baseline_at(row)
            before_usd = float(self.before_long_usd[row] + self.before_short_usd[row])
            if "robust" in scores:
                compared.robust_z[row] = robust_z(usd, baseline)
                if before_usd >= min_usd:
                    compared.before_robust_z[row] = robust_z(before_usd, baseline)
            if "percentile" in scores:
                compared.percentile[row] = percentile(usd, baseline)
                if before_usd >= min_usd:
                    compared.before_percentile[row] = percentile(before_usd, baseline)
        return compared

    def at(self, rows: IntArray | slice, compared: Compared | None = None) -> FeatureRows:
        """
        :param rows: a slice copies little: most columns stay these
        :param compared: of all minutes
        :return: some rows
        """
        compared = compared or Compared.nothing(len(self))
        return FeatureRows(
            close_ms=self.close_ms[rows],
            long_usd=self.long_usd[rows],
            short_usd=self.short_usd[rows],
            count=self.count[rows],
            z=self.z[rows],
            robust_z=compared.robust_z[rows],
            percentile=compared.percentile[rows],
            state=self.state[rows].astype(np.int64),
            baseline_n=self.baseline_n[rows].astype(np.int64),
            active_n=self.active_n[rows].astype(np.int64),
            steady=self.steady[rows],
            before_long_usd=self.before_long_usd[rows],
            before_short_usd=self.before_short_usd[rows],
            before_count=self.before_count[rows],
            before_z=self.before_z[rows],
            before_robust_z=compared.before_robust_z[rows],
            before_percentile=compared.before_percentile[rows],
            has_counts=self.has_counts,
        )


def compute_features(grid: MinuteGrid, params: FeatureParams) -> Features:
    """
    Features at the close of every minute (or bar) of the grid.

    A row needs the minutes of ``params.before_ms`` before its close to be what live trading
    saw; the caller reads that much more than it wants.

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
        venue_mask=np.empty(size, dtype=mask_type(len(grid.venues))),
        steady=np.empty(size, dtype=bool),
        before_long_usd=np.full(size, np.nan),
        before_short_usd=np.full(size, np.nan),
        before_count=np.zeros(size, dtype=np.int64),
        before_z=np.full(size, np.nan),
        has_counts=grid.has_counts,
        _grid=grid,
    )
    bounds = _pieces(grid)
    for first, end in pairwise(bounds):
        # Nothing before the look-back matters, and short arrays stay in the processor's cache.
        start = max(0, first - steps.lookback_min - 1)
        piece = grid.between(start, end).as_of(int(result.close_ms[first]))
        _compute_piece(result, piece, steps, first, first - start)
    return result


def _pieces(grid: MinuteGrid) -> list[int]:
    """:return: bounds of spans of rows that are short, and within which the same is known"""
    bounds = {*range(0, grid.minutes, _PIECE_MIN), grid.minutes}
    # The first row whose close is not before the time.
    known = -(-(grid.changes_ms - grid.start_ms) // grid.step_ms) - 1
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
    # One more row at the front, which says what the first one follows.
    lead = min(skipped, 1)
    skipped -= lead
    chosen, baseline_n = chosen[skipped:], baseline_n[skipped:]
    masks = masks_in(chosen)
    everywhere = len(masks) == 1 and bool(chosen.all())
    rows = slice(first, first + len(chosen) - lead)
    active_n = np.zeros(len(chosen), dtype=np.int32)
    for mask in masks:
        scored = score_venues(
            piece, params, mask, covered_by(known, mask), baselines.of(mask), skipped
        )
        where = everywhere or chosen == mask
        np.copyto(active_n, scored.active_n, where=where)
        wanted = True if everywhere else chosen[lead:] == mask
        for name in _SCORED:
            np.copyto(getattr(result, name)[rows], getattr(scored, name)[lead:], where=wanted)
    if not everywhere:
        uncovered = chosen[lead:] == 0
        for name, missing in _SCORED.items():
            getattr(result, name)[rows][uncovered] = missing
    state = states(chosen != 0, baseline_n, active_n, params)
    steady = np.zeros(len(chosen), dtype=bool)
    steady[1:] = (state[:-1] == State.READY) & (chosen[1:] == chosen[:-1])
    if first:
        # Something else may be known now than when the close before was decided on, and whether
        # that one was part of a wave is what was decided then.
        ready = result.state[first - 1] == State.READY
        steady[lead] &= ready and result.venue_mask[first - 1] == chosen[lead]
    result.state[rows], result.steady[rows] = state[lead:], steady[lead:]
    result.baseline_n[rows], result.venue_mask[rows] = baseline_n[lead:], chosen[lead:]
    result.active_n[rows] = active_n[lead:]
    result.z[rows][state[lead:] != State.READY] = np.nan
    _measure_before(result, piece, params, rows, first - skipped - lead)


def _measure_before(
    result: Features, piece: MinuteGrid, params: FeatureParams, rows: slice, begin: int
) -> None:
    """
    The segments without their newest minute, where it is asked for: seldom.

    :param rows: of the result, that the piece ends with
    :param begin: where the piece begins in the result
    """
    asked = (result.state[rows] == State.READY) & ~result.steady[rows]
    at = np.flatnonzero(asked) + rows.start
    for mask in masks_in(result.venue_mask[at]):
        of = at[result.venue_mask[at] == mask]
        long_usd, short_usd, count = without_newest(piece, params.segment_min, mask, of - begin)
        result.before_long_usd[of], result.before_short_usd[of] = long_usd, short_usd
        result.before_count[of] = count
        z = long_usd + short_usd - result.mean_usd[of]
        divide_by_std(z, result.std_usd[of])
        result.before_z[of] = z
