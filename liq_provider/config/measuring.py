"""What the settings ask the pure numbers for: windows and thresholds."""

from dataclasses import asdict
from typing import Any

from liq_provider.config.settings import Settings
from liq_provider.measure.minute_grid import FeatureParams
from liq_provider.measure.waves import Thresholds


def feature_params_of(settings: Settings) -> FeatureParams:
    """:return: the windows that the settings ask for"""
    return FeatureParams(
        settings.segment_min,
        settings.baseline_segments,
        settings.min_baseline_segments,
        settings.min_active_segments,
    )


def windows_of(settings: Settings) -> dict[str, Any]:
    """
    What a stored feature depends on besides the minutes. The sidecar publishes its own, and a
    strategy with other windows computes for itself.
    """
    return {**asdict(feature_params_of(settings)), "venues": list(settings.venues.enabled)}


def thresholds_of(settings: Settings) -> Thresholds:
    """:return: the thresholds that the settings ask for"""
    return Thresholds(
        settings.z_threshold,
        settings.z_strong,
        settings.purity_threshold,
        settings.purity_strong,
        settings.min_count,
        settings.min_segment_usd,
        settings.zscore,
        settings.direction_mode,
    )


def floor_of(settings: Settings) -> Thresholds:
    """:return: the judge's floor, which decides what the sidecar has judged"""
    judge = settings.judge
    return Thresholds(
        z_threshold=judge.z_min,
        z_strong=max(settings.z_strong, judge.z_min),
        purity_threshold=judge.purity_min,
        purity_strong=max(settings.purity_strong, judge.purity_min),
        min_count=settings.min_count,
        min_segment_usd=settings.min_segment_usd,
        zscore=settings.zscore,
        direction_mode=settings.direction_mode,
    )
