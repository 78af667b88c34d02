"""What one client may do: how many wrong tokens, and what the log says of it."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.rate import Rate

# A token of 16 characters outlasts any number of guesses; this only keeps them cheap.
_GUESSES = 30
_GUESSES_MS = MINUTE_MS
_REMEMBERED = 2_048

_IPV6_PREFIX = 64
_LINE_S = 60.0


def client_of(host: str | None) -> str:
    """
    :param host: address of the other end as the socket tells it; no proxy's word counts
    :return: the client: an address, or of IPv6 the /64 network, of which anybody has 2^64
    """
    try:
        address = ip_address((host or "").partition("%")[0])
    except ValueError:
        return host or "unknown"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)


class Guesses:
    """
    Wrong tokens of each client. One client's never count against another's, and a correct
    token is not asked for its client's count.

    :param now_ms: a clock that only goes on
    """

    def __init__(self, now_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000):
        self._now_ms = now_ms
        self._wrong: OrderedDict[str, Rate] = OrderedDict()

    def wrong(self, client: str) -> bool:
        """
        One more wrong token.

        :return: False if the client had too many lately
        """
        rate = self._wrong.setdefault(client, Rate(_GUESSES, _GUESSES_MS))
        self._wrong.move_to_end(client)
        if len(self._wrong) > _REMEMBERED:
            self._wrong.popitem(last=False)
        return rate.take(self._now_ms())


class OncePerMinute(logging.Filter):
    """One line of each kind in a minute: what a stranger sends must not fill the log."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock_s = clock_s
        self._said_s: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """:return: whether that kind, which is the text without its values, is due again"""
        kind, now_s = str(record.msg), self._clock_s()
        if now_s - self._said_s.get(kind, -_LINE_S) < _LINE_S:
            return False
        self._said_s[kind] = now_s
        return True
