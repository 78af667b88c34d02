"""What features are made from: dense minutes of one coin, and the windows over them."""

from dataclasses import dataclass
from typing import Any

from liq_provider.liquidation import MINUTE_MS
from liq_provider.rolling import BoolArray, FloatArray, IntArray
from liq_provider.settings import Settings


@dataclass(frozen=True, slots=True)
class FeatureParams:
    """The windows; thresholds are not here, they belong to ``grade``."""

    segment_min: int = 5
    baseline_segments: int = 288
    min_baseline_segments: int = 72
    min_active_segments: int = 20

    @classmethod
    def of(cls, settings: Settings) -> "FeatureParams":
        """:return: the windows that the settings ask for"""
        return cls(
            settings.segment_min,
            settings.baseline_segments,
            settings.min_baseline_segments,
            settings.min_active_segments,
        )

    @property
    def lookback_min(self) -> int:
        """Minutes before t that can influence the features at t."""
        return self.segment_min * (self.baseline_segments + 1)


def windows_of(settings: Settings) -> dict[str, Any]:
    """
    What a stored feature depends on besides the minutes. The sidecar publishes its own, and a
    strategy with other windows computes for itself.
    """
    params = FeatureParams.of(settings)
    return {
        "segment_min": params.segment_min,
        "baseline_segments": params.baseline_segments,
        "min_baseline_segments": params.min_baseline_segments,
        "min_active_segments": params.min_active_segments,
        "venues": list(settings.venues.enabled),
    }


@dataclass(frozen=True, slots=True)
class MinuteGrid:
    """
    Dense minutes of one coin.

    :param start_ms: open of the first minute
    :param venues: sorted names; the order of the first axis below
    :param long_usd: shape (venues, minutes)
    :param short_usd: shape (venues, minutes)
    :param count: shape (venues, minutes)
    :param covered: shape (venues, minutes); False means unknown, not zero
    :param has_counts: False for imported bars that state no number of orders
    """

    start_ms: int
    venues: tuple[str, ...]
    long_usd: FloatArray
    short_usd: FloatArray
    count: IntArray
    covered: BoolArray
    has_counts: bool = True

    @property
    def minutes(self) -> int:
        """Number of minutes."""
        return int(self.covered.shape[1])

    def between(self, first: int, end: int) -> "MinuteGrid":
        """:return: the minutes ``[first, end)``, without copying"""
        return MinuteGrid(
            self.start_ms + first * MINUTE_MS,
            self.venues,
            self.long_usd[:, first:end],
            self.short_usd[:, first:end],
            self.count[:, first:end],
            self.covered[:, first:end],
            self.has_counts,
        )
