"""The file of parameters that Freqtrade loads with a strategy: hyperopt writes it beside it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liq_provider.errors import SettingsError

_STRATEGY = "LiqTrend"


@dataclass(frozen=True, slots=True)
class ParameterFile:
    """
    :param values: of the strategy's parameters, by name
    """

    path: Path
    values: Mapping[str, Any]


def parameter_file(config: Mapping[str, Any], base_dir: Path) -> ParameterFile | None:
    """
    :param config: Freqtrade's configuration
    :param base_dir: parent of user_data
    :return: None if the strategy has none, or is not there
    :raises SettingsError: Freqtrade would not start with it
    """
    name = str(config.get("strategy") or _STRATEGY)
    source = next(_sources(name, config, base_dir), None)
    path = None if source is None else source.with_suffix(".json")
    if path is None or not path.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["strategy_name"] != name:
            raise SettingsError(f"{path}: is of the strategy {told['strategy_name']}, not {name}")
        spaces = [told.get("params", {}).get(space, {}) for space in ("buy", "sell")]
        return ParameterFile(path, {**spaces[0], **spaces[1]})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(f"{path}: is no parameter file ({error!r})") from None


def _sources(name: str, config: Mapping[str, Any], base_dir: Path) -> Iterator[Path]:
    """Files that define the strategy, in the order in which Freqtrade looks for it."""
    user_data = Path(config.get("user_data_dir") or base_dir / "user_data")
    folders = [user_data / "strategies"]
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
