"""Settings reach the strategy's parameters as they are."""

from types import SimpleNamespace

import pytest
from freqtrade.strategy import CategoricalParameter, DecimalParameter

from liq_provider.bot.parameters import NAMES, ExactDecimal, take_settings, values
from liq_provider.bot.window_choices import settings_with
from liq_provider.errors import SettingsError
from tests.bot.helpers import settings

WORDS = {"min_confidence", "direction_mode"}


def strategy(numbers: type[DecimalParameter]) -> SimpleNamespace:
    return SimpleNamespace(
        windows=CategoricalParameter(["configured", "x"], default="configured", space="buy"),
        **{
            name: CategoricalParameter(["x", "y"], default="x", space="buy")
            if name in WORDS
            else numbers(0.0, 10.0, default=1.0, decimals=1, space="buy")
            for name in NAMES
        },
    )


def test_a_value_between_the_steps_of_hyperopt_is_kept() -> None:
    made = strategy(ExactDecimal)
    own = settings(z_threshold=2.55, fallback_pct=0.0004)
    take_settings(made, own)
    expected = {name: getattr(own, name) for name in NAMES}
    assert values(made) == expected | {"windows": "configured"}


def test_hyperopt_searches_the_grid() -> None:
    parameter = ExactDecimal(2.5, 8.0, default=3.0, decimals=1, space="buy")
    assert parameter.get_space("z_threshold").step == 0.1
    assert parameter.param_type == "DecimalParameter", "else FreqUI's strategy page fails"


def test_a_parameter_that_rounds_is_refused_by_its_key() -> None:
    with pytest.raises(SettingsError, match=r"liq_provider\.z_threshold: 2\.56 would become 2\.6"):
        take_settings(strategy(DecimalParameter), settings(z_threshold=2.56))


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ("1/24", "min_baseline_segments"),
        ("60/24", r"min_baseline_segments \(72\) is more than"),
    ],
)
def test_windows_that_cannot_be_are_refused_by_name(choice: str, reason: str) -> None:
    if choice == "1/24":
        assert settings_with(settings(), choice).baseline_segments == 1_440
        return
    with pytest.raises(SettingsError, match=rf"windows {choice} .*{reason}"):
        settings_with(settings(), choice)


@pytest.mark.parametrize(
    ("zscore", "medium", "strong"),
    [
        ("robust", (1.7, 2.9, 0.1), (2.0, 4.0, 0.1)),
        ("percentile", (0.97, 0.995, 0.001), (0.98, 1.0, 0.001)),
    ],
)
def test_hyperopt_tries_thresholds_of_the_score_in_force(
    zscore: str, medium: tuple[float, ...], strong: tuple[float, ...]
) -> None:
    made = strategy(ExactDecimal)
    own = settings(zscore=zscore)
    take_settings(made, own)
    for name, expected in (("z_threshold", medium), ("z_strong", strong)):
        space = getattr(made, name).get_space(name)
        assert (space.low, space.high, space.step) == pytest.approx(expected)
        assert getattr(made, name).value == getattr(own, name)
