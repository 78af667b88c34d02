"""Lengths of time are written in one place."""

import ast
import tokenize
from pathlib import Path

import pytest

from liq_provider.core import durations

ROOT = Path(__file__).parents[2]
FOLDERS = ("liq_provider", "strategies", "chaos", "scripts", "benchmarks")

# FOREVER_MS is written as a power; what is short enough stands for many things.
LENGTHS = {
    value
    for name, value in vars(durations).items()
    if name.endswith(("_MS", "_S", "_MIN")) and not name.startswith("FOREVER")
}


def numbers(path: Path) -> list[tuple[str, int]]:
    """:return: the numbers in a file's code, with their lines"""
    with path.open("rb") as file:
        tokens = tokenize.tokenize(file.readline)
        return [(token.string, token.start[0]) for token in tokens if token.type == tokenize.NUMBER]


def is_length(text: str) -> bool:
    return ast.literal_eval(text) in LENGTHS


@pytest.mark.parametrize("text", ["60_000", "60000", "3_600", "3600.0", "86400", "86_400_000"])
def test_a_length_of_time_is_known_however_it_is_written(text: str) -> None:
    assert is_length(text)


def test_a_day_an_hour_and_a_minute_are_written_once() -> None:
    written = [
        (str(path.relative_to(ROOT)), line, text)
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != Path(durations.__file__)
        for text, line in numbers(path)
        if is_length(text)
    ]
    assert written == []
