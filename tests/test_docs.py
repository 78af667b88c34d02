"""The documentation names what there is."""

import ast
import json
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from freqtrade.configuration.load_config import load_config_file, load_from_files
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from liq_provider import __version__
from liq_provider.cli import _parser
from liq_provider.config.pair_list_file import pair_list_entry, pair_list_of, pair_list_path
from liq_provider.config.sections import JUDGES, NEWS_SOURCES, VenueSections
from liq_provider.config.settings import Settings, load_settings

ROOT = Path(__file__).parents[1]


def documented() -> dict[str, str]:
    text = (ROOT / "docs" / "configuration.md").read_text()
    return dict(re.findall(r"^\| `([\w.<>]+)` \| (?:`([^`]*)`)? ?\|", text, re.MULTILINE))


def documented_ranges() -> dict[str, str]:
    """What the fourth column says of each key."""
    text = (ROOT / "docs" / "configuration.md").read_text()
    row = r"^\| `([\w.<>]+)` \| (?:`[^`]*`)? ?\|[^|]*\|([^|]*)\|[^|]*\|$"
    return dict(re.findall(row, text, re.MULTILINE))


def fields_of(model: type[BaseModel], prefix: str = "") -> dict[str, FieldInfo]:
    """All settings by key; of the venues, which are alike, those of one."""
    fields: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.default, VenueSections):
            fields |= fields_of(type(field.default.of("binance")), "venues.<name>.")
        elif isinstance(field.default, BaseModel):
            fields |= fields_of(type(field.default), f"{prefix}{name}.")
        else:
            fields[prefix + name] = field
    return fields


def keys() -> dict[str, object]:
    return {key: field.default for key, field in fields_of(Settings).items()}


def bounds_of(field: FieldInfo) -> set[tuple[str, float]]:
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    return {
        (sign, float(getattr(bound, name)))
        for bound in field.metadata
        for name, sign in signs.items()
        if hasattr(bound, name)
    }


def bounds_in(text: str) -> set[tuple[str, float]]:
    return {(sign, float(value)) for sign, value in re.findall(r"([<>]=?) ([\d.]*\d)", text)}


def words_of(annotation: object) -> set[str]:
    """What a field may be, if that is one of a few words; ``null`` for none of them."""
    if get_origin(annotation) is Literal:
        return set(get_args(annotation))
    parts = [words_of(part) for part in get_args(annotation) if part is not type(None)]
    words = set().union(*parts)
    return words | {"null"} if words and type(None) in get_args(annotation) else words


# Packages may add further ones, so no type has them.
NAMES = {"judge.by": set(JUDGES), "news.provider": set(NEWS_SOURCES)}


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


def test_documented_ranges_are_the_real_ones() -> None:
    told = documented_ranges()
    assert set(told) == set(documented())
    for key, field in fields_of(Settings).items():
        assert bounds_in(told[key]) == bounds_of(field), key
        words = NAMES.get(key, words_of(field.annotation))
        if words:
            assert set(re.findall(r"`([^`]+)`", told[key])) == words, key


def test_bounds_and_words_are_read_from_a_field() -> None:
    fields = fields_of(Settings)
    assert bounds_of(fields["keep_days"]) == bounds_in(">= 2, <= 36500, a day longer") != set()
    assert bounds_of(fields["trailing_pct"]) == bounds_in("> 0, < 1") != bounds_in("> 0, <= 1")
    assert words_of(fields["on_upgrade"].annotation) == {"reopen", "keep"}
    assert {"null", "xhigh"} < words_of(fields["llm.reasoning_effort"].annotation)
    assert not words_of(fields["llm.base_url"].annotation)


def test_example_configuration_is_accepted_as_it_is() -> None:
    config = load_config_file(str(ROOT / "config.json.example"))
    settings = load_settings(config, {})
    assert settings.autostart
    assert config["order_types"]["stoploss_on_exchange"]


def test_the_example_looks_at_the_whole_market_and_a_second_file_at_the_pairs_it_names() -> None:
    example, static = ROOT / "config.json.example", ROOT / "configs" / "static-pairs.json"
    config = load_config_file(str(example))
    settings = load_settings(config, {})
    # Freqtrade is started in the directory that has user_data in it.
    read = pair_list_of(config, settings, ROOT, ROOT)
    assert read == pair_list_path(settings, ROOT) == ROOT / "user_data" / "liq_pairs.json"
    assert config["pairlists"][0]["refresh_period"] == 0, "every loop has the newest list"
    config = load_from_files([str(example), str(static)])
    assert pair_list_entry(config, settings) is None
    assert config["pairlists"] == [{"method": "StaticPairList"}]


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


def commands_in(readme: str) -> list[str]:
    """:return: which commands the first cells of the table of commands name"""
    table = readme.partition("\n## Commands\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)
    named = re.findall(r"`(?:liq-provider )?([\w-]+)[^`]*`", " ".join(cells))
    return [str(name) for name in named]


def test_every_command_is_in_the_readmes_table_and_no_other() -> None:
    commands = next(a for a in _parser()._actions if a.dest == "command").choices
    assert commands is not None
    assert sorted(commands_in((ROOT / "README.md").read_text())) == sorted(commands)


def test_a_command_counts_as_told_only_in_the_table_of_commands() -> None:
    readme = """
    `venues/<venue>.parse` and `stream/`, `liq-provider status`
    ## Commands
    Run `doctor`.
    | command | what it does |
    | --- | --- |
    | `liq-provider run`, `stop` | with `autostart` the bot does that |
    | `liq-provider plot [--out A\\|B]` | or `fill` |
    ## For developers
    | `make` | it |
    """
    told = "\n".join(line.strip() for line in readme.splitlines())
    assert commands_in(told) == ["run", "stop", "plot"]


def pages() -> list[Path]:
    """README and everything in docs."""
    own = [ROOT / name for name in ("README.md", "CONTRIBUTING.md") if (ROOT / name).exists()]
    return [*own, *sorted((ROOT / "docs").glob("*.md"))]


def test_every_python_file_that_a_page_names_exists() -> None:
    for page in pages():
        for name in re.findall(r"`([\w./]+\.py)`", page.read_text()):
            assert (ROOT / name).exists() or (ROOT / "liq_provider" / name).exists(), (page, name)


def test_every_package_has_its_line_in_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = re.findall(r"^\| `(\w+)/` \|", text, re.MULTILINE)
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    order = [name for name in layers["contracts"][0]["layers"][::-1] if name in named]
    there = {path.parent.name for path in (ROOT / "liq_provider").glob("*/__init__.py")}
    assert set(named) == there
    assert sorted(named, key=order.index) == order


def threads() -> tuple[set[str], set[str]]:
    """
    What the threads, loops and pools of the program are called.

    :return: names, and beginnings of those that are made of parts
    """
    names: set[str] = set()
    beginnings: set[str] = set()
    for path in (ROOT / "liq_provider").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call):
                continue
            made = ast.unparse(call.func).split(".")[-1].split("[")[0]
            keywords = {word.arg: word.value for word in call.keywords}
            name = keywords.get("thread_name_prefix")
            if made in ("OneThread", "OwnLoop", "Background"):
                name = call.args[0]
            elif made == "Thread":
                name = keywords.get("name")
            if isinstance(name, ast.Constant):
                names.add(str(name.value))
            elif isinstance(name, ast.JoinedStr):
                beginnings.add(str(ast.literal_eval(name.values[0])))
    return names, beginnings


# What is made by others has no name of ours.
UNNAMED = {"the main loop", "Freqtrade's thread"}


def threads_of_the_table() -> set[str]:
    """What the second column of the architecture's table of threads names."""
    table = (ROOT / "docs" / "architecture.md").read_text()
    table = table.partition("## Threads, loops and pools")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?:sidecar|bot|`(?:make )?\w+`) \| (.*?) \|", table, re.MULTILINE)
    cells = [row for row in rows if row not in UNNAMED]
    assert len(rows) == len(cells) + len(UNNAMED)
    return {name for cell in cells for name in re.findall(r"`([\w -]+)`", cell) or [cell]}


def test_the_architecture_names_each_thread_loop_and_pool_and_no_other() -> None:
    names, beginnings = threads()
    told = threads_of_the_table()
    of_parts = {name for name in told if any(name.startswith(begin) for begin in beginnings)}
    assert told - of_parts == names - of_parts
    for begin in beginnings:
        assert any(name.startswith(begin) for name in of_parts), begin


@cache
def names_in_the_program() -> tuple[set[str], dict[str, set[str]]]:
    """
    :return: names of anything in it, and what each module defines, by its base name
    """
    names: set[str] = set()
    modules: dict[str, set[str]] = {}
    for path in (ROOT / "liq_provider").rglob("*.py"):
        own: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                own.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                own.add(node.id)
            elif isinstance(node, ast.arg):
                names.add(node.arg)
            elif isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                names.add(node.value)
        names |= own
        stem = path.parent.name if path.stem == "__init__" else path.stem
        modules.setdefault(stem, set()).update(own)
    return names, modules


# Names of Freqtrade's, of an exchange's, of a parameter's fields, of entry points, and an example.
FOREIGN = ("exchange", "futures", "params", "liqtrend", "a")


def packages() -> dict[str, set[str]]:
    """The modules of each package."""
    inside: dict[str, set[str]] = {}
    for path in (ROOT / "liq_provider").rglob("*.py"):
        inside.setdefault(path.parent.name, set()).add(path.stem)
    return inside


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("judge.model", True),
        ("model.ModelJudge", True),
        ("judge.model.ModelJudge", True),
        ("book.LastTrade.entered", True),
        ("judge.features", False),
        ("model.Features", False),
        ("judge.model.Features", False),
        ("measured.history", False),
    ],
)
def test_a_reference_is_good_if_each_part_is_in_the_one_before(name: str, there: bool) -> None:
    names, modules = names_in_the_program()
    assert is_there(name.split("."), names, modules, packages()) == there


def is_there(
    parts: Sequence[str],
    names: Collection[str],
    modules: Mapping[str, Collection[str]],
    inside: Mapping[str, Collection[str]],
) -> bool:
    """
    :param parts: of a reference: a package and its module, or a module and what it defines, with
        what that has; or all of them
    """
    if parts[1] in inside.get(parts[0], ()):
        parts = parts[1:]
    if len(parts) == 1:
        return True
    return parts[1] in modules.get(parts[0], ()) and set(parts[2:]) <= set(names)


def test_docstrings_name_what_exists() -> None:
    names, modules = names_in_the_program()
    inside = packages()
    settings = {key.replace("<name>.", "") for key in keys()}
    for path in (ROOT / "liq_provider").rglob("*.py"):
        text = path.read_text()
        bare = re.findall(r"#.*\bsee (\w+\.\w+)", text)
        assert not bare, f"{path}: write what is to be seen as ``module.name``: {bare}"
        for name in re.findall(r"[Ss]ee ``(\w+)``", text):
            assert name in names or name in modules, (path, name)
        for name in re.findall(r"``([a-z_]+(?:\.\w+)+)``", text):
            parts = name.split(".")
            there = (
                name in settings or parts[0] in FOREIGN or is_there(parts, names, modules, inside)
            )
            assert there, (path, name)


def test_the_version_is_written_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    where = project["tool"]["setuptools"]["dynamic"]["version"]["attr"]
    assert where == "liq_provider.__version__"
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


def test_a_commit_is_asked_what_lint_asks() -> None:
    lint = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    asked = re.findall(r"entry: \.venv/bin/(.*?)(?: --force-exclude)?$", hooks, re.MULTILINE)
    assert asked == re.findall(r"\$\(BIN\)/(.*)$", lint, re.MULTILINE)


def test_every_path_in_contributing_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paths = re.findall(
        r"(?:`|\()([\w.]+/[\w./]*)(?:`|\))|bin/pytest ([\w./]+)|=\"([\w./]+) -k", text
    )
    for name in filter(None, (part for match in paths for part in match)):
        assert any((base / name).exists() for base in (ROOT, ROOT / "liq_provider")), name


def test_every_make_target_in_contributing_is_one() -> None:
    targets = re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"make ([a-z]+)\b", (ROOT / "CONTRIBUTING.md").read_text())
    assert {"quick", "lint", "test", "structure"} <= set(named) <= set(targets)


def test_every_mark_is_explained_in_contributing() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for mark in project["tool"]["pytest"]["ini_options"]["markers"]:
        assert f"`{mark.partition(':')[0]}`" in text, mark


def test_every_page_is_linked_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert f"docs/{page.name}" in text, page.name
