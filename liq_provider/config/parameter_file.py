"""
The file of parameters that Freqtrade loads with a strategy: hyperopt writes it beside it.

It counts here as it does there. Freqtrade warns of one that is no JSON and goes on without it, and
does not start with one of another strategy, or of another shape.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError, create_model

from liq_provider.config.sections import Section
from liq_provider.config.settings import Settings
from liq_provider.errors import SettingsError

_STRATEGY = "LiqTrend"

# Parameters of a strategy that turn features into entries, and those of its stops, each named as
# its setting is.
OF_RULES: Final = (
    *("z_threshold", "z_strong", "purity_threshold", "purity_strong"),
    *("trend_k", "min_confidence", "direction_mode"),
)
OF_STOPS: Final = ("trailing_pct", "trailing_arm_pct", "fallback_pct")

_SPACES = {"buy": {*OF_RULES, "windows"}, "sell": {*OF_STOPS}}
# What else of it Freqtrade gives to the strategy.
_SPECIAL = ("roi", "stoploss", "trailing", "max_open_trades")
_WINDOWS = Annotated[str, Field(pattern=r"^(configured|\d{1,4}/\d{1,4})$")]


@dataclass(frozen=True, slots=True)
class ParameterFile:
    """
    :param values: of the strategy's parameters, by name
    :param left_out: why Freqtrade goes on without it, None if it is used
    """

    path: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    left_out: str | None = None

    @property
    def source(self) -> str:
        """Where values come from that no bot tells."""
        if self.left_out is None:
            return f"the configuration and {self.path}"
        return f"the configuration without {self.path}, which {self.left_out}"


def parameter_file(config: Mapping[str, Any], base_dir: Path) -> ParameterFile | None:
    """
    :param config: Freqtrade's configuration
    :param base_dir: parent of user_data
    :return: None if the strategy has none, or is not there
    :raises SettingsError: Freqtrade would not start with it
    """
    name = str(config.get("strategy") or _STRATEGY)
    source = next(_sources(name, config, base_dir), None)
    return None if source is None else file_of(source, name)


def file_of(source: Path, strategy: str) -> ParameterFile | None:
    """
    :param source: of the strategy
    :param strategy: its name
    :return: what lies beside it, None if nothing does
    :raises SettingsError: Freqtrade would not start with it
    """
    path = source.with_suffix(".json")
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return ParameterFile(path, left_out="is no JSON")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from None
    if not isinstance(told, dict) or "strategy_name" not in told:
        raise SettingsError(f"{path}: is no parameter file, it names no strategy")
    if told["strategy_name"] != strategy:
        raise SettingsError(f"{path}: is of the strategy {told['strategy_name']}, not {strategy}")
    return ParameterFile(path, _values(path, told.get("params", {})))


def _values(path: Path, params: Any) -> dict[str, Any]:
    """Of those that the strategy has; others, and those of a wrong space, Freqtrade passes over."""
    if not isinstance(params, dict):
        raise SettingsError(f"{path}: params must be an object {{...}}")
    for space in (*_SPACES, *_SPECIAL):
        if not isinstance(params.get(space, {}), dict):
            raise SettingsError(f"{path}: params.{space} must be an object {{...}}")
    values = {
        name: value
        for space, names in _SPACES.items()
        for name, value in params.get(space, {}).items()
        if name in names
    }
    try:
        read = _Values.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())
        raise SettingsError(f"{path}: {faults}") from None
    return {name: getattr(read, name) for name in values}


# Each with the range of the setting whose place it takes.
_FIELDS: dict[str, Any] = {
    name: (Settings.model_fields[name].annotation, Settings.model_fields[name])
    for name in (*OF_RULES, *OF_STOPS)
}
_Values = create_model("_Values", __base__=Section, windows=(_WINDOWS, "configured"), **_FIELDS)


def _sources(name: str, config: Mapping[str, Any], base_dir: Path) -> Iterator[Path]:
    """Files that define the strategy, in the order in which Freqtrade looks for it."""
    user_data = Path(config.get("user_data_dir") or base_dir / "user_data")
    own = user_data / "strategies"
    folders = [own]
    if config.get("recursive_strategy_search"):
        folders = [*reversed([Path(place) for place, _, _ in os.walk(own)]), own]
    if config.get("strategy_path"):
        folders.insert(0, base_dir / config["strategy_path"])
    defines = re.compile(rf"^class {re.escape(name)}\b", re.MULTILINE)
    for folder in folders:
        for file in sorted(folder.glob("*.py")):
            try:
                if defines.search(file.read_text(encoding="utf-8")):
                    yield file
            except (OSError, ValueError):
                continue  # no strategy that anybody could load
