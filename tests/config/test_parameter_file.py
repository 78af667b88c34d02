"""The parameters that Freqtrade would load."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from freqtrade.exceptions import OperationalException
from freqtrade.strategy.hyper import HyperStrategyMixin

from liq_provider.config.parameter_file import parameter_file
from liq_provider.errors import SettingsError

TOLD = {
    "strategy_name": "LiqTrend",
    "params": {"buy": {"z_strong": 4.0}, "sell": {"fallback_pct": 0.03}, "roi": {"0": 100}},
}


def strategy(folder: Path, name: str = "LiqTrend", file: str = "LiqTrend", **told: Any) -> Path:
    """A strategy with a parameter file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{file}.py").write_text(f"import x\n\n\nclass {name}(IStrategy):\n    pass\n")
    path = folder / f"{file}.json"
    path.write_text(json.dumps(TOLD | told))
    return path


def test_the_file_beside_the_strategy_is_read_for_both_spaces(tmp_path: Path) -> None:
    path = strategy(tmp_path / "strategies")
    file = parameter_file({"strategy_path": "strategies"}, tmp_path)
    assert file is not None
    assert (file.path, file.values) == (path, {"z_strong": 4.0, "fallback_pct": 0.03})


def test_the_path_that_is_configured_comes_before_that_of_user_data(tmp_path: Path) -> None:
    own = strategy(tmp_path / "user_data" / "strategies", params={"buy": {"z_strong": 9.0}})
    file = parameter_file({}, tmp_path)
    assert file is not None and file.path == own
    strategy(tmp_path / "strategies")
    file = parameter_file({"strategy_path": str(tmp_path / "strategies")}, tmp_path)
    assert file is not None and file.values["z_strong"] == 4.0


def test_a_derived_strategy_has_the_file_of_its_own_module(tmp_path: Path) -> None:
    strategy(tmp_path / "user_data" / "strategies")
    own = strategy(
        tmp_path / "user_data" / "strategies", "Mine", "my_strategies", strategy_name="Mine"
    )
    file = parameter_file({"strategy": "Mine"}, tmp_path)
    assert file is not None and file.path == own


def test_without_a_strategy_or_a_file_there_are_none(tmp_path: Path) -> None:
    assert parameter_file({}, tmp_path) is None
    strategy(tmp_path / "user_data" / "strategies").unlink()
    assert parameter_file({}, tmp_path) is None


def test_folders_within_the_strategies_are_looked_into_if_freqtrade_does(tmp_path: Path) -> None:
    own = strategy(tmp_path / "user_data" / "strategies" / "mine")
    assert parameter_file({}, tmp_path) is None
    file = parameter_file({"recursive_strategy_search": True}, tmp_path)
    assert file is not None and file.path == own


def of_freqtrade(path: Path) -> dict[str, Any] | None:
    """What Freqtrade itself makes of the file; None if the bot ends."""
    kind = type("LiqTrend", (HyperStrategyMixin,), {"__file__": str(path.with_suffix(".py"))})
    try:
        made = kind({})
        made.ft_set_special_params_from_file()
        # What it does with each space, see ft_load_hyper_params.
        return {**dict(made._ft_params_from_file.get("buy", {}).items())}
    except (OperationalException, AttributeError, TypeError, OSError):
        return None


@pytest.mark.parametrize("text", ["{", "", "\ufeff{}", "// x\n{}", b"\xff"])
def test_a_file_that_is_no_json_is_left_out_as_freqtrade_does(
    tmp_path: Path, text: str | bytes
) -> None:
    path = strategy(tmp_path / "user_data" / "strategies")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    file = parameter_file({}, tmp_path)
    assert file is not None and file.values == {} == of_freqtrade(path)
    assert file.source == f"the configuration without {path}, which is no JSON"


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ([], "is no parameter file"),
        ("LiqTrend", "is no parameter file"),
        ({}, "is no parameter file"),
        ({"strategy_name": "Other"}, "is of the strategy Other, not LiqTrend"),
        ({"strategy_name": "LiqTrend", "params": []}, "params must be an object"),
        ({"strategy_name": "LiqTrend", "params": {"buy": None}}, "params.buy must be an object"),
        ({"strategy_name": "LiqTrend", "params": {"stoploss": 1}}, "params.stoploss must be an"),
    ],
)
def test_a_file_that_freqtrade_does_not_start_with_is_named(
    tmp_path: Path, told: Any, why: str
) -> None:
    path = strategy(tmp_path / "user_data" / "strategies")
    path.write_text(json.dumps(told))
    with pytest.raises(SettingsError, match=re.escape(f"{path}: {why}")):
        parameter_file({}, tmp_path)
    # An empty list Freqtrade takes for an empty object, until it looks for a space in it.
    assert of_freqtrade(path) is None


@pytest.mark.parametrize(
    ("space", "name", "value", "why"),
    [
        ("buy", "z_threshold", "high", "valid number"),
        ("buy", "z_strong", None, "valid number"),
        ("buy", "trend_k", float("nan"), "finite number"),
        ("buy", "min_confidence", "max", "'low', 'medium' or 'high'"),
        ("buy", "windows", 5, "valid string"),
        ("sell", "fallback_pct", -0.02, "greater than 0"),
        ("sell", "trailing_pct", 1.5, "less than 1"),
    ],
)
def test_a_value_that_no_setting_could_have_is_named(
    tmp_path: Path, space: str, name: str, value: Any, why: str
) -> None:
    strategy(tmp_path / "user_data" / "strategies", params={space: {name: value}})
    with pytest.raises(SettingsError, match=rf"LiqTrend\.json: {name}: .*{why}"):
        parameter_file({}, tmp_path)


def test_what_freqtrade_passes_over_is_passed_over(tmp_path: Path) -> None:
    buy = {"fallback_pct": 0.5, "of_mine": "x", "z_strong": 6}
    strategy(tmp_path / "user_data" / "strategies", params={"buy": buy, "mine": 7})
    file = parameter_file({}, tmp_path)
    assert file is not None and file.values == {"z_strong": 6.0}, "the stop is a sell parameter"
