"""
Whether this machine's clock can be believed, as of every loop of the bot.

The sidecar compares its clock with the exchange's every five minutes. In between a clock may be
set, and the bot may run on another machine than the sidecar. So each loop compares the wall clock
with one that nobody can set, and with the time that the sidecar states.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# A status may have waited so long for the store, the reader and a busy machine.
_ON_ITS_WAY_MS = 2_000

# So many statuses must agree before lateness on the way cannot explain a clock that is ahead.
_STATUSES = 3

# A comparison that is published sooner after a jump may have been made before it.
_OLD_NEWS_S = 15.0

# Clocks are read again if somebody took the processor between one and the other.
_TOGETHER_S = 0.02
_TRIES = 5


def elapsed_s() -> float:
    """:return: a clock that nobody sets, and that goes on while the machine sleeps"""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


def read_clocks() -> tuple[float, float]:
    """:return: wall clock (ms) and ``elapsed_s`` at the same moment"""
    for _ in range(_TRIES):
        before_s, wall_ms, after_s = elapsed_s(), time.time_ns() / 1e6, elapsed_s()
        if after_s - before_s < _TOGETHER_S:
            break
    return wall_ms, (before_s + after_s) / 2


class ClockWatch:
    """
    :param max_skew_ms: more difference than this refuses entries
    :param clocks: the wall clock in ms and a monotonic one in s
    """

    def __init__(
        self, max_skew_ms: float, clocks: Callable[[], tuple[float, float]] = read_clocks
    ) -> None:
        self._max_skew_ms = max_skew_ms
        self._clocks = clocks
        self._anchor: tuple[float, float] | None = None
        self._measured_ms: Any = None
        self._jumped_s: float | None = None

    def problem(self, sidecar: Mapping[str, Any], heard: Sequence[float]) -> str | None:
        """
        One look at the clocks.

        :param sidecar: the sidecar's status
        :param heard: see ``Snapshot.heard``
        :return: what is wrong with this machine's clock, None if nothing is known
        """
        wall_ms, now_s = self._clocks()
        apart = self._apart(wall_ms - now_s * 1000, heard)
        jump = self._jump(wall_ms, now_s)
        if self._compared(sidecar, now_s) and apart is None:
            self._anchor, self._jumped_s = (wall_ms, now_s), None
            return None
        return jump or apart

    def _jump(self, wall_ms: float, now_s: float) -> str | None:
        """Steps add up, and a clock that is set back is good again."""
        if self._anchor is None:
            self._anchor = wall_ms, now_s
        anchor_ms, anchor_s = self._anchor
        moved_ms = wall_ms - anchor_ms - (now_s - anchor_s) * 1000
        if abs(moved_ms) <= self._max_skew_ms:
            self._jumped_s = None
            return None
        if self._jumped_s is None:
            self._jumped_s = now_s
        return f"this machine's clock jumped by {moved_ms / 1000:+.1f} s (max_skew_ms)"

    def _compared(self, sidecar: Mapping[str, Any], now_s: float) -> bool:
        """:return: whether the clock was compared anew with the exchange's, and was good"""
        measured_ms, skew_ms = sidecar.get("skew_measured_ms"), sidecar.get("skew_ms")
        if measured_ms is None or measured_ms == self._measured_ms:
            return False
        self._measured_ms = measured_ms
        if self._jumped_s is not None and now_s - self._jumped_s < _OLD_NEWS_S:
            return False
        return skew_ms is not None and abs(skew_ms) <= self._max_skew_ms

    def _apart(self, wall_ms: float, heard: Sequence[float]) -> str | None:
        """
        Against the time that the sidecar states. What it says is old by the time that it is
        heard, so of several statuses the fastest counts.

        :param wall_ms: this machine's clock, less the monotonic one
        """
        if not heard:
            return None
        ahead_ms = wall_ms - max(heard)
        late_ms = self._max_skew_ms + _ON_ITS_WAY_MS
        if ahead_ms < -self._max_skew_ms:
            return _apart_words(-ahead_ms, "behind")
        if len(heard) >= _STATUSES and ahead_ms > late_ms:
            return _apart_words(ahead_ms, "ahead of")
        return None


def _apart_words(apart_ms: float, where: str) -> str:
    return (
        f"this machine's clock is {apart_ms / 1000:.1f} s {where} the exchange's, as the sidecar "
        "has it (max_skew_ms)"
    )
