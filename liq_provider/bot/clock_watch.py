"""
Whether this machine's clock can be believed, as of every loop of the bot.

What the sidecar says of its machine's clock is some seconds old, and the bot may run on another
machine. So each loop compares the wall clock with one that nobody can set, and with the exchange's
time as the sidecar states it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from liq_provider.core.clock import steady_clock_ms

# A status may have waited so long for the store, the reader and a busy machine.
_ON_ITS_WAY_MS = 2_000

# So many statuses must agree before lateness on the way cannot explain a clock that is ahead.
_STATUSES = 3

# On its way for so long at most, a status proves a clock that jumped.
_QUICK_MS = 300

# One that is heard sooner after a jump may have been written before it.
_OLD_NEWS_S = 15.0

# Clocks are read again if somebody took the processor between one and the other.
_TOGETHER_S = 0.02
_TRIES = 5


def elapsed_s() -> float:
    """:return: a clock that nobody sets"""
    return steady_clock_ms() / 1000


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
        self._said_ms: Any = None
        self._jumped_s: float | None = None

    def problem(self, sidecar: Mapping[str, Any], heard: Sequence[float]) -> str | None:
        """
        One look at the clocks.

        :param sidecar: the sidecar's status
        :param heard: see ``Snapshot.heard``
        :return: what is wrong with this machine's clock, None if nothing is known
        """
        wall_ms, now_s = self._clocks()
        ahead_ms = None if not heard else wall_ms - now_s * 1000 - max(heard)
        apart = self._apart(ahead_ms, len(heard))
        jump = self._jump(wall_ms, now_s)
        if self._proven(sidecar, ahead_ms, now_s):
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

    def _proven(self, sidecar: Mapping[str, Any], ahead_ms: float | None, now_s: float) -> bool:
        """:return: whether a new status shows that this clock is the exchange's"""
        said_ms, skew_ms = sidecar.get("now_ms"), sidecar.get("skew_ms")
        if said_ms is None or said_ms == self._said_ms:
            return False
        self._said_ms = said_ms
        if self._jumped_s is not None and now_s - self._jumped_s < _OLD_NEWS_S:
            return False
        return (
            skew_ms is not None
            and abs(skew_ms) <= self._max_skew_ms
            and ahead_ms is not None
            and -self._max_skew_ms <= ahead_ms <= self._max_skew_ms + _QUICK_MS
        )

    def _apart(self, ahead_ms: float | None, statuses: int) -> str | None:
        """
        Against the time that the sidecar states. What it says is old by the time that it is
        heard, so of several statuses the quickest counts.

        :param ahead_ms: by how much this clock is ahead of that time
        """
        if ahead_ms is None:
            return None
        if ahead_ms < -self._max_skew_ms:
            return _apart_words(-ahead_ms, "behind")
        if statuses >= _STATUSES and ahead_ms > self._max_skew_ms + _ON_ITS_WAY_MS:
            return _apart_words(ahead_ms, "ahead of")
        return None


def _apart_words(apart_ms: float, where: str) -> str:
    return (
        f"this machine's clock is {apart_ms / 1000:.1f} s {where} the exchange's, as the sidecar "
        "has it (max_skew_ms)"
    )
