"""
A bounded GET: so many bytes, so many seconds, whatever the other side does.

The client is the one that asks the model. What it does not know is done here: one deadline for
everything, a bound on what is unpacked, and no way into the user's own network.
"""

import asyncio
import urllib.request
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import httpx2

from liq_provider import __version__
from liq_provider.config.tls import trusted
from liq_provider.news.reach import OutOfReach, PublicOnly, is_own

MOST_BYTES = 4 * 1024 * 1024
_MOST_HOPS = 5
_AGENT = f"LiqTrend/{__version__}"

_FAILURES = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    OSError,
    ValueError,  # what cannot be written as a header or as a name
)


class NewsError(Exception):
    """A provider did not deliver; the message holds no address and no key."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    :param host: whose it is, after all redirects
    :param headers: by names in any case
    """

    status: int
    host: str
    headers: Mapping[str, str]
    body: bytes


async def get(
    url: str,
    timeout_s: float,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str | int] | None = None,
    redirects: bool = True,
    proxied: bool = True,
) -> Answer:
    """
    :param url: as the user wrote it; only this one may lead to a private address
    :param timeout_s: for everything; a server that trickles is cut off
    :param redirects: False where a header holds a key, which must go to nobody else
    :param proxied: whether a proxy of the environment may be used
    :raises NewsError: unreachable, too slow, too large, or led to a private address
    """
    try:
        first = httpx2.URL(url, params=dict(params)) if params else httpx2.URL(url)
        async with asyncio.timeout(timeout_s):
            return await _follow(first, timeout_s, headers or {}, redirects, proxied)
    except TimeoutError:
        raise NewsError(f"no complete answer within {timeout_s:g} s") from None
    except OutOfReach:
        raise NewsError("leads to a private address") from None
    except _FAILURES as error:
        # Their texts quote addresses with everything in them.
        raise NewsError(type(error).__name__) from None


async def _follow(
    url: httpx2.URL,
    timeout_s: float,
    headers: Mapping[str, str],
    redirects: bool,
    proxied: bool,
) -> Answer:
    own = is_own(url.host)
    for _ in range(_MOST_HOPS):
        answer, target = await _once(url, timeout_s, headers, own, redirects, proxied)
        if answer is not None:
            return answer
        if target.scheme not in ("http", "https") or is_own(target.host):
            raise OutOfReach
        if url.scheme == "https" and target.scheme != "https":
            raise NewsError("a redirect from https to plain http")
        url, own = target, False
    raise NewsError("too many redirects")


async def _once(
    url: httpx2.URL,
    timeout_s: float,
    headers: Mapping[str, str],
    own: bool,
    redirects: bool,
    proxied: bool,
) -> tuple[Answer | None, httpx2.URL]:
    """:return: the answer, or where it is instead; what stands beside that is not read"""
    proxy = _proxy(url) if proxied and not own else None
    network = httpx2.AsyncHTTPTransport(trusted(True), trust_env=False, proxy=proxy)
    async with (
        # Not kept for the next question: minutes pass until then.
        httpx2.AsyncClient(
            headers={"User-Agent": _AGENT, "Accept-Encoding": "gzip"},
            timeout=httpx2.Timeout(None, connect=timeout_s),
            # A proxy looks up names itself, and is the user's.
            transport=network if own or proxy is not None else PublicOnly(network),
            trust_env=False,
        ) as client,
        client.stream("GET", url, headers=headers) as response,
    ):
        if redirects and response.next_request is not None:
            return None, response.next_request.url
        return Answer(response.status_code, url.host, response.headers, await _body(response)), url


async def _body(response: httpx2.Response) -> bytes:
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise NewsError("an encoding that was not asked for")
    # It grows only to what is allowed, however much a small piece holds; the client's own
    # decoders know no limit.
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding not in ("", "identity") else None
    body = bytearray()
    try:
        async for piece in response.aiter_raw():
            room = MOST_BYTES + 1 - len(body)
            body += piece if unpack is None else unpack.decompress(piece, room)
            if len(body) > MOST_BYTES:
                raise NewsError(f"answer of more than {MOST_BYTES // 2**20} MB")
    except zlib.error:
        raise NewsError("a body that cannot be unpacked") from None
    if unpack is not None and body and not unpack.eof:
        raise NewsError("a body that is cut off")
    return bytes(body)


def _proxy(url: httpx2.URL) -> str | None:
    """A proxy of the environment."""
    known = urllib.request.getproxies()
    address = known.get(url.scheme) or known.get("all")
    if not address or urllib.request.proxy_bypass(url.host):
        return None
    address = address if "://" in address else f"http://{address}"
    if httpx2.URL(address).scheme not in ("http", "https"):
        raise NewsError("a proxy of a kind that is not known")
    return address
