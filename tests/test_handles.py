"""Whoever starts a process in a test and does not wait for it is told."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import handles

pytestmark = pytest.mark.processes

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]


def item(file: str = __file__) -> Any:
    """A test of this file."""
    return SimpleNamespace(path=Path(file))


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[Any, str]:
    """What is started from now on is missed in this test only."""
    kept: dict[Any, str] = {}
    monkeypatch.setattr(handles, "_handles", kept)
    return kept


def test_whoever_leaves_a_process_running_is_told_by_name_and_it_is_ended(
    kept: dict[Any, str],
) -> None:
    process = subprocess.Popen(SLEEPS)
    told = r"test_whoever_leaves.*\(call\) leaves \['.*python.*', '-c'"
    with pytest.raises(AssertionError, match=told):
        handles.miss(item(), item())
    assert process.returncode is not None and not kept
    handles.miss(item(), None)


def test_a_process_that_ends_by_itself_is_waited_for(kept: dict[Any, str]) -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    handles.miss(item(), item())
    assert process.returncode == 0 and not kept


def test_a_process_of_a_module_is_missed_only_after_its_last_test(
    kept: dict[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "tests/test_wave.py::test_first (setup)")
    process, waited_for = subprocess.Popen(SLEEPS), subprocess.Popen(SLEEPS)
    waited_for.kill()
    waited_for.wait()
    handles.miss(item(), item())
    assert list(kept) == [process] and process.poll() is None
    with pytest.raises(AssertionError, match=r"tests/test_wave\.py::test_first \(setup\)"):
        handles.miss(item(), item("test_wave.py"))
    assert process.returncode is not None
