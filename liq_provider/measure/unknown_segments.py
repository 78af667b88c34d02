"""Segments that are not known, as spans: of a year of minutes few are not."""

from collections.abc import Sequence

import numpy as np

from liq_provider.core.arrays import BoolArray, CountArray, IntArray


class UnknownSegments:
    """
    Segments that some minutes are missing of, told by the position of their last minute.

    :param starts: of spans of positions, ascending; the first lies before all that is asked for
    :param ends: of the same, exclusive
    """

    def __init__(self, starts: IntArray, ends: IntArray) -> None:
        apart = starts[1:] > ends[:-1]
        self._starts = starts[np.concatenate(([True], apart))]
        self._ends = ends[np.concatenate((apart, [True]))]

    @classmethod
    def of(cls, known: BoolArray, segment_min: int, lookback_min: int) -> "UnknownSegments":
        """
        :param known: minutes; before the first one nothing is
        :param lookback_min: nobody asks about segments that end so long before the first minute
        """
        edges = np.array([0])
        if not known.all():
            edges = np.flatnonzero(np.diff(known, prepend=False, append=True))
        starts = np.concatenate(([-lookback_min], edges[1::2]))
        return cls(starts, edges[::2] + segment_min - 1)

    @classmethod
    def of_any(cls, several: Sequence["UnknownSegments"]) -> "UnknownSegments":
        """:return: what one of them does not know"""
        if len(several) == 1:
            return several[0]
        starts = np.concatenate([each._starts for each in several])
        ends = np.concatenate([each._ends for each in several])
        order = np.argsort(starts, kind="stable")
        return cls(starts[order], np.maximum.accumulate(ends[order]))

    def at(self, positions: IntArray) -> BoolArray:
        """
        :param positions: ascending
        :return: whether the segment that ends there is unknown
        """
        unknown = np.zeros(len(positions), dtype=bool)
        asked = positions[: np.searchsorted(positions, self._ends[-1])]
        span = np.searchsorted(self._starts, asked, side="right") - 1
        unknown[: len(asked)] = asked < self._ends[span]
        return unknown

    def in_baselines(self, positions: IntArray, stride: int, width: int) -> CountArray:
        """
        :param positions: ascending
        :return: how many of ``position - stride, position - 2 stride, ...``, ``width`` of them, are
            unknown
        """
        unknown = np.zeros(len(positions), dtype=np.int32)
        asked = positions[: np.searchsorted(positions, self._ends[-1] + stride * width)]
        newest, oldest = asked - stride, asked - stride * (width + 1)
        unknown[: len(asked)] = self._until(newest, stride) - self._until(oldest, stride)
        return unknown

    def _until(self, positions: IntArray, stride: int) -> IntArray:
        """:return: how many of ``position, position - stride, ...`` are unknown"""
        line = np.arange(stride)[:, None]
        whole = _between(self._starts, self._ends, line, stride)
        before = np.concatenate((np.zeros_like(line), np.cumsum(whole, axis=1)), axis=1)
        span, line = np.searchsorted(self._starts, positions, side="right") - 1, positions % stride
        end = np.minimum(self._ends[span], positions + 1)
        own: IntArray = before[line, span] + _between(self._starts[span], end, line, stride)
        return own


def _between(starts: IntArray, ends: IntArray, line: IntArray, stride: int) -> IntArray:
    """:return: how many positions of spans leave ``line`` when they are divided by ``stride``"""
    count: IntArray = (ends - 1 - line) // stride - (starts - 1 - line) // stride
    return count
