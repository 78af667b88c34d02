"""Opening a websocket, and what an exchange's refusal means."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from liq_provider.errors import FeedError, FeedRefused

# A frame of a crash second has some hundred kilobytes; a bound keeps a bad peer from filling
# the memory.
_MAX_FRAME_BYTES = 16 * 1024 * 1024
_MAX_QUEUE_FRAMES = 1024

_REFUSALS = {
    403: "the exchange blocks this country or address",
    429: "too many connections from this address",
    451: "the exchange does not serve this country",
}


class Refusal(FeedRefused):
    """
    :param retry_after_s: what the exchange asked for, None if it did not say
    """

    def __init__(self, status: int, retry_after_s: float | None) -> None:
        super().__init__(f"HTTP {status}: probably {_REFUSALS[status]}")
        self.retry_after_s = retry_after_s


async def handshake(
    url: str, headers: Mapping[str, str], open_timeout_s: float, close_timeout_s: float
) -> ClientConnection:
    """
    :param headers: that the exchange wants beside the usual ones
    :param open_timeout_s: connecting, TLS and websocket handshake together
    :param close_timeout_s: for a closing handshake
    :raises Refusal: if the exchange does not want this client
    :raises FeedError: for everything else that went wrong
    """
    try:
        return await connect(
            url,
            additional_headers=headers,
            open_timeout=open_timeout_s,
            close_timeout=close_timeout_s,
            ping_interval=None,  # our own pings prove coverage as well
            max_size=_MAX_FRAME_BYTES,
            max_queue=_MAX_QUEUE_FRAMES,
        )
    except InvalidStatus as error:
        status = error.response.status_code
        if status in _REFUSALS:
            wait_s = retry_after_s(error.response.headers.get("Retry-After"), time.time())
            raise Refusal(status, wait_s) from error
        raise FeedError(f"HTTP {status} instead of a websocket") from error
    # ImportError: a SOCKS proxy in the environment needs a package of its own.
    except (OSError, WebSocketException, ImportError) as error:
        raise FeedError(f"cannot connect: {describe(error)}") from error


def describe(error: BaseException) -> str:
    """:return: one line for the log and the status page"""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def retry_after_s(value: str | None, now_s: float) -> float | None:
    """
    :param value: the ``Retry-After`` header, seconds or an HTTP date
    :return: seconds from now, None if there is no readable value
    """
    if value is None:
        return None
    try:
        if value.strip().isdecimal():
            return float(value)
        return max(0.0, parsedate_to_datetime(value).timestamp() - now_s)
    except (ValueError, TypeError, OverflowError):
        return None
