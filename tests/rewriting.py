"""
Every worker of a run imports all tests. In a fresh clone that takes longest: pytest rewrites each
assert. So each worker begins with other modules, and of the rest it reads what others wrote.
"""

import importlib
import sys
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def share(files: list[Path], worker: int, workers: int) -> list[Path]:
    """:return: with which this worker begins; each file is one worker's"""
    return files[len(files) * worker // workers : len(files) * (worker + 1) // workers]


def begin(config: pytest.Config) -> None:
    """Import a share of what is going to be collected; what fails does so there once more."""
    worker = getattr(config, "workerinput", None)
    if worker is None or sys.dont_write_bytecode:
        return
    places = [ROOT / argument.split("::")[0] for argument in config.args]
    files = sorted(
        path
        for path in (ROOT / "tests").rglob("test_*.py")
        if any(path.is_relative_to(place) for place in places)
    )
    number = int(worker["workerid"].removeprefix("gw"))
    for path in share(files, number, worker["workercount"]):
        with suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
