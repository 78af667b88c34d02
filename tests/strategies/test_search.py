"""What hyperopt tries, and what it begins with, is stated once, with the scores and settings."""

from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from liq_provider.bot.parameters import NAMES
from liq_provider.config.settings import Settings
from liq_provider.measure import scales
from liq_provider.measure.scales import PURITY, SCALES

STRATEGY = Path(__file__).parents[2] / "strategies" / "LiqTrend.py"


def loaded() -> Any:
    """:return: the strategy, read anew as Freqtrade does"""
    spec = spec_from_file_location("LiqTrendAnew", STRATEGY)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.LiqTrend


def test_the_strategy_lets_hyperopt_try_what_the_classic_score_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = replace(
        SCALES["classic"],
        medium=3.25,
        strong=4.75,
        search=(2.25, 7.75),
        search_strong=(3.25, 9.75),
        decimals=2,
    )
    pure = replace(PURITY, medium=0.82, strong=0.93, search=(0.6, 0.9), search_strong=(0.8, 0.99))
    monkeypatch.setitem(SCALES, "classic", other)
    monkeypatch.setattr(scales, "PURITY", pure)
    strategy = loaded()
    for parameter, default, (low, high) in (
        (strategy.z_threshold, other.medium, other.search),
        (strategy.z_strong, other.strong, other.search_strong),
        (strategy.purity_threshold, pure.medium, pure.search),
        (strategy.purity_strong, pure.strong, pure.search_strong),
    ):
        space = parameter.get_space("a name")
        assert (space.low, space.high, space.step) == pytest.approx((low, high, 0.01))
        assert parameter.value == default


@pytest.mark.parametrize("name", NAMES)
def test_the_strategy_begins_with_what_an_empty_configuration_says(name: str) -> None:
    assert getattr(loaded(), name).value == getattr(Settings(), name)
