"""Who forgets to mark a test that starts processes is told; what is started obeys signals."""

import signal
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


def test_what_a_suite_in_the_background_ignores_is_obeyed_by_what_it_starts() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGINT)}
    try:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        processes.obey_signals()
        command = "import signal as s; print([s.getsignal(n) == s.SIG_IGN for n in (1, 2)])"
        child = [sys.executable, "-c", command]
        said = subprocess.run(child, capture_output=True, text=True, check=True).stdout
        assert said.strip() == "[False, False]"
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
