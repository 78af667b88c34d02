"""The numbers that may come from a parameter file or from hyperopt, and what is made of them."""

from pathlib import Path
from typing import Any

from freqtrade.strategy import DecimalParameter

from liq_provider.bot.rules_of_bots import rules_from
from liq_provider.bot.stops import StopRules
from liq_provider.bot.window_choices import CONFIGURED
from liq_provider.config.parameter_file import OF_RULES, OF_STOPS, file_of
from liq_provider.config.settings import Settings
from liq_provider.errors import SettingsError
from liq_provider.judge.decisions import Rules
from liq_provider.measure.scales import SCALES, Score

NAMES = (*OF_RULES, *OF_STOPS)


class ExactDecimal(DecimalParameter):  # type: ignore[misc]  # Freqtrade has no types
    """``decimals`` is the grid that hyperopt searches; a value that is set stays as it is."""

    @property
    def value(self) -> float:
        """The value in force."""
        self._warn_static_indicator_use()
        return float(self._value)

    @value.setter
    def value(self, new_value: float) -> None:
        self._value = new_value

    @property
    def param_type(self) -> str:
        """Freqtrade's API knows only its own kinds of parameters."""
        return "DecimalParameter"


def refuse_parameters(strategy: Any) -> None:
    """
    Before Freqtrade reads the parameter file beside the strategy, as some of what can be wrong with
    it ends a bot with a traceback, and some of it much later.

    :raises SettingsError: names the file and the key
    """
    source = getattr(strategy, "__file__", None)
    if source:
        file_of(Path(source), type(strategy).__name__)


def take_settings(strategy: Any, settings: Settings) -> None:
    """
    Let the configuration decide where neither a parameter file nor hyperopt does.

    :raises SettingsError: a parameter, perhaps of a derived strategy, would change its value
    """
    strategy.windows.opt_range = [CONFIGURED, *settings.hyperopt_windows]
    strategy.windows.optimize = bool(settings.hyperopt_windows)
    strategy.windows.value = CONFIGURED
    _search_for(strategy, settings.zscore)
    for name in NAMES:
        parameter, configured = getattr(strategy, name), getattr(settings, name)
        parameter.value = configured
        if parameter.value != configured:
            raise SettingsError(
                f"liq_provider.{name}: {configured} would become {parameter.value} in the "
                "strategy's parameter; give that one more decimals"
            )


def _search_for(strategy: Any, zscore: Score) -> None:
    """Let hyperopt try thresholds of the score in force; a strategy states the classic one's."""
    if zscore == "classic":
        return
    scale = SCALES[zscore]
    for parameter, (low, high) in (
        (strategy.z_threshold, scale.search),
        (strategy.z_strong, scale.search_strong),
    ):
        parameter.low, parameter.high, parameter.decimals = low, high, scale.decimals


def values(strategy: Any) -> dict[str, Any]:
    """:return: the values in force, by name"""
    return {name: getattr(strategy, name).value for name in (*NAMES, "windows")}


def rules_of(strategy: Any, settings: Settings) -> Rules:
    """:return: the decision rules in force"""
    return rules_from(values(strategy), settings)


def stop_rules_of(strategy: Any) -> StopRules:
    """:return: distances of the stops in force"""
    return StopRules(
        strategy.trailing_pct.value,
        strategy.trailing_arm_pct.value,
        strategy.fallback_pct.value,
    )
