"""
The last two closes of several coins, measured side by side.

Of a minute that was just settled only its own close is asked for, and the one before, which says
whether a wave begins. With one coin after the other most of the time goes into making arrays; and
all that concerns coverage is the same for coins of which the same is known.

A close has the bits that it has among all closes of its coin (``EveryClose``).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from liq_provider.core.arrays import BoolArray, CountArray, FloatArray, IntArray, MaskArray
from liq_provider.measure.baseline import BaselineCounts, covered_by, mask_of
from liq_provider.measure.minute_grid import FeatureParams, MinuteGrid
from liq_provider.measure.window_sums import window_sum
from liq_provider.measure.zscore import Sums, covered_segments, members_of, together

# The last one, and the one before.
CLOSES = 2


class NewestCloses:
    """
    Two closes of each coin, one coin after the other.

    :param grids: of the same minutes, of which the same is known at all times; just long enough for
        both closes
    :ivar segments: by venues, what each segment is worth to them (shape (coins, minutes)), and
        where all of them know it
    """

    def __init__(self, grids: Sequence[MinuteGrid], params: FeatureParams) -> None:
        one = grids[0]
        self.segments: dict[int, tuple[FloatArray, BoolArray]] = {}
        self._params = params
        self._coins, self._minutes = len(grids), one.minutes
        # A window that ends in a coin's part of it and is asked for also begins there.
        self.grid = replace(
            one,
            long_usd=np.concatenate([grid.long_usd for grid in grids], axis=1),
            short_usd=np.concatenate([grid.short_usd for grid in grids], axis=1),
            count=np.concatenate([grid.count for grid in grids], axis=1),
            covered=np.tile(one.covered, self._coins),
        )
        self._known = np.stack([covered_segments(row, params.segment_min) for row in one.covered])
        self._counts = BaselineCounts.of_every_close(self._known, params, one.minutes - CLOSES)
        own = np.arange(one.minutes - CLOSES, one.minutes)
        self._at = (np.arange(self._coins)[:, None] * one.minutes + own).reshape(-1)

    def steady(self, ready: BoolArray, chosen: MaskArray) -> BoolArray:
        steady = np.zeros(len(ready), dtype=bool)
        steady[1::CLOSES] = ready[::CLOSES] & (chosen[1::CLOSES] == chosen[::CLOSES])
        return steady

    def positions(self, rows: IntArray) -> IntArray:
        return self._at[rows]

    def venues(self) -> tuple[MaskArray, CountArray]:
        chosen, counted = self._counts.choose(mask_of(self._known[:, -CLOSES:]))
        return np.tile(chosen, self._coins), np.tile(counted, self._coins)

    def baseline_n(self, mask: int) -> CountArray:
        return np.tile(self._counts.of(mask), self._coins)

    def sums(self, mask: int) -> Sums:
        grid, members, stride = self.grid, members_of(mask), self._params.segment_min
        long_usd = window_sum(together(grid.long_usd, members), 1, stride)
        short_usd = window_sum(together(grid.short_usd, members), 1, stride)
        count = window_sum(together(grid.count, members), 1, stride)
        notional = (long_usd + short_usd).reshape(self._coins, self._minutes)
        known = covered_by(self._known, mask)
        notional[:, ~known] = 0.0
        self.segments[mask] = notional, known
        total, squares, active_n = self._of_baselines(notional)
        at = self._at
        return Sums(
            *(long_usd[at], short_usd[at], count[at], notional.reshape(-1)[at]),
            *(total, squares, active_n),
        )

    def _of_baselines(self, notional: FloatArray) -> tuple[FloatArray, FloatArray, CountArray]:
        """
        In the order of additions of ``baseline_sums``.

        :return: the sums, those of the squares, and how many segments are not empty
        """
        stride, width = self._params.segment_min, self._params.baseline_segments
        totals, squares = np.empty((2, self._coins, CLOSES))
        active_n = np.empty((self._coins, CLOSES), dtype=np.int32)
        for close in range(CLOSES):
            position = self._minutes - CLOSES + close
            line = notional[:, position - stride * width : position : stride]
            # So many of them lie in the block that the close is in.
            own = (self.grid.number + position) // stride % width
            for sums, values in ((totals, line), (squares, line * line)):
                forwards = np.cumsum(values[:, width - own :], axis=1)
                backwards = np.cumsum(values[:, width - own - 1 :: -1], axis=1)
                sums[:, close] = forwards[:, -1] + backwards[:, -1] if own else backwards[:, -1]
            active_n[:, close] = np.count_nonzero(line, axis=1)
        return totals.reshape(-1), squares.reshape(-1), active_n.reshape(-1)
