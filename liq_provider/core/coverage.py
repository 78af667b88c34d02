"""
Which minutes of a venue's feed were heard: the feed was connected and proven alive throughout.

A proof is a ping that was answered: everything the venue sent before answering has arrived, so
it proves the time at which the ping was SENT. A minute is heard if one unbroken connection was
proven from its open to its close, and in time: what is proven only after a minute was settled,
as after a standstill of the process, may have been counted elsewhere, and the decision of that
minute was made without it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import minute_from, minute_of

# An order that comes after the settling time is counted where it arrives, so a proof may be as
# late as that and a little more without anything being missing.
_GRACE_MS = 1_000

# Nobody asks about older minutes.
_KEPT = 10


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A half-open span ``[start_ms, end_ms)``."""

    start_ms: int
    end_ms: int


class CoverageTracker:
    """
    What one venue's live feed heard.

    :param settle_ms: a minute is settled this long after its close
    """

    def __init__(self, venue: str, settle_ms: int) -> None:
        self.venue = venue
        self._in_time_ms = settle_ms + _GRACE_MS
        self._start_ms: int | None = None
        self._proven_ms = 0
        self._heard: list[int] = []

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

    def prove(self, sent_ms: int, handled_ms: int) -> None:
        """
        :param sent_ms: everything up to then has arrived
        :param handled_ms: when that was known, with all of it handled
        """
        if self._start_ms is None or sent_ms <= self._proven_ms:
            return
        self._proven_ms = sent_ms
        close_ms = minute_of(sent_ms)
        while handled_ms <= close_ms + self._in_time_ms and self._is_new(close_ms):
            self._heard.append(close_ms)
            close_ms -= MINUTE_MS
        del self._heard[:-_KEPT]

    def lose(self) -> None:
        """The feed is gone or not to be believed; the span ends at its last proof."""
        self._start_ms = None

    def heard(self, close_ms: int) -> bool:
        """:return: whether all of the minute that closes then was heard, and proven in time"""
        return close_ms in self._heard

    def _is_new(self, close_ms: int) -> bool:
        assert self._start_ms is not None
        return close_ms - MINUTE_MS >= self._start_ms and close_ms not in self._heard


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """Union of intervals, sorted; touching ones become one."""
    merged: list[Interval] = []
    for interval in sorted(intervals):
        if merged and interval.start_ms <= merged[-1].end_ms:
            if interval.end_ms > merged[-1].end_ms:
                merged[-1] = Interval(merged[-1].start_ms, interval.end_ms)
        else:
            merged.append(interval)
    return merged


def without(spans: Iterable[Interval], taken: Iterable[Interval]) -> list[Interval]:
    """
    :return: what is left of spans

    >>> without([Interval(0, 10)], [Interval(2, 3), Interval(8, 12)])
    [Interval(start_ms=0, end_ms=2), Interval(start_ms=3, end_ms=8)]
    """
    holes = merge(taken)
    left: list[Interval] = []
    for span in spans:
        start_ms = span.start_ms
        for hole in holes:
            if start_ms < hole.end_ms and hole.start_ms < span.end_ms:
                if hole.start_ms > start_ms:
                    left.append(Interval(start_ms, hole.start_ms))
                start_ms = max(start_ms, hole.end_ms)
        if start_ms < span.end_ms:
            left.append(Interval(start_ms, span.end_ms))
    return left


def whole_minutes(interval: Interval) -> Interval:
    """The part of an interval that consists of whole minutes; may be empty."""
    start = minute_from(interval.start_ms)
    return Interval(start, max(start, minute_of(interval.end_ms)))


def minutes_around(span: Interval) -> Interval:
    """The whole minutes that an interval touches."""
    start = minute_of(span.start_ms)
    return Interval(start, max(start + MINUTE_MS, minute_from(span.end_ms)))
