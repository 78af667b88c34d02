"""
Which spans of time a venue's feed was connected and proven alive.

A span grows only by proof: a ping that was answered shows that everything the venue sent
before answering has arrived, so it proves the time at which the ping was SENT. When a minute
is settled and its close is not proven yet, the span is cut there, because the decision of
that minute was made without it and settled minutes are never restated.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from liq_provider.liquidation import MINUTE_MS


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A half-open span ``[start_ms, end_ms)``."""

    start_ms: int
    end_ms: int


class CoverageTracker:
    """
    The coverage of one venue's live feed.

    ``changed()`` hands the writer every interval that is new or longer than when it was last
    handed over; an interval is identified by its start.
    """

    def __init__(self, venue: str) -> None:
        self.venue = venue
        self._start_ms: int | None = None
        self._proven_ms = 0
        self._changed: dict[int, int] = {}

    @property
    def covering(self) -> bool:
        """True while the feed is counted as connected."""
        return self._start_ms is not None

    @property
    def since_ms(self) -> int | None:
        """Start of the span that is open, None while the feed is not covering."""
        return self._start_ms

    @property
    def proven_ms(self) -> int:
        """Newest proven time, 0 if there was none yet."""
        return self._proven_ms

    def begin(self, ms: int) -> None:
        """The feed is fully subscribed from ``ms`` on. Ignored while a span is open."""
        if self._start_ms is None:
            self._start_ms = max(ms, self._proven_ms)
            self._proven_ms = self._start_ms

    def prove(self, ms: int) -> None:
        """Everything up to ``ms`` has arrived."""
        if self._start_ms is not None and ms > self._proven_ms:
            self._proven_ms = ms
            self._changed[self._start_ms] = ms

    def lose(self) -> None:
        """The feed is gone or not to be believed; the span ends at its last proof."""
        self._start_ms = None

    def seal(self, close_ms: int) -> bool:
        """
        Settle a minute: what is not proven up to its close now stays uncovered for good.

        :param close_ms: close of the minute that is being settled
        :return: True if the minute's close was proven
        """
        if self._start_ms is None:
            return False
        if self._proven_ms >= close_ms:
            return True
        self._start_ms = self._proven_ms = close_ms
        return False

    def void(self, minute_ms: int, close_ms: int) -> None:
        """
        Give up a minute that could not be settled in time: nothing was decided on it, so it
        must not look as if it had been known.

        :param minute_ms: open of the first minute to give up
        :param close_ms: close of the last one
        """
        self._changed = {
            start: min(end, minute_ms) for start, end in self._changed.items() if start < minute_ms
        }
        if self._start_ms is not None:
            self._start_ms = max(close_ms, self._start_ms)
            self._proven_ms = max(self._start_ms, self._proven_ms)

    def changed(self) -> list[Interval]:
        """:return: the intervals that were new or grew since the last call"""
        found = [Interval(start, end) for start, end in self._changed.items() if end > start]
        self._changed.clear()
        return found


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """Union of intervals, sorted; touching ones become one."""
    merged: list[Interval] = []
    for item in sorted(intervals):
        if merged and item.start_ms <= merged[-1].end_ms:
            if item.end_ms > merged[-1].end_ms:
                merged[-1] = Interval(merged[-1].start_ms, item.end_ms)
        else:
            merged.append(item)
    return merged


def whole_minutes(interval: Interval) -> Interval:
    """The part of an interval that consists of whole minutes; may be empty."""
    start = -(-interval.start_ms // MINUTE_MS) * MINUTE_MS
    end = interval.end_ms // MINUTE_MS * MINUTE_MS
    return Interval(start, max(start, end))
