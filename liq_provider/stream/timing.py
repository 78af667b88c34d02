"""How long a feed waits for what, and how it spaces its attempts."""

import random
from dataclasses import dataclass

from liq_provider.core.durations import HOUR_S


@dataclass(frozen=True, slots=True)
class Timing:
    """
    All in seconds.

    :param open_timeout_s: connecting, TLS and websocket handshake together
    :param close_timeout_s: for a closing handshake
    :param subscribe_timeout_s: until the venue acknowledged all subscriptions
    :param ping_interval_s: between pings that prove the connection
    :param ping_timeout_s: an unanswered ping of this age means that the connection is dead
    :param prove_wait_s: how long ``prove`` waits; below the settling time
    :param backoff_base_s: upper bound of the first wait before reconnecting
    :param backoff_cap_s: upper bound of any such wait
    :param lived_s: a connection that lived this long was a good one
    :param refused_s: wait after HTTP 403, 429 or 451 without ``Retry-After``
    :param refused_cap_s: a longer ``Retry-After`` is cut to this
    :param rollover_margin_s: how long before the venue's limit a connection is replaced
    :param rollover_retry_s: wait after a replacement that failed
    :param check_s: between looks at silence and age
    """

    open_timeout_s: float = 15.0
    close_timeout_s: float = 5.0
    subscribe_timeout_s: float = 15.0
    ping_interval_s: float = 15.0
    ping_timeout_s: float = 10.0
    prove_wait_s: float = 1.5
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 60.0
    lived_s: float = 60.0
    refused_s: float = 300.0
    refused_cap_s: float = 6 * HOUR_S
    rollover_margin_s: float = 1800.0
    rollover_retry_s: float = 60.0
    check_s: float = 1.0


class Backoff:
    """
    Exponential backoff with full jitter: clients that were cut off together come back apart.

    :param rng: source of the jitter
    """

    def __init__(self, timing: Timing, rng: random.Random) -> None:
        self._base_s = timing.backoff_base_s
        self._cap_s = timing.backoff_cap_s
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
