"""The rules in force: those that a bot decides by, and whose they are."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from liq_provider.config.settings import Settings
from liq_provider.judge.decisions import Rules
from liq_provider.measure.minute_grid import FeatureParams

_OWN = "the configuration"


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """
    :param windows: of the features that the rules are held against
    :param timeframe_ms: length of the candles at which decisions are made
    :param whitelist: None if it is not known
    :param owner: whose rules they are, in words
    """

    rules: Rules
    windows: FeatureParams
    timeframe_ms: int
    whitelist: frozenset[str] | None = None
    owner: str = _OWN

    def lists(self, pair: str) -> bool | None:
        """:return: whether the pair is in the whitelist, None if that is not known"""
        return None if self.whitelist is None else pair in self.whitelist

    def alike(self, other: "RulesInForce") -> bool:
        """:return: whether both decide the same; the pairs may be others"""
        return replace(self, whitelist=None, owner="") == replace(other, whitelist=None, owner="")

    def as_told(self) -> dict[str, Any]:
        """:return: JSON values, see ``of_told``"""
        told: dict[str, Any] = _ADAPTER.dump_python(self, mode="json", exclude={"owner"})
        if self.whitelist is not None:
            told["whitelist"] = sorted(self.whitelist)
        return told

    @classmethod
    def of_told(cls, told: Any, owner: str) -> "RulesInForce | None":
        """
        :param told: what a bot told, perhaps one of another version
        :return: None if that is not understood
        """
        try:
            return replace(_ADAPTER.validate_python(told), owner=owner)
        except ValidationError:
            return None

    def applied_to(self, settings: Settings) -> Settings:
        """:return: the settings with these rules and windows in the place of their own"""
        changed = settings.model_copy(update=self._values())
        return changed.model_copy(update={"baseline_hours": self._hours(changed)})

    def _hours(self, settings: Settings) -> float:
        """That give as many segments; the settings' own, if they do."""
        if settings.baseline_segments == self.windows.baseline_segments:
            return settings.baseline_hours
        minutes = self.windows.baseline_segments * self.windows.segment_min
        exact = settings.model_copy(update={"baseline_hours": minutes / 60})
        whole = exact.baseline_segments == self.windows.baseline_segments
        return minutes / 60 if whole else (minutes + 0.5) / 60

    def _values(self) -> Mapping[str, Any]:
        own, windows = self.rules.thresholds, self.windows
        names = (
            *("z_threshold", "z_strong", "purity_threshold", "purity_strong"),
            *("min_count", "min_segment_usd", "zscore", "direction_mode"),
        )
        return {
            **{name: getattr(own, name) for name in names},
            "trend_k": self.rules.trend_k,
            "min_confidence": self.rules.min_confidence.word,
            "segment_min": windows.segment_min,
            "min_baseline_segments": windows.min_baseline_segments,
            "min_active_segments": windows.min_active_segments,
        }


_ADAPTER = TypeAdapter(RulesInForce)
