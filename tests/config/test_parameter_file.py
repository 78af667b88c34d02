"""The parameters that Freqtrade would load."""

import json
from pathlib import Path
from typing import Any

import pytest

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


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"strategy_name": "Other"}'])
def test_a_file_that_freqtrade_would_refuse_is_named(tmp_path: Path, text: str) -> None:
    path = strategy(tmp_path / "user_data" / "strategies")
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"LiqTrend\.json: is"):
        parameter_file({}, tmp_path)
