"""Each worker of a run begins to import at another place."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from tests import rewriting
from tests.rewriting import ROOT, share

FILES = sorted((ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("workers", [1, 2, 6])
def test_each_file_is_one_workers(workers: int) -> None:
    shares = [share(FILES, worker, workers) for worker in range(workers)]
    assert [path for one in shares for path in one] == FILES
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def config(worker: int | None, *arguments: str) -> Any:
    """Of one of two workers, or of a run without any."""
    made = SimpleNamespace(args=[*arguments])
    if worker is not None:
        made.workerinput = {"workerid": f"gw{worker}", "workercount": 2}
    return made


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(rewriting.importlib, "import_module", names.append)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return names


def test_workers_begin_with_their_shares_of_what_is_collected(imported: list[str]) -> None:
    rewriting.begin(config(0, "tests/core", str(ROOT / "tests/test_cli.py::test_x")))
    assert imported and all(name.startswith("tests.core.test_") for name in imported)
    rewriting.begin(config(1, "tests/core", str(ROOT / "tests/test_cli.py::test_x")))
    assert len(imported) == len(set(imported)) and imported[-1] == "tests.test_cli"
    there = [path for path in FILES if path.parent == ROOT / "tests/core"]
    assert len(imported) == len(there) + 1


def test_nothing_is_imported_ahead_without_workers_or_where_nothing_is_kept(
    imported: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rewriting.begin(config(None, "tests"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    rewriting.begin(config(0, "tests"))
    assert imported == []


def test_what_fails_is_left_to_the_collection(
    imported: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(name: str) -> None:
        imported.append(name)
        raise (SyntaxError, pytest.skip.Exception)[len(imported) % 2](name)

    monkeypatch.setattr(rewriting.importlib, "import_module", fails)
    rewriting.begin(config(0, "tests/core"))
    assert len(imported) > 3
