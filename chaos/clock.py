"""
Let the wall clock of one process jump.

A thread reads the offset from a file. It is done inside Python, where the monotonic clock and
sleeping stay as they are on a machine whose clock is set; libfaketime would do it from outside,
but makes ``time.sleep`` of Python 3.11 fail.
"""

import os
import threading
import time
from pathlib import Path

FILE = "CHAOS_CLOCK"
_LOOK_S = 0.1


def install() -> None:
    """Follow the file that the environment names, if it names one."""
    name = os.environ.get(FILE)
    if name:
        threading.Thread(target=_follow, args=(Path(name),), daemon=True).start()


def _follow(path: Path) -> None:
    import time_machine

    begin_s, begin_monotonic_s = time.time(), time.monotonic()
    traveller = None
    offset_s = 0.0
    while True:
        wanted_s = _read(path)
        if wanted_s != offset_s:
            offset_s = wanted_s
            true_s = begin_s + time.monotonic() - begin_monotonic_s
            if traveller is not None:
                traveller.stop()
                traveller = None
            if offset_s:
                traveller = time_machine.travel(true_s + offset_s, tick=True)
                traveller.start()
        time.sleep(_LOOK_S)


def _read(path: Path) -> float:
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return 0.0
