"""What features are made from: dense minutes (or bars) of one coin, and the windows over them."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from liq_provider.core.arrays import BoolArray, FloatArray, IntArray
from liq_provider.core.durations import MINUTE_MS
from liq_provider.errors import UsageError


@dataclass(frozen=True, slots=True)
class FeatureParams:
    """The windows; thresholds are not here, they belong to ``grade``."""

    segment_min: int = 5
    baseline_segments: int = 288
    min_baseline_segments: int = 72
    min_active_segments: int = 20

    @property
    def lookback_min(self) -> int:
        """Minutes before t that can influence the features at t."""
        return self.segment_min * (self.baseline_segments + 1)

    def before_ms(self, step_min: int = 1) -> int:
        """
        :param step_min: length of one column of a grid
        :return: how long before a close its grid begins: the look-back, and one column more, for
            what the close before it knew
        """
        return (self.lookback_min + step_min) * MINUTE_MS

    def in_steps(self, step_min: int) -> "FeatureParams":
        """
        :param step_min: length of one column of a grid
        :return: the same windows counted in columns
        :raises UsageError: a segment is no whole number of columns
        """
        if step_min == 1:
            return self
        if self.segment_min % step_min:
            raise UsageError(
                f"liq_provider.segment_min: {self.segment_min} is no multiple of the bars' "
                f"{step_min} minutes"
            )
        return replace(self, segment_min=self.segment_min // step_min)


@dataclass(frozen=True, slots=True)
class Fills:
    """
    Minutes that nobody listened to, completed later from a venue's history.

    :param known_ms: shape (venues, minutes); the first close that may know of it, 0 for never
    :param long_usd: shape (venues, minutes)
    :param short_usd: shape (venues, minutes)
    :param count: shape (venues, minutes)
    """

    known_ms: IntArray
    long_usd: FloatArray
    short_usd: FloatArray
    count: IntArray

    def between(self, first: int, end: int) -> "Fills":
        """:return: the minutes ``[first, end)``, without copying"""
        return Fills(
            self.known_ms[:, first:end],
            self.long_usd[:, first:end],
            self.short_usd[:, first:end],
            self.count[:, first:end],
        )

    def padded(self, minutes: int) -> "Fills":
        """:return: with that many minutes more, in which nothing is filled"""
        width = ((0, 0), (0, minutes))
        return Fills(
            *(np.pad(getattr(self, array.name), width) for array in fields(self)),
        )


@dataclass(frozen=True, slots=True)
class MinuteGrid:
    """
    Dense minutes of one coin, or bars of several minutes each.

    :param start_ms: open of the first minute
    :param venues: sorted names; the order of the first axis below
    :param long_usd: shape (venues, minutes)
    :param short_usd: shape (venues, minutes)
    :param count: shape (venues, minutes)
    :param covered: shape (venues, minutes); False means unknown, not zero
    :param has_counts: False for imported bars that state no number of orders
    :param step_min: length of one column
    :param known: what baselines may use, shape as ``covered``; None: what is covered
    :param fills: what else baselines may use, each from its own time on
    :param doubted_ms: shape as ``covered``; the first close at which a covered minute is not
        known any more, because an order of it came to light; 0 for never
    :param learned_ms: shape as ``covered``; the first close at which another minute is known,
        because a sidecar that heard it settled it later than the first one; 0 for never
    """

    start_ms: int
    venues: tuple[str, ...]
    long_usd: FloatArray
    short_usd: FloatArray
    count: IntArray
    covered: BoolArray
    has_counts: bool = True
    step_min: int = 1
    known: BoolArray | None = None
    fills: Fills | None = None
    doubted_ms: IntArray | None = None
    learned_ms: IntArray | None = None

    @property
    def minutes(self) -> int:
        """Number of columns: minutes, or bars."""
        return int(self.covered.shape[1])

    @property
    def step_ms(self) -> int:
        """Length of one column in milliseconds."""
        return self.step_min * MINUTE_MS

    @property
    def number(self) -> int:
        """Of the first column, by the clock."""
        return self.start_ms // self.step_ms

    @property
    def in_baselines(self) -> BoolArray:
        """What baselines may use."""
        return self.covered if self.known is None else self.known

    @property
    def changes(self) -> bool:
        """Is something known to one decision and not to another?"""
        return any(part is not None for part in (self.fills, self.doubted_ms, self.learned_ms))

    @property
    def changes_ms(self) -> IntArray:
        """The closes from which on something else is known than before, ascending."""
        changes = [] if self.fills is None else [self.fills.known_ms.ravel()]
        dated = (self.doubted_ms, self.learned_ms)
        changes += [times.ravel() for times in dated if times is not None]
        if not changes:
            return np.array([], dtype=np.int64)
        times = np.unique(np.concatenate(changes))
        return times[times > 0]

    def between(self, first: int, end: int) -> "MinuteGrid":
        """:return: the columns ``[first, end)``, without copying"""
        return replace(
            self,
            start_ms=self.start_ms + first * self.step_ms,
            long_usd=self.long_usd[:, first:end],
            short_usd=self.short_usd[:, first:end],
            count=self.count[:, first:end],
            covered=self.covered[:, first:end],
            known=None if self.known is None else self.known[:, first:end],
            fills=None if self.fills is None else self.fills.between(first, end),
            doubted_ms=None if self.doubted_ms is None else self.doubted_ms[:, first:end],
            learned_ms=None if self.learned_ms is None else self.learned_ms[:, first:end],
        )

    def followed_by(self, later: "MinuteGrid") -> "MinuteGrid":
        """
        :param later: the same venues, from where this grid ends; none of it is filled
        :return: both, one after the other
        """

        def joined(name: str) -> Any:
            return np.concatenate([getattr(self, name), getattr(later, name)], axis=1)

        names = ("long_usd", "short_usd", "count", "covered")
        fills = None if self.fills is None else self.fills.padded(later.minutes)
        changed = {name: joined(name) for name in names}
        for name in ("doubted_ms", "learned_ms"):
            times = getattr(self, name)
            if times is not None:
                changed[name] = np.pad(times, ((0, 0), (0, later.minutes)))
        return replace(self, **changed, fills=fills)

    def for_decision(self, close_ms: int) -> "MinuteGrid":
        """
        :return: the same to the decisions at ``close_ms`` and one step before, while what changed
            earlier or changes later is not told apart: each such time costs a pass
        """
        if not self.changes:
            return self
        before_ms, first_ms = close_ms - self.step_ms, self.start_ms + self.step_ms

        def few(times_ms: IntArray) -> IntArray:
            early = (times_ms > 0) & (times_ms <= before_ms)
            return np.where(early, first_ms, np.where(times_ms <= close_ms, times_ms, 0))

        doubted_ms, learned_ms, fills = self.doubted_ms, self.learned_ms, self.fills
        return replace(
            self,
            fills=None if fills is None else replace(fills, known_ms=few(fills.known_ms)),
            doubted_ms=None if doubted_ms is None else few(doubted_ms),
            learned_ms=None if learned_ms is None else few(learned_ms),
        )

    def as_of(self, close_ms: int) -> "MinuteGrid":
        """:return: with what a decision at ``close_ms`` may know: later fills and doubts apart"""
        if not self.changes:
            return self
        covered = self.covered
        if self.doubted_ms is not None:
            covered = covered & ~((self.doubted_ms > 0) & (self.doubted_ms <= close_ms))
        if self.learned_ms is not None:
            covered = covered | ((self.learned_ms > 0) & (self.learned_ms <= close_ms))
        if self.fills is None:
            return replace(self, covered=covered, doubted_ms=None, learned_ms=None)
        fills = self.fills
        there = (fills.known_ms > 0) & (fills.known_ms <= close_ms) & ~covered
        return replace(
            self,
            long_usd=np.where(there, fills.long_usd, self.long_usd),
            short_usd=np.where(there, fills.short_usd, self.short_usd),
            count=np.where(there, fills.count, self.count),
            covered=covered,
            known=covered | there,
            fills=None,
            doubted_ms=None,
            learned_ms=None,
        )
