"""
Which tests start processes. They bear the mark ``processes``, and ``make quick`` leaves them out.

There, whoever forgot the mark is told: Python itself reports each process that is started.
"""

import signal
import sys
from pathlib import Path

import pytest

# All of these run the real bot, a launcher or sidecars.
_FOLDERS = ("integration", "launch")
_FIXTURES = {"postgres_server", "postgres_url"}
# Imported for nothing else: a sidecar with or without its exchange, servers, a browser.
_HELPERS = {"Process", "recorder", "postgres", "needs_browser"}
# What the OpenAI client wants to know of the machine, once.
_ASIDE = {"uname", "lsb_release"}
_EVENTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"}

started: list[str] = []


def obey_signals() -> None:
    """
    What is ignored is so for every process that is started, too. A suite that was started in the
    background must not make its bots and launchers deaf to the signals that they are tested with.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, usual)


def watch() -> None:
    """From now on note in ``started`` what is started."""

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event in _EVENTS and str(arguments[0] if arguments else "") not in _ASIDE:
            started.append(str(arguments[1]) if len(arguments) > 1 else event)

    sys.addaudithook(note)


def mark(items: list[pytest.Item]) -> None:
    """Mark those that are known by where they are, or by what they are given."""
    here = Path(__file__).parent
    for item in items:
        call = getattr(item, "callspec", None)
        if (
            item.path.relative_to(here).parts[0] in _FOLDERS
            or _FIXTURES & set(getattr(item, "fixturenames", ()))
            or _HELPERS & set(vars(getattr(item, "module", None) or object))
            or (call is not None and call.params.get("store_url") == "postgresql")
        ):
            item.add_marker("processes")


def complain(item: pytest.Item) -> None:
    """
    After a test, where those that start processes are left out.

    :raises AssertionError: it started a process and is not marked
    """
    left_out = "not processes" in item.config.getoption("markexpr")
    if started and left_out and item.get_closest_marker("processes") is None:
        raise AssertionError(f"this test starts {started[0]}: mark it with pytest.mark.processes")
