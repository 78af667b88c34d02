"""The numbers that may come from a parameter file or from hyperopt, and what is made of them."""

from typing import Any

from liq_provider.bot.signals import Rules
from liq_provider.bot.stops import StopRules
from liq_provider.judge.matrix import Confidence
from liq_provider.settings import Settings
from liq_provider.wave import Thresholds

NAMES = (
    *("z_threshold", "z_strong", "purity_threshold", "purity_strong"),
    *("trend_k", "min_confidence", "direction_mode"),
    *("trailing_pct", "trailing_arm_pct", "fallback_pct"),
)


def take_settings(strategy: Any, settings: Settings) -> None:
    """Let the configuration decide where neither a parameter file nor hyperopt does."""
    for name in NAMES:
        getattr(strategy, name).value = getattr(settings, name)


def values(strategy: Any) -> dict[str, Any]:
    """:return: the values in force, by name"""
    return {name: getattr(strategy, name).value for name in NAMES}


def rules_of(strategy: Any, settings: Settings) -> Rules:
    """:return: the decision rules in force; hyperopt may put strong below medium"""
    return Rules(
        Thresholds(
            z_threshold=strategy.z_threshold.value,
            z_strong=max(strategy.z_strong.value, strategy.z_threshold.value),
            purity_threshold=strategy.purity_threshold.value,
            purity_strong=max(strategy.purity_strong.value, strategy.purity_threshold.value),
            min_count=settings.min_count,
            min_segment_usd=settings.min_segment_usd,
            zscore=settings.zscore,
            direction_mode=strategy.direction_mode.value,
        ),
        settings.segment_min,
        strategy.trend_k.value,
        Confidence.of(strategy.min_confidence.value),
        settings.settle_ms,
        settings.max_entry_delay_ms,
    )


def stop_rules_of(strategy: Any) -> StopRules:
    """:return: distances of the stops in force"""
    return StopRules(
        strategy.trailing_pct.value,
        strategy.trailing_arm_pct.value,
        strategy.fallback_pct.value,
    )
