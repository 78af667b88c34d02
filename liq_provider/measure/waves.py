"""
From features to waves: how strong, which way, and which minutes belong together.

A wave is a run of anomalous minutes of one coin and one direction, ended by ``segment_min``
minutes without one. Signs are +1 for LONG and -1 for SHORT throughout.

A wave is entered only if its beginning was seen. Usually it was: the minute before its first one
was known for the same venues, and was no part of it. After unknown minutes, or when the venues
are others than a minute ago, money that nobody looked at in time may show for the first time,
minutes after it came. The beginning is then seen only if the segment without its newest minute
would not be anomalous in that direction: what makes it a wave came in the newest minute. A
segment of one minute (or bar) has nothing else in it, so its beginning is always seen.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, overload

import numpy as np

from liq_provider.core.arrays import BoolArray, FloatArray, IntArray
from liq_provider.core.durations import MINUTE_MS
from liq_provider.measure.feature_rows import FeatureRows, Measured, purity
from liq_provider.measure.scales import PURITY, SCALES, Score

Direction = Literal["LONG", "SHORT"]


class Strength(IntEnum):
    """How far a segment stands out."""

    NONE = 0
    MEDIUM = 1
    STRONG = 2

    @property
    def word(self) -> str:
        """Lower-case name, as used in verdicts and tags."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What makes a segment anomalous. Purity is a share, money is in USD."""

    z_threshold: float = SCALES["classic"].medium
    z_strong: float = SCALES["classic"].strong
    purity_threshold: float = PURITY.medium
    purity_strong: float = PURITY.strong
    min_count: int = 3
    min_segment_usd: float = 25_000
    zscore: Score = "classic"
    direction_mode: Literal["follow", "fade"] = "follow"


def score(rows: Measured, thresholds: Thresholds) -> FloatArray:
    """:return: what is thresholded: z, robust z or percentile; NaN where missing"""
    if thresholds.zscore == "percentile":
        return rows.percentile
    return rows.robust_z if thresholds.zscore == "robust" else rows.z


@dataclass(frozen=True, slots=True)
class Passes:
    """
    Which thresholds each segment passes. This alone decides; whoever tells why a segment is no
    wave words it.

    :param count: enough orders (``min_count``); bars without counts pass
    :param size: enough money (``min_segment_usd``)
    :param z: its score reaches ``z_threshold``; one that is missing does not
    :param purity: it lies strictly above ``purity_threshold``
    :param strong: score and purity reach ``z_strong`` and ``purity_strong``
    """

    count: BoolArray
    size: BoolArray
    z: BoolArray
    purity: BoolArray
    strong: BoolArray

    @property
    def qualifies(self) -> BoolArray:
        """Enough orders and enough money to be more than one accident."""
        return self.count & self.size

    @property
    def strength(self) -> IntArray:
        """A ``Strength`` per segment: medium passes all but the last, strong that as well."""
        medium = self.qualifies & self.z & self.purity
        return medium.astype(np.int64) + (medium & self.strong)


def passes(rows: Measured, thresholds: Thresholds) -> Passes:
    """:return: which of the thresholds each segment passes"""
    pure, z = purity(rows.long_usd, rows.short_usd), score(rows, thresholds)
    every = np.ones(len(pure), dtype=bool)
    with np.errstate(invalid="ignore"):
        return Passes(
            count=enough_orders(rows.count, thresholds) if rows.has_counts else every,
            size=enough_money(rows.long_usd + rows.short_usd, thresholds),
            z=z >= thresholds.z_threshold,
            purity=pure > thresholds.purity_threshold,
            strong=(z >= thresholds.z_strong) & (pure >= thresholds.purity_strong),
        )


def enough_orders(count: IntArray, thresholds: Thresholds) -> BoolArray:
    """:return: whether the liquidations are at least ``min_count``"""
    return count >= thresholds.min_count


def enough_money(usd: FloatArray, thresholds: Thresholds) -> BoolArray:
    """:return: whether the dollars are at least ``min_segment_usd``"""
    return usd >= thresholds.min_segment_usd


def signs(rows: Measured, thresholds: Thresholds, passed: Passes) -> IntArray:
    """
    Direction of the trade: long liquidations -> -1 (SHORT), short ones -> +1 (LONG), ``fade``
    the other way round, 0 where no side is pure enough.

    :param passed: what the same segments pass
    """
    sign = np.where(rows.short_usd > rows.long_usd, 1, -1) * passed.purity
    return -sign if thresholds.direction_mode == "fade" else sign


@overload
def wave_goes_on(last_ms: int, close_ms: int, segment_min: int) -> bool: ...
@overload
def wave_goes_on(last_ms: IntArray, close_ms: IntArray, segment_min: int) -> BoolArray: ...
def wave_goes_on(
    last_ms: int | IntArray, close_ms: int | IntArray, segment_min: int
) -> bool | BoolArray:
    """
    Does an anomalous minute continue the wave whose last one was ``last_ms``?

    :return: False once ``segment_min`` whole minutes without an anomaly lie between
    """
    return close_ms - last_ms <= segment_min * MINUTE_MS


def wave_starts(
    close_ms: IntArray, strength: IntArray, sign: IntArray, segment_min: int
) -> IntArray:
    """
    Close of the first minute of the wave that each anomalous minute belongs to.

    :param close_ms: minute closes, ascending; gaps count as minutes without an anomaly
    :param strength: ``Strength`` per minute
    :param sign: direction per minute
    :param segment_min: that many minutes without an anomaly end a wave
    :return: 0 where a minute is not anomalous
    """
    starts = np.zeros(len(close_ms), dtype=np.int64)
    for direction in (1, -1):
        rows = np.flatnonzero((strength > Strength.NONE) & (sign == direction))
        if not len(rows):
            continue
        times = close_ms[rows]
        first = np.ones(len(rows), dtype=bool)
        first[1:] = ~wave_goes_on(times[:-1], times[1:], segment_min)
        starts[rows] = times[first][np.cumsum(first) - 1]
    return starts


@dataclass(frozen=True, slots=True)
class Waves:
    """
    The waves of some minutes, one value per minute.

    :param strength: a ``Strength``
    :param sign: direction; also of minutes that are not anomalous
    :param start_ms: close of the first minute of the wave, 0 where a minute is not anomalous
    :param seen: the beginning of that wave was seen
    :param passes: which thresholds each minute passes; the strength follows from it
    """

    strength: IntArray
    sign: IntArray
    start_ms: IntArray
    seen: BoolArray
    passes: Passes


def waves_of(rows: FeatureRows, thresholds: Thresholds, segment_min: int) -> Waves:
    """
    :param rows: ascending; minutes that are left out were not anomalous
    """
    passed = passes(rows, thresholds)
    strength, sign = passed.strength, signs(rows, thresholds, passed)
    starts = wave_starts(rows.close_ms, strength, sign, segment_min)
    # All minutes of a wave say what its first one does, and only that is asked: of a year of
    # minutes few begin a wave.
    within = np.flatnonzero(starts)
    firsts, first_of = np.unique(
        np.searchsorted(rows.close_ms, starts[within]), return_inverse=True
    )
    seen = np.zeros(len(rows), dtype=bool)
    seen[within] = begins_seen(rows.picked(firsts), thresholds, sign[firsts])[first_of]
    return Waves(strength, sign, starts, seen, passed)


def begins_seen(rows: FeatureRows, thresholds: Thresholds, sign: IntArray) -> BoolArray:
    """
    :param sign: direction per minute
    :return: would the beginning of a wave be seen, if it began in this minute?
    """
    before = rows.before
    # Rows that have neither, of older stores, say nothing.
    measured = np.isfinite(before.long_usd)
    passed = passes(before, thresholds)
    stood_out = passed.strength > Strength.NONE
    part = stood_out & (signs(before, thresholds, passed) == sign)
    seen: BoolArray = rows.steady | (measured & ~part)
    return seen


def direction_word(sign: int) -> Direction:
    """+1 -> LONG, -1 -> SHORT."""
    return "LONG" if sign > 0 else "SHORT"
