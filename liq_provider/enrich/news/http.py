"""A bounded GET: so many bytes, so many seconds, whatever the other side does."""

import time
from collections.abc import Mapping

import requests

from liq_provider import __version__

_MAX_BYTES = 4 * 1024 * 1024
_AGENT = f"LiqTrend/{__version__}"


class NewsError(Exception):
    """A provider did not deliver; the message holds no address and no key."""


def get(
    session: requests.Session,
    url: str,
    timeout_s: float,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str | int] | None = None,
    redirects: bool = True,
) -> tuple[int, Mapping[str, str], bytes]:
    """
    :param timeout_s: for everything; a server that trickles is cut off
    :param redirects: False where a header holds a key, which must go to nobody else
    :return: status, headers, body
    :raises NewsError: unreachable, too slow, too large
    """
    deadline_s = time.monotonic() + timeout_s
    try:
        with session.get(
            url,
            headers={"User-Agent": _AGENT, **(headers or {})},
            params=params,
            timeout=timeout_s,
            stream=True,
            allow_redirects=redirects,
        ) as answer:
            body = bytearray()
            for chunk in answer.iter_content(16_384):
                body += chunk
                if time.monotonic() > deadline_s:
                    raise NewsError(f"no complete answer within {timeout_s:g} s")
                if len(body) > _MAX_BYTES:
                    raise NewsError(f"answer of more than {_MAX_BYTES // 2**20} MB")
            return answer.status_code, answer.headers, bytes(body)
    except requests.Timeout:
        raise NewsError(f"no answer within {timeout_s:g} s") from None
    except requests.RequestException as error:
        # Their texts quote addresses with everything in them.
        raise NewsError(type(error).__name__) from None
