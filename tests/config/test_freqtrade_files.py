"""Configuration files are read as Freqtrade reads them, or left to it."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from freqtrade.configuration.load_config import load_from_files
from freqtrade.exceptions import OperationalException

from liq_provider.config.freqtrade_files import read_plain

ROOT = Path(__file__).parents[2]


def written(folder: Path, **files: Any) -> list[str]:
    """Each under its name, as JSON if it is no text yet; their paths."""
    paths = []
    for name, content in files.items():
        path = folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        paths.append(str(path))
    return paths


def both(paths: list[str]) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    return read_plain(paths, {}), load_from_files(paths)


def as_text(config: Any) -> str:
    """With the order of its keys, and with what only looks equal in Python."""
    return json.dumps(config)


ORDINARY: dict[str, dict[str, Any]] = {
    "comments and commas at the end": {
        "a": '{ // one\n "x": [1, 2,], /* two\n */ "y": {"z": "a // b",},}'
    },
    "numbers": {"a": '{"i": 12345678901234567890, "f": 1e-7, "n": -0.0, "t": 1E40}'},
    "words": {"a": '{"u": "\\u00e4\\ud83d\\ude00", "e": "", "n": null, "t": true}'},
    "a key twice": {"a": '{"x": 1, "x": 2, "s": {"y": 1}, "s": {"z": 2}}'},
    "nothing in it": {"a": "{}"},
    "the later one wins": {"a": {"x": 1, "s": {"y": 1, "z": 1}}, "b": {"s": {"z": 2}, "w": 3}},
    "lists are not joined": {"a": {"x": [1, 2]}, "b": {"x": [3]}},
    "nothing wins, too": {"a": {"x": 1, "s": {"y": 1}}, "b": {"x": None, "s": {"y": None}}},
    "a value over a section": {"a": {"x": {"y": 1}}, "b": {"x": 5}},
    "a section that is empty": {"a": {"x": {"y": 1}}, "b": {"x": {}}},
}


@pytest.mark.parametrize("name", ORDINARY)
def test_what_is_ordinary_is_read_as_freqtrade_reads_it(tmp_path: Path, name: str) -> None:
    ours, theirs = both(written(tmp_path, **ORDINARY[name]))
    assert as_text(ours) == as_text(theirs)


def test_the_example_is_read_without_freqtrade() -> None:
    paths = [str(ROOT / "config.json.example")]
    ours, theirs = both(paths)
    assert as_text(ours) == as_text(theirs) and theirs["strategy"] == "LiqTrend"


def test_files_that_include_others_are_read_from_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(
        tmp_path / "sub",
        secret={"exchange": {"key": "k", "name": "no"}, "z": 1},
        more={"add_config_files": ["secret.json"], "z": 2, "exchange": {"password": "p"}},
    )
    (tmp_path / "linked").symlink_to(tmp_path / "sub")
    files = {
        "main": {"exchange": {"name": "yes"}, "add_config_files": ["linked/more.json"]},
        "last": {"add_config_files": ["sub/secret.json", "main.json"], "own": {"a": 1}},
    }
    written(tmp_path, **files)
    monkeypatch.chdir(tmp_path)
    for paths in (["main.json"], ["last.json"], ["main.json", "last.json"], ["./sub/more.json"]):
        ours, theirs = both(paths)
        assert as_text(ours) == as_text(theirs)
    assert ours is not None and ours["exchange"] == {"key": "k", "name": "no", "password": "p"}


def some_config(chance: random.Random, depth: int = 0) -> dict[str, Any]:
    """A few keys, which meet in several files, with values and sections in turn."""
    config: dict[str, Any] = {}
    for _ in range(chance.randint(0, 5)):
        values: list[Any] = [1, 2.5, None, True, "x", [1, {"a": 1}], {}]
        deeper = depth < 3 and chance.random() < 0.5
        config[chance.choice("abcde")] = (
            some_config(chance, depth + 1) if deeper else chance.choice(values)
        )
    return config


@pytest.fixture(params=range(40))
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """Files that include each other at random, in no circle."""
    chance = random.Random(request.param)
    names: list[str] = []
    for number in range(chance.randint(1, 6)):
        config = some_config(chance)
        if names and chance.random() < 0.6:
            count = chance.randint(1, min(3, len(names)))
            config["add_config_files"] = [f"{n}.json" for n in chance.sample(names, count)]
        names.append(f"f{number}")
        written(tmp_path, **{names[-1]: config})
    yield [str(tmp_path / f"{name}.json") for name in chance.sample(names, len(names))]


def test_whatever_is_read_is_what_freqtrade_would_have_read(tree: list[str]) -> None:
    ours = read_plain(tree, {})
    try:
        theirs = load_from_files(tree)
    except (TypeError, AttributeError):  # a section over a value
        assert ours is None
    else:
        assert ours is None or as_text(ours) == as_text(theirs)


def test_most_of_what_chance_writes_is_read(tmp_path: Path) -> None:
    read = 0
    for seed in range(40):
        chance = random.Random(seed)
        paths = written(tmp_path, a=some_config(chance), b=some_config(chance))
        read += read_plain(paths, {}) is not None
    assert read > 20


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "",
        "[]",
        "5",
        '{"a": 1} {"b": 2}',
        '{"add_config_files": []}',
        '{"add_config_files": "other.json"}',
        '{"add_config_files": [5]}',
        '{"add_config_files": ["not_there.json"]}',
        '{"add_config_files": ["-"]}',
        '{"add_config_files": ["a.json"]}',
    ],
)
def test_what_is_wrong_is_left_to_freqtrade(tmp_path: Path, content: str) -> None:
    assert read_plain(written(tmp_path, a=content), {}) is None


def test_what_comes_from_elsewhere_than_files_is_left_to_freqtrade(tmp_path: Path) -> None:
    paths = written(tmp_path, a={"x": 1})
    assert read_plain(paths, {"FREQTRADE__X": "2"}) is None
    assert read_plain(paths, {"FREQTRADE": "2"}) is not None
    assert read_plain(["-"], {}) is None
    assert read_plain([], {}) == {} and read_plain([], {"FREQTRADE__X": "2"}) is None
    assert read_plain([str(tmp_path / "not_there.json")], {}) is None
    assert read_plain([str(tmp_path)], {}) is None


def test_files_may_lie_as_deep_in_each_other_as_freqtrade_allows(tmp_path: Path) -> None:
    for last in (5, 6):
        files: dict[str, Any] = {f"f{last}": {"deepest": last}}
        for number in range(last):
            files[f"f{number}"] = {"add_config_files": [f"f{number + 1}.json"]}
        written(tmp_path, **files)
        paths = [str(tmp_path / "f0.json")]
        ours = read_plain(paths, {})
        if last == 5:
            assert as_text(ours) == as_text(load_from_files(paths))
            continue
        assert ours is None
        with pytest.raises(OperationalException, match="loop"):
            load_from_files(paths)
