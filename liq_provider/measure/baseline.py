"""
How many baseline segments each set of venues covers, and the choice of V(t) by it.

V(t) begins as the venues that cover the whole scored segment. While fewer than
``min_baseline_segments`` of the baseline are covered by all of them, the venue that covers the
fewest by itself is dropped, of equals the first in the alphabet. Where that never helps, all
stay and the minute is warming up.

A set of venues is the bits of a signed number, as small a one as has room for all of them.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from liq_provider.core.arrays import BoolArray, CountArray, IntArray, MaskArray
from liq_provider.errors import UsageError
from liq_provider.measure.minute_grid import FeatureParams
from liq_provider.measure.window_sums import strided_sum

# One bit of a number is its sign.
MOST_VENUES = 63
_MASK_TYPES: tuple[type[np.signedinteger[Any]], ...] = (np.int8, np.int16, np.int32, np.int64)

# With more bits than this, counting what occurs takes more room than sorting it.
_COUNTED_BITS = 15


def mask_type(venues: int) -> type[np.signedinteger[Any]]:
    """
    :return: the smallest type that holds a set of so many venues
    :raises UsageError: none does
    """
    for kind in _MASK_TYPES:
        if venues < np.iinfo(kind).bits:
            return kind
    raise UsageError(f"{venues} venues are more than can be added up ({MOST_VENUES})")


def mask_of(segment_covered: BoolArray) -> MaskArray:
    """
    :param segment_covered: shape (venues, minutes)
    :return: shape (minutes,), with bit i set where venue i covers the segment
    """
    kind = mask_type(len(segment_covered))
    mask: MaskArray = segment_covered[0].astype(kind)
    for bit in range(1, len(segment_covered)):
        mask |= segment_covered[bit].astype(kind) << kind(bit)
    return mask


def masks_in(masks: MaskArray) -> list[int]:
    """:return: the sets of venues that occur, without the empty one"""
    if not len(masks) or masks.min() == masks.max():
        return [int(mask) for mask in masks[:1] if mask]
    if np.iinfo(masks.dtype).bits > _COUNTED_BITS + 1:
        return [int(mask) for mask in np.unique(masks) if mask]
    return [int(mask) for mask in np.flatnonzero(np.bincount(masks)) if mask]


def covered_by(segment_covered: BoolArray, mask: int) -> BoolArray:
    """:return: where every venue of a set covers the segment"""
    members = [row for bit, row in enumerate(segment_covered) if mask >> bit & 1]
    together: BoolArray = members[0]
    for other in members[1:]:
        together = together & other
    return together


class BaselineCounts:
    """
    :param counted: what a set of venues covers at each close, see ``of``
    """

    def __init__(
        self, venues: int, params: FeatureParams, counted: Callable[[int], CountArray]
    ) -> None:
        self._venues = venues
        self._params = params
        self._counted = counted
        self._by_mask: dict[int, CountArray] = {}

    @classmethod
    def of_every_close(
        cls, segment_covered: BoolArray, params: FeatureParams, skipped: int = 0
    ) -> "BaselineCounts":
        """
        :param segment_covered: shape (venues, minutes)
        :param skipped: closes at the front that are not asked for
        """

        def counted(mask: int) -> CountArray:
            return _counts(covered_by(segment_covered, mask), params)[skipped:]

        return cls(len(segment_covered), params, counted)

    def of(self, mask: int) -> CountArray:
        """:return: per close, the baseline segments that a set of venues covers"""
        if mask not in self._by_mask:
            self._by_mask[mask] = self._counted(mask)
        return self._by_mask[mask]

    def choose(self, masks: MaskArray) -> tuple[MaskArray, CountArray]:
        """
        :param masks: the venues that cover each scored segment
        :return: V(t) and its covered baseline segments; where too few, of the best choice
        """
        if self._venues == 1:
            return masks, self.of(1) * masks
        chosen, counted = masks.copy(), self._count(masks)
        pending = np.flatnonzero((counted < self._params.min_baseline_segments) & (masks > 0))
        current = masks[pending]
        while len(pending):
            current = self._without_worst(current, pending)
            left = current > 0
            pending, current = pending[left], current[left]
            counts = self._count_at(current, pending)
            enough = counts >= self._params.min_baseline_segments
            chosen[pending[enough]] = current[enough]
            counted[pending] = counts  # fewer venues never cover less
            pending, current = pending[~enough], current[~enough]
        return chosen, counted

    def _count(self, masks: MaskArray) -> CountArray:
        counts = np.zeros(len(masks), dtype=np.int32)
        for mask in masks_in(masks):
            np.copyto(counts, self.of(mask), where=masks == mask)
        return counts

    def _count_at(self, masks: MaskArray, rows: IntArray) -> CountArray:
        counts = np.zeros(len(rows), dtype=np.int32)
        for mask in np.unique(masks):
            where = masks == mask
            counts[where] = self.of(int(mask))[rows[where]]
        return counts

    def _without_worst(self, masks: MaskArray, rows: IntArray) -> MaskArray:
        alone = np.stack([self.of(1 << bit)[rows] for bit in range(self._venues)])
        absent = (masks[None, :] >> np.arange(self._venues)[:, None] & 1) == 0
        # argmin takes the first of equals, and venues are in alphabetical order.
        worst = np.where(absent, np.iinfo(np.int32).max, alone).argmin(axis=0)
        bit = np.left_shift(1, worst, dtype=np.int64)
        remaining: MaskArray = (masks & ~bit).astype(masks.dtype)
        return remaining


def _counts(covered: BoolArray, params: FeatureParams) -> CountArray:
    stride, width = params.segment_min, params.baseline_segments
    if not covered[stride - 1 :].all():
        return strided_sum(covered.astype(np.int32), stride, width)
    # Without a gap every baseline is whole, but for those that begin before the minutes.
    counts = np.full(len(covered), width, dtype=np.int32)
    front = params.lookback_min
    counts[:front] = strided_sum(covered[:front].astype(np.int32), stride, width)
    return counts
