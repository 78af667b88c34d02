"""How long a feed waits for what, and how often it looks; for after a failure see ``retry``."""

from dataclasses import dataclass, field

from liq_provider.stream.retry import RetryWaits


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """
    All in seconds.

    :param open_timeout_s: connecting, TLS and websocket handshake together
    :param close_timeout_s: for a closing handshake
    :param subscribe_timeout_s: until the venue acknowledged all subscriptions
    :param ping_interval_s: between pings that prove the connection
    :param ping_timeout_s: an unanswered ping of this age means that the connection is dead
    :param prove_wait_s: how long ``prove`` waits; below the settling time
    :param lived_s: a connection that lived this long was a good one
    :param rollover_margin_s: how long before the venue's limit a connection is replaced
    :param rollover_retry_s: wait after a replacement that failed
    :param check_s: between looks at silence and age
    :param retry: before another attempt
    """

    open_timeout_s: float = 15.0
    close_timeout_s: float = 5.0
    subscribe_timeout_s: float = 15.0
    ping_interval_s: float = 15.0
    ping_timeout_s: float = 10.0
    prove_wait_s: float = 1.5
    lived_s: float = 60.0
    rollover_margin_s: float = 1800.0
    rollover_retry_s: float = 60.0
    check_s: float = 1.0
    retry: RetryWaits = field(default_factory=RetryWaits)
