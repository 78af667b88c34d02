"""What follows a connection that failed: how long to wait, and what to say about it."""

import logging
import random

from liq_provider.stream.feed_status import FeedRecord
from liq_provider.stream.handshake import Refusal
from liq_provider.stream.timing import Backoff, Timing

logger = logging.getLogger(__name__)


class Retry:
    """
    :param record: keeps the newest error
    :param name: of what failed, for the log
    :param rng: source of the jitter
    """

    def __init__(self, record: FeedRecord, name: str, timing: Timing, rng: random.Random) -> None:
        self._record = record
        self._name = name
        self._timing = timing
        self._backoff = Backoff(timing, rng)
        self._complained: str | None = None

    @property
    def complaining(self) -> bool:
        """Whether something failed since it last worked."""
        return self._complained is not None

    def refused_s(self, refusal: Refusal) -> float:
        """:return: seconds to wait after the exchange said no"""
        wait_s = self._timing.refused_s
        if refusal.retry_after_s is not None:
            # "Retry-After: 0" is no leave to hammer.
            wait_s = max(refusal.retry_after_s, self._backoff.next_s())
        wait_s = min(wait_s, self._timing.refused_cap_s)
        self._complain(logging.ERROR, str(refusal), wait_s)
        return wait_s

    def failed_s(self, reason: str) -> float:
        """:return: seconds to wait after any other failure"""
        wait_s = self._backoff.next_s()
        self._complain(logging.WARNING, reason, wait_s)
        return wait_s

    def forget(self) -> None:
        """There was progress: the next failure is a first one."""
        self._backoff.reset()

    def believed(self) -> None:
        """The feed works: the next complaint is news again."""
        self._complained = None

    def _complain(self, level: int, reason: str, wait_s: float) -> None:
        """Log once that the feed is gone and why, not at every attempt."""
        repeated = reason == self._complained
        self._complained = reason
        self._record.last_error = reason
        logger.log(
            logging.DEBUG if repeated else level,
            "%s: %s; next attempt in %.1f s",
            self._name,
            reason,
            wait_s,
        )
