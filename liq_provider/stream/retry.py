"""What follows a connection that failed: how long to wait, and what to say about it."""

import logging
import random
from dataclasses import dataclass

from liq_provider.core.durations import HOUR_S
from liq_provider.stream.feed_status import FeedRecord
from liq_provider.stream.handshake import Refusal

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetryWaits:
    """
    All in seconds.

    :param backoff_base_s: upper bound of the first wait before reconnecting
    :param backoff_cap_s: upper bound of any such wait
    :param refused_s: wait after HTTP 403, 429 or 451 without ``Retry-After``
    :param refused_cap_s: a longer ``Retry-After`` is cut to this
    """

    backoff_base_s: float = 0.5
    backoff_cap_s: float = 60.0
    refused_s: float = 300.0
    refused_cap_s: float = 6 * HOUR_S


class Backoff:
    """
    Exponential backoff with full jitter: clients that were cut off together come back apart.

    :param rng: source of the jitter
    """

    def __init__(self, waits: RetryWaits, rng: random.Random) -> None:
        self._base_s = waits.backoff_base_s
        self._cap_s = waits.backoff_cap_s
        self._rng = rng
        self._attempt = 0

    def next_s(self) -> float:
        """:return: seconds to wait now"""
        # 2 ** 32 halves of a second are beyond any cap; the exponent must not grow for ever.
        limit_s = min(self._cap_s, self._base_s * 2.0 ** min(self._attempt, 32))
        self._attempt += 1
        return self._rng.uniform(0.0, limit_s)

    def reset(self) -> None:
        """The last connection was a good one."""
        self._attempt = 0


class Retry:
    """
    :param record: keeps the newest error
    :param name: of what failed, for the log
    :param rng: source of the jitter
    """

    def __init__(
        self, record: FeedRecord, name: str, waits: RetryWaits, rng: random.Random
    ) -> None:
        self._record = record
        self._name = name
        self._waits = waits
        self._backoff = Backoff(waits, rng)
        self._complained: str | None = None

    @property
    def complaining(self) -> bool:
        """Whether something failed since it last worked."""
        return self._complained is not None

    def refused_s(self, refusal: Refusal) -> float:
        """:return: seconds to wait after the exchange said no"""
        wait_s = self._waits.refused_s
        if refusal.retry_after_s is not None:
            # "Retry-After: 0" is no leave to hammer.
            wait_s = max(refusal.retry_after_s, self._backoff.next_s())
        wait_s = min(wait_s, self._waits.refused_cap_s)
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
