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

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from liq_provider.core.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    MaskArray,
)
from liq_provider.core.freed_memory import keep_freed
from liq_provider.measure.closes import BusyCloses, BusyMinutes, Closes, EveryClose, busy_minutes
from liq_provider.measure.feature_rows import FeatureRows, State, long_ratio, purity
from liq_provider.measure.measures import (
    BEFORE,
    MEASURES,
    WHOLE,
    before,
    measure,
    nothing_before,
    nothing_measured,
)
from liq_provider.measure.minute_grid import FeatureParams, MinuteGrid
from liq_provider.measure.newest_closes import CLOSES, NewestCloses
from liq_provider.measure.robust_scores import Compared, percentile, robust_z
from liq_provider.measure.scales import Score
from liq_provider.measure.zscore import segments

_PIECE_MIN = 32_768  # minutes computed at once
# With more closes than this that have something in their segment, all at once are no dearer.
_BUSY_SHARE = 0.5
# What they take, and what is needed meanwhile.
_BYTES_A_CLOSE = 256
_COINS_AT_ONCE = 16  # whose newest closes are measured side by side


@dataclass(slots=True)
class Features:
    """
    One value per close, as arrays of one length: of every close, or of those alone whose
    segment is not empty.

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
    state: IntArray
    baseline_n: IntArray
    active_n: IntArray
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
        position = (int(self.close_ms[row]) - self._grid.start_ms) // self._grid.step_ms - 1
        if self._grid.changes:
            # What is known differs from close to close.
            start = max(0, position + 1 - params.lookback_min)
            piece = self._grid.between(start, position + 1).as_of(int(self.close_ms[row]))
            values, known = segments(piece, params.segment_min, mask)
            position -= start
        else:
            if mask not in self._segments:
                self._segments[mask] = segments(self._grid, params.segment_min, mask)
            values, known = self._segments[mask]
        index = position - params.segment_min * np.arange(1, params.baseline_segments + 1)
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
        compared = Compared.nothing(len(self), scores)
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

    def picked(self, rows: IntArray | slice) -> "Features":
        """:return: some closes, by position"""
        columns = {name: getattr(self, name)[rows] for name in ("close_ms", *MEASURES, *BEFORE)}
        return replace(self, **columns)

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
            state=self.state[rows],
            baseline_n=self.baseline_n[rows],
            active_n=self.active_n[rows],
            steady=self.steady[rows],
            before_long_usd=self.before_long_usd[rows],
            before_short_usd=self.before_short_usd[rows],
            before_count=self.before_count[rows],
            before_z=self.before_z[rows],
            before_robust_z=compared.before_robust_z[rows],
            before_percentile=compared.before_percentile[rows],
            has_counts=self.has_counts,
        )


def compute_features(grid: MinuteGrid, params: FeatureParams, skipped: int = 0) -> Features:
    """
    Features at the close of every minute (or bar) of the grid.

    A row needs the minutes of ``params.before_ms`` before its close to be what live trading
    saw; the caller reads that much more than it wants.

    :param grid: the coin's minutes, or its bars
    :param params: windows
    :param skipped: closes at the front that are not asked for; nobody can say of the first one
        that is whether what it follows was decided on with what is known at it
    :raises UsageError: a segment is no whole number of bars
    """
    steps = params.in_steps(grid.step_min)
    close_ms = _close_ms(grid)
    columns = nothing_measured(grid.minutes - skipped, len(grid.venues))
    for first, end in pairwise(_pieces(grid, skipped)):
        # Nothing before the look-back matters, and short arrays stay in the processor's cache.
        start = max(0, first - steps.lookback_min - 1)
        piece = grid.between(start, end).as_of(int(close_ms[first]))
        # One more close at the front, which says what the first one follows.
        lead = min(first - start, 1)
        closes = EveryClose(piece, steps, first - start - lead)
        measures = measure(closes, steps)
        row = first - skipped
        if row:
            # Something else may be known now than when the close before was decided on, and
            # whether that one was part of a wave is what was decided then.
            ready = columns["state"][row - 1] == State.READY
            same = columns["venue_mask"][row - 1] == measures.venue_mask[lead]
            measures.steady[lead] &= ready and same
        for name in MEASURES:
            columns[name][row : end - skipped] = getattr(measures, name)[lead:]
        at, earlier = before(closes, steps, measures, slice(lead, None))
        for name in BEFORE:
            columns[name][at + (row - lead)] = getattr(earlier, name)
    return _features(grid, params, close_ms[skipped:], columns)


def compute_busy(grid: MinuteGrid, params: FeatureParams) -> Features:
    """
    The same, to the last bit, at the closes of segments that are not empty alone. It costs as
    much as there are such minutes.
    """
    steps = params.in_steps(grid.step_min)
    busy_min, most = busy_minutes(grid), _BUSY_SHARE * grid.minutes
    # Where what is known changes with time, each span between two changes is looked at by itself.
    if not len(busy_min) or grid.changes or len(busy_min) > most:
        return _not_empty(compute_features(grid, params))
    minutes = BusyMinutes.of(busy_min, grid.minutes, steps.segment_min)
    size = len(minutes.closes)
    if size > most:
        return _not_empty(compute_features(grid, params))
    keep_freed(_BYTES_A_CLOSE * size)
    columns = _measured(BusyCloses(grid, steps, minutes), steps, size)
    close_ms = (minutes.closes + 1) * grid.step_ms + grid.start_ms
    # No venue that counts may have had anything, or none counts.
    return _not_empty(_features(grid, params, close_ms, columns))


def compute_newest(grids: Sequence[MinuteGrid], params: FeatureParams) -> list[Features]:
    """
    The same, to the last bit, at the last close of each of several coins' grids, and at the one
    before, of which nobody can say whether what it follows was decided on with what is known at it.

    :param grids: of the same minutes and venues, just long enough for both closes
    """
    features: list[Features | None] = [None] * len(grids)
    alike: dict[bytes, list[int]] = {}
    for place, grid in enumerate(grids):
        if grid.changes or grid.known is not None:
            features[place] = compute_features(grid, params, grid.minutes - CLOSES)
        else:
            alike.setdefault(grid.covered.tobytes(), []).append(place)
    for places in alike.values():
        # Few enough that their arrays stay in the processor's cache.
        for first in range(0, len(places), _COINS_AT_ONCE):
            some = places[first : first + _COINS_AT_ONCE]
            for place, one in zip(some, _newest([grids[n] for n in some], params), strict=True):
                features[place] = one
    return [one for one in features if one is not None]


def _newest(grids: Sequence[MinuteGrid], params: FeatureParams) -> Iterator[Features]:
    steps = params.in_steps(grids[0].step_min)
    closes = NewestCloses(grids, steps)
    columns, close_ms = _measured(closes, steps, CLOSES * len(grids)), _close_ms(grids[0])
    for number, grid in enumerate(grids):
        rows = slice(CLOSES * number, CLOSES * (number + 1))
        own = {name: values[rows] for name, values in columns.items()}
        features = _features(grid, params, close_ms[-CLOSES:], own)
        for mask, (usd, known) in closes.segments.items():
            features._segments[mask] = usd[number], known
        yield features


def _measured(closes: Closes, steps: FeatureParams, size: int) -> dict[str, Any]:
    """:return: the columns of some closes, all of which are asked for"""
    measures = measure(closes, steps)
    columns: dict[str, Any] = {name: getattr(measures, name) for name in MEASURES}
    columns |= {name: columns[name].astype(np.int64) for name in WHOLE} | nothing_before(size)
    at, earlier = before(closes, steps, measures, slice(size))
    for name in BEFORE:
        columns[name][at] = getattr(earlier, name)
    return columns


def _close_ms(grid: MinuteGrid) -> IntArray:
    return np.arange(1, grid.minutes + 1, dtype=np.int64) * grid.step_ms + grid.start_ms


def _not_empty(features: Features) -> Features:
    """:return: the closes whose segments are not"""
    there = features.notional_usd != 0.0
    if there.all():
        return features
    rows = np.flatnonzero(there)
    if not len(rows) or rows[-1] - rows[0] >= len(rows):
        return features.picked(rows)
    return features.picked(slice(int(rows[0]), int(rows[-1]) + 1))  # copies nothing


def _features(
    grid: MinuteGrid, params: FeatureParams, close_ms: IntArray, columns: dict[str, Any]
) -> Features:
    counted = grid.has_counts
    return Features(grid.venues, params, close_ms, **columns, has_counts=counted, _grid=grid)


def _pieces(grid: MinuteGrid, skipped: int) -> list[int]:
    """:return: bounds of spans of closes that are short, and within which the same is known"""
    bounds = {*range(skipped, grid.minutes, _PIECE_MIN), grid.minutes}
    # The first row whose close is not before the time.
    known = -(-(grid.changes_ms - grid.start_ms) // grid.step_ms) - 1
    bounds.update(int(row) for row in known if skipped < row < grid.minutes)
    return sorted(bounds)
