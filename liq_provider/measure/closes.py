"""
Which closes are measured: every one of a grid, or those alone at which there is something.

Both say the same of a close, to the last bit. The one costs as much as there are minutes, the
other as much as there are minutes with liquidations.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from liq_provider.core.arrays import BoolArray, CountArray, IntArray, MaskArray
from liq_provider.measure.baseline import BaselineCounts, covered_by, mask_of
from liq_provider.measure.baseline_sums import BusyBaselines, baseline_sums
from liq_provider.measure.minute_grid import FeatureParams, MinuteGrid
from liq_provider.measure.unknown_segments import UnknownSegments
from liq_provider.measure.window_sums import strided_sum, window_sum
from liq_provider.measure.zscore import Sums, covered_segments, members_of, together


class Closes(Protocol):
    """Some closes of a grid, ascending."""

    @property
    def grid(self) -> MinuteGrid: ...
    def steady(self, ready: BoolArray, chosen: MaskArray) -> BoolArray:
        """
        :param ready: per close
        :param chosen: V(t)
        :return: per close, whether the one before was READY for the same venues
        """

    def positions(self, rows: IntArray) -> IntArray:
        """:return: where some of them are in the grid"""

    def venues(self) -> tuple[MaskArray, CountArray]:
        """:return: V(t), and how many segments of the baseline all of them know"""

    def baseline_n(self, mask: int) -> CountArray:
        """:return: how many segments of the baseline some venues know, all of them"""

    def sums(self, mask: int) -> Sums:
        """:return: what some venues have in the segments and in their baselines"""


class EveryClose:
    """
    :param skipped: columns at the front that are only looked back at
    """

    def __init__(self, grid: MinuteGrid, params: FeatureParams, skipped: int) -> None:
        self.grid = grid
        self._params, self._skipped = params, skipped
        covered = np.stack([covered_segments(row, params.segment_min) for row in grid.covered])
        self._known = covered
        if grid.known is not None:
            known = [covered_segments(row, params.segment_min) for row in grid.known]
            self._known = np.stack(known)
        self._counts = BaselineCounts.of_every_close(self._known, params, skipped)
        self._covering = mask_of(covered[:, skipped:])

    def steady(self, ready: BoolArray, chosen: MaskArray) -> BoolArray:
        steady = np.zeros(len(ready), dtype=bool)
        steady[1:] = ready[:-1] & (chosen[1:] == chosen[:-1])
        return steady

    def positions(self, rows: IntArray) -> IntArray:
        return rows + self._skipped

    def venues(self) -> tuple[MaskArray, CountArray]:
        return self._counts.choose(self._covering)

    def baseline_n(self, mask: int) -> CountArray:
        return self._counts.of(mask)

    def sums(self, mask: int) -> Sums:
        stride, width = self._params.segment_min, self._params.baseline_segments
        grid, skipped, members = self.grid, self._skipped, members_of(mask)
        long_usd = window_sum(together(grid.long_usd, members), 1, stride)
        short_usd = window_sum(together(grid.short_usd, members), 1, stride)
        count = window_sum(together(grid.count, members), 1, stride)
        notional, known = long_usd + short_usd, covered_by(self._known, mask)
        if not known.all():
            notional[~known] = 0.0
        total, squares = baseline_sums(notional, grid.number, stride, width)
        active_n = strided_sum((notional > 0).astype(np.int32), stride, width, skipped)
        return Sums(
            long_usd[skipped:],
            short_usd[skipped:],
            count[skipped:],
            notional[skipped:],
            total[skipped:],
            squares[skipped:],
            active_n,
        )


class BusyCloses:
    """
    The closes of segments that are not empty. After them come the closes before each run of
    them, of which only is asked whether they were READY.

    :param busy: see ``busy_closes``
    """

    def __init__(self, grid: MinuteGrid, params: FeatureParams, busy: IntArray) -> None:
        self.grid = grid
        self._params, self._busy = params, busy
        runs = np.flatnonzero(np.diff(busy, prepend=-2) > 1)
        self._others = busy[runs] - 1
        self._before = np.arange(-1, len(busy) - 1)
        self._before[runs] = np.arange(len(busy), len(busy) + len(runs))
        # Whole runs, and the last minutes of each are empty: so the older minutes of a segment
        # are its neighbours here as well, or nothing. What this says of the others is not used.
        asked = np.concatenate((busy, self._others))
        sides = (grid.long_usd, grid.short_usd)
        self._long_usd, self._short_usd = (side.take(asked, axis=1) for side in sides)
        self._count = grid.count.take(asked, axis=1)
        stride, width = params.segment_min, params.baseline_segments
        self._baselines = BusyBaselines(grid.number, busy, self._others, stride, width)
        self._unknown = unknown = self._unknown_of(grid.in_baselines)
        parts = (busy, self._others)

        # No method, which would keep all of these arrays until somebody looks for circles.
        def counted(mask: int) -> CountArray:
            of_any = _unknown_to(unknown, mask)
            return width - np.concatenate([of_any.in_baselines(p, stride, width) for p in parts])

        self._counts = BaselineCounts(len(grid.venues), params, counted)

    def steady(self, ready: BoolArray, chosen: MaskArray) -> BoolArray:
        steady = np.zeros(len(ready), dtype=bool)
        busy, before = len(self._busy), self._before
        steady[:busy] = ready[before] & (chosen[before] == chosen[:busy])
        return steady

    def positions(self, rows: IntArray) -> IntArray:
        return self._busy[rows]

    def venues(self) -> tuple[MaskArray, CountArray]:
        unknown = self._unknown
        if self.grid.known is not None:
            unknown = self._unknown_of(self.grid.covered)
        covered = np.stack(
            [~np.concatenate((v.at(self._busy), v.at(self._others))) for v in unknown]
        )
        return self._counts.choose(mask_of(covered))

    def baseline_n(self, mask: int) -> CountArray:
        return self._counts.of(mask)

    def sums(self, mask: int) -> Sums:
        stride, members = self._params.segment_min, members_of(mask)
        long_usd = window_sum(together(self._long_usd, members), 1, stride)
        short_usd = window_sum(together(self._short_usd, members), 1, stride)
        count = window_sum(together(self._count, members), 1, stride)
        notional = long_usd + short_usd
        own = notional[: len(self._busy)]
        own[_unknown_to(self._unknown, mask).at(self._busy)] = 0.0
        return Sums(long_usd, short_usd, count, notional, *self._baselines.sums(own))

    def _unknown_of(self, minutes: BoolArray) -> list[UnknownSegments]:
        stride, back = self._params.segment_min, self._params.lookback_min + 1
        return [UnknownSegments.of(row, stride, back + stride) for row in minutes]


def _unknown_to(unknown: Sequence[UnknownSegments], mask: int) -> UnknownSegments:
    """:return: what one of some venues does not know"""
    return UnknownSegments.of_any([unknown[venue] for venue in members_of(mask)])


def busy_closes(grid: MinuteGrid, segment_min: int) -> IntArray:
    """:return: positions of the closes of segments that are not empty"""
    busy = np.zeros(grid.minutes, dtype=bool)
    for side in (grid.long_usd, grid.short_usd):
        for venue in side:
            busy |= venue != 0.0
    minutes = np.flatnonzero(busy)
    closes = np.zeros(grid.minutes + segment_min - 1, dtype=bool)
    for later in range(segment_min):
        closes[minutes + later] = True
    return np.flatnonzero(closes[: grid.minutes])
