"""
Which closes are measured: every one of a grid, or those alone at which there is something.

Both say the same of a close, to the last bit. The one costs as much as there are minutes, the
other as much as there are minutes with liquidations.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from liq_provider.core.arrays import BoolArray, CountArray, IntArray, MaskArray
from liq_provider.measure.baseline import BaselineCounts, covered_by, mask_of, masks_in
from liq_provider.measure.baseline_sums import BusyBaselines, baseline_sums
from liq_provider.measure.feature_rows import State, states
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


@dataclass(frozen=True, slots=True)
class BusyMinutes:
    """
    Minutes with liquidations, and the closes of the segments that they are in, as positions in a
    grid, ascending.

    :param own: which of the closes are the minutes' own
    """

    minutes: IntArray
    closes: IntArray
    own: IntArray

    @classmethod
    def of(cls, minutes: IntArray, size: int, segment_min: int) -> "BusyMinutes":
        """
        :param minutes: see ``busy_minutes``
        :param size: of the grid
        """
        # Each is the newest of its own close, and of those until the next one's.
        newest_of = np.minimum(np.diff(minutes, append=size), segment_min)
        own = np.cumsum(newest_of) - newest_of
        return cls(minutes, np.repeat(minutes - own, newest_of) + np.arange(newest_of.sum()), own)


def busy_minutes(grid: MinuteGrid) -> IntArray:
    """:return: positions of the minutes in which any venue had liquidations"""
    busy, also = np.zeros(grid.minutes, dtype=bool), np.empty(grid.minutes, dtype=bool)
    for side in (grid.long_usd, grid.short_usd):
        for venue in side:
            np.not_equal(venue, 0.0, out=also)
            busy |= also
    return np.flatnonzero(busy)


class BusyCloses:
    """
    The closes of segments that are not empty. Of the closes before each run of them only is
    asked whether they were READY.
    """

    def __init__(self, grid: MinuteGrid, params: FeatureParams, busy: BusyMinutes) -> None:
        self.grid = grid
        self._params, self._busy = params, busy
        self._runs = np.flatnonzero(np.diff(busy.closes, prepend=-2) > 1)
        self._others = busy.closes[self._runs] - 1
        self._values = [
            part.take(busy.minutes, axis=1) for part in (grid.long_usd, grid.short_usd, grid.count)
        ]
        self._unknown = self._unknown_of(grid.in_baselines)
        self._covering = self._unknown
        if grid.known is not None:
            self._covering = self._unknown_of(grid.covered)
        stride, width = params.segment_min, params.baseline_segments
        self._baselines = BusyBaselines(grid.number, busy.closes, self._others, stride, width)
        self._active_of_others: dict[int, CountArray] = {}
        self._counts = _counts(self._unknown, params, busy.closes)

    def steady(self, ready: BoolArray, chosen: MaskArray) -> BoolArray:
        steady = np.empty(len(ready), dtype=bool)
        steady[1:] = ready[:-1] & (chosen[1:] == chosen[:-1])
        others, before = self._chosen_before()
        runs = self._runs
        steady[runs] = others & (before == chosen[runs])
        return steady

    def positions(self, rows: IntArray) -> IntArray:
        return self._busy.closes[rows]

    def venues(self) -> tuple[MaskArray, CountArray]:
        return self._counts.choose(self._covering_at(self._busy.closes))

    def baseline_n(self, mask: int) -> CountArray:
        return self._counts.of(mask)

    def sums(self, mask: int) -> Sums:
        long_usd, short_usd, count = self._segments(mask)
        notional = long_usd + short_usd
        notional[_unknown_to(self._unknown, mask).at(self._busy.closes)] = 0.0
        total, squares, active_n, of_others = self._baselines.sums(notional)
        self._active_of_others[mask] = of_others
        return Sums(long_usd, short_usd, count, notional, total, squares, active_n)

    def _segments(self, mask: int) -> Iterator[Any]:
        """:return: long and short USD and count of some venues"""
        members = members_of(mask)
        for values in self._values:
            # Whole runs, and the last minutes of each are empty: so the older minutes of a
            # segment are its neighbours here as well, or nothing.
            minutes = np.zeros(len(self._busy.closes), dtype=values.dtype)
            minutes[self._busy.own] = together(values, members)
            yield window_sum(minutes, 1, self._params.segment_min)

    def _chosen_before(self) -> tuple[BoolArray, MaskArray]:
        """:return: of the close before each run, whether it was READY, and V(t)"""
        counts = _counts(self._unknown, self._params, self._others)
        chosen, baseline_n = counts.choose(self._covering_at(self._others))
        active_n = np.zeros(len(chosen), dtype=np.int32)
        for mask in masks_in(chosen):
            if mask not in self._active_of_others:
                self.sums(mask)
            np.copyto(active_n, self._active_of_others[mask], where=chosen == mask)
        return states(chosen != 0, baseline_n, active_n, self._params) == State.READY, chosen

    def _covering_at(self, positions: IntArray) -> MaskArray:
        return mask_of(np.stack([~venue.at(positions) for venue in self._covering]))

    def _unknown_of(self, minutes: BoolArray) -> list[UnknownSegments]:
        stride, back = self._params.segment_min, self._params.lookback_min + 1
        return [UnknownSegments.of(row, stride, back + stride) for row in minutes]


def _counts(
    unknown: Sequence[UnknownSegments], params: FeatureParams, positions: IntArray
) -> BaselineCounts:
    """:return: what sets of venues cover of the baselines of some closes"""
    stride, width = params.segment_min, params.baseline_segments

    # No method: it would keep whose it is until somebody looks for circles.
    def counted(mask: int) -> CountArray:
        return width - _unknown_to(unknown, mask).in_baselines(positions, stride, width)

    return BaselineCounts(len(unknown), params, counted)


def _unknown_to(unknown: Sequence[UnknownSegments], mask: int) -> UnknownSegments:
    """:return: what one of some venues does not know"""
    return UnknownSegments.of_any([unknown[venue] for venue in members_of(mask)])
