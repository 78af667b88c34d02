"""A bounded GET: so many bytes, so many seconds, whatever the other side does."""

import asyncio
import urllib.request
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import httpcore2
import httpx2

from liq_provider import __version__
from liq_provider.enrich.news.reach import CheckedNetwork, Refused, is_own
from liq_provider.tls import trusted

MOST_BYTES = 4 * 1024 * 1024
_MOST_HOPS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_AGENT = f"LiqTrend/{__version__}"

_FAILURES = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    httpcore2.TimeoutException,
    httpcore2.UnsupportedProtocol,
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
    :param headers: by names in lower case
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
    except Refused:
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
        answer, location = await _once(url, timeout_s, headers, own, redirects, proxied)
        if answer is not None:
            return answer
        target = url.join(location)
        if target.scheme not in ("http", "https") or is_own(target.host):
            raise Refused
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
) -> tuple[Answer | None, str]:
    """:return: the answer, or where it is instead; what stands beside that is not read"""
    proxy = _proxy(url) if proxied and not own else None
    sent = [("User-Agent", _AGENT), ("Accept-Encoding", "gzip"), *headers.items()]
    target = httpcore2.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )
    async with (
        # Not kept for the next question: minutes pass until then.
        httpcore2.AsyncConnectionPool(
            ssl_context=trusted(True),
            proxy=proxy,
            network_backend=CheckedNetwork(own or proxy is not None),
        ) as pool,
        pool.stream(
            "GET", target, headers=sent, extensions={"timeout": {"connect": timeout_s}}
        ) as response,
    ):
        told = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in response.headers
        }
        if redirects and response.status in _REDIRECTS and "location" in told:
            return None, told["location"]
        body = await _body(response, told.get("content-encoding", "").strip().lower())
        return Answer(response.status, url.host, told, body), ""


async def _body(response: httpcore2.Response, encoding: str) -> bytes:
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise NewsError("an encoding that was not asked for")
    # It grows only to what is allowed, however much a small piece holds.
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding not in ("", "identity") else None
    body = bytearray()
    try:
        async for piece in response.aiter_stream():
            room = MOST_BYTES + 1 - len(body)
            body += piece if unpack is None else unpack.decompress(piece, room)
            if len(body) > MOST_BYTES:
                raise NewsError(f"answer of more than {MOST_BYTES // 2**20} MB")
    except zlib.error:
        raise NewsError("a body that cannot be unpacked") from None
    if unpack is not None and body and not unpack.eof:
        raise NewsError("a body that is cut off")
    return bytes(body)


def _proxy(url: httpx2.URL) -> httpcore2.Proxy | None:
    """A proxy of the environment, which looks up names itself."""
    known = urllib.request.getproxies()
    address = known.get(url.scheme) or known.get("all")
    if not address or urllib.request.proxy_bypass(url.host):
        return None
    found = httpx2.URL(address if "://" in address else f"http://{address}")
    if found.scheme not in ("http", "https"):
        raise NewsError("a proxy of a kind that is not known")
    login = (found.username, found.password) if found.username else None
    return httpcore2.Proxy(str(found.copy_with(username="", password="")), auth=login)
