"""Who forgets to mark a test that starts processes is told."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from tests import processes

pytestmark = pytest.mark.processes


def item(*marks: str, markexpr: str = "not processes and not slow") -> Any:
    """A test that bears these marks, in a run with such a choice."""
    return SimpleNamespace(
        config=SimpleNamespace(getoption={"markexpr": markexpr}.get),
        get_closest_marker=lambda name: name if name in marks else None,
    )


def test_a_process_is_noted_and_who_has_no_mark_is_told() -> None:
    processes.complain(item())
    subprocess.run([sys.executable, "-c", ""], check=True)
    with pytest.raises(AssertionError, match=r"mark it with pytest\.mark\.processes"):
        processes.complain(item())
    processes.complain(item("processes"))
    processes.complain(item(markexpr=""))
