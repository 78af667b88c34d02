"""
The ends of minutes, at which bots and sidecars act. While a row waits for them, whoever computes
beside it stands still around each of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_MINUTE_S = 60.0
# From before the end of a minute until orders are in.
_BEFORE_S = 1.0
_AFTER_S = 10.0


class MinuteEnds:
    """Whether anybody waits for them now."""

    def __init__(self) -> None:
        self._waiting, self._lock = 0, Lock()

    @contextmanager
    def waited_for(self) -> Iterator[None]:
        """Until this ends."""
        with self._lock:
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    def still_s(self, now_s: float) -> float:
        """:return: for how long one must stand still at this time; 0 if one need not"""
        since_s = now_s % _MINUTE_S
        if not self._waiting:
            return 0.0
        if since_s < _AFTER_S:
            return _AFTER_S - since_s
        if since_s >= _MINUTE_S - _BEFORE_S:
            return _MINUTE_S - since_s + _AFTER_S
        return 0.0
