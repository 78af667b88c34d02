"""
Who waits for the processes that tests start. Python warns of a handle that nobody waited for when
it is collected, which may be in the middle of another test. So each is waited for here, and who
leaves one that still runs is told.
"""

import os
import subprocess
from typing import Any

import pytest

_MOMENT_S = 2.0

# Those that may not have been waited for, with the test and its phase that made them.
_handles: dict["subprocess.Popen[Any]", str] = {}


def watch() -> None:
    """Keep each handle from now on."""
    begin = subprocess.Popen.__init__

    def keep(self: "subprocess.Popen[Any]", *arguments: Any, **how: Any) -> None:
        begin(self, *arguments, **how)
        _handles[self] = os.environ.get("PYTEST_CURRENT_TEST", "")

    subprocess.Popen.__init__ = keep  # type: ignore[method-assign]


def forget(process: "subprocess.Popen[Any]") -> None:
    """It is about what happens when nobody holds the handle."""
    del _handles[process]


def miss(item: pytest.Item, following: pytest.Item | None) -> None:
    """
    After a test and its fixtures, those of its module, too, if the following one is elsewhere.

    :raises AssertionError: a process that was started still runs; it is ended
    """
    last = following is None or following.path != item.path
    missed = []
    for process, test in list(_handles.items()):
        # What a fixture started may serve the whole module.
        if process.returncode is None and not last and "(setup)" in test:
            continue
        del _handles[process]
        if process.returncode is None and not _ended(process):
            process.kill()
            process.wait()
            missed.append(f"{test} leaves {process.args}")
    assert not missed, "wait for what is started: " + "; ".join(missed)


def _ended(process: "subprocess.Popen[Any]") -> bool:
    """What was asked to end may do so a moment later; a handle that was waited for warns nobody."""
    try:
        process.wait(_MOMENT_S)
    except subprocess.TimeoutExpired:
        return False
    return True
