"""The documentation names what there is."""

import json
import re
import tomllib
from pathlib import Path

from freqtrade.configuration.load_config import load_config_file
from pydantic import BaseModel

from liq_provider.cli import _parser
from liq_provider.config.settings import Settings, load_settings

ROOT = Path(__file__).parents[1]


def documented() -> dict[str, str]:
    text = (ROOT / "docs" / "configuration.md").read_text()
    return dict(re.findall(r"^\| `([\w.<>]+)` \| (?:`([^`]*)`)? ?\|", text, re.MULTILINE))


def section(prefix: str, model: type[BaseModel]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            found |= section(f"{prefix}.{name}", type(field.default))
        else:
            found[f"{prefix}.{name}"] = field.default
    return found


def keys() -> dict[str, object]:
    found: dict[str, object] = {}
    for name, field in Settings.model_fields.items():
        if name in ("judge", "news", "llm", "dashboard", "messages"):
            found |= section(name, type(field.default))
        elif name == "venues":
            venue = type(field.default.binance)
            found |= {f"venues.<name>.{k}": f.default for k, f in venue.model_fields.items()}
        else:
            found[name] = field.default
    return found


def test_every_setting_is_documented_and_nothing_else() -> None:
    assert set(documented()) == set(keys())


def test_documented_defaults_are_the_real_ones() -> None:
    for key, default in keys().items():
        if default is None:
            continue
        stated = documented()[key]
        if isinstance(default, bool):
            assert stated == str(default).lower(), key
        elif isinstance(default, int | float):
            assert float(stated) == default, key
        elif isinstance(default, tuple):
            assert json.loads(stated) == list(default), key
        else:
            assert stated == default, key


def test_example_configuration_is_accepted_as_it_is() -> None:
    config = load_config_file(str(ROOT / "config.json.example"))
    settings = load_settings(config, {})
    assert settings.autostart
    assert config["order_types"]["stoploss_on_exchange"]


def test_the_readme_names_the_pythons_that_the_package_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    words = "Programming Language :: Python :: "
    named = [text.removeprefix(words) for text in project["classifiers"] if words in text]
    assert project["requires-python"] == f">={named[0]}"
    *first, last = named
    said = f"tested on Python {', '.join(first)} and {last}."
    assert said in " ".join((ROOT / "README.md").read_text().split())


def test_every_make_target_in_the_readme_is_one() -> None:
    targets = re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"`make ([a-z]+)", (ROOT / "README.md").read_text())
    assert {"quick", "test", "chaos"} <= set(named) <= set(targets)


def test_every_command_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    commands = next(a for a in _parser()._actions if a.dest == "command").choices
    assert commands is not None
    for name in commands:
        assert re.search(rf"`(liq-provider )?{name}\b|, `{name}\b", text), name
