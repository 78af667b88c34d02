"""A bounded GET: so many bytes, so many seconds, whatever the other side does."""

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from liq_provider import __version__

_MAX_BYTES = 4 * 1024 * 1024
_PIECE = 16_384
_MOST_HOPS = 5
_AGENT = f"LiqTrend/{__version__}"


class NewsError(Exception):
    """A provider did not deliver; the message holds no address and no key."""


class _Deadline:
    """Of one request, with the connection that waits for its answer."""

    def __init__(self) -> None:
        self._sock: socket.socket | None = None
        self._over = False
        self._changing = threading.Lock()

    def waits(self, sock: socket.socket | None) -> None:
        """:raises TimeoutError: it is over already"""
        with self._changing:
            if self._over:
                raise TimeoutError
            self._sock = sock

    def end(self) -> None:
        """Whoever waits finds the connection closed."""
        with self._changing:
            self._over = True
            if self._sock is not None:
                with suppress(OSError):  # the other side closed it in the same moment
                    # Not as an encrypted socket does it, which says goodbye first.
                    socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def met(self) -> None:
        """The answer is complete; its connection may be used again."""
        with self._changing:
            self._sock = None


class _Current(threading.local):
    """What this thread is doing."""

    deadline: _Deadline | None = None


_current = _Current()


class _Plain(HTTPConnection):
    def getresponse(self) -> Any:
        if _current.deadline is not None:
            _current.deadline.waits(self.sock)
        return super().getresponse()


class _Encrypted(HTTPSConnection):
    def getresponse(self) -> Any:
        if _current.deadline is not None:
            _current.deadline.waits(self.sock)
        return super().getresponse()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _EncryptedPool(HTTPSConnectionPool):
    ConnectionCls = _Encrypted


_POOLS = {"http": _PlainPool, "https": _EncryptedPool}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _Session(requests.Session):
    def resolve_redirects(self, *_args: Any, **_kwargs: Any) -> Iterator[Any]:
        """Requests would read all that a redirecting server sends; ``get`` follows by itself."""
        return iter(())


def new_session() -> requests.Session:
    """:return: one whose connections can be cut off while they wait"""
    session = _Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session


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
    :param session: of ``new_session``
    :param timeout_s: for everything; a server that trickles is cut off
    :param redirects: False where a header holds a key, which must go to nobody else
    :return: status, headers, body
    :raises NewsError: unreachable, too slow, too large
    """
    deadline_s = time.monotonic() + timeout_s
    headers = {"User-Agent": _AGENT, **(headers or {})}
    try:
        with _cut_off(timeout_s):
            for _ in range(_MOST_HOPS):
                with session.get(
                    url,
                    headers=headers,
                    params=params,
                    timeout=timeout_s,
                    stream=True,
                    allow_redirects=False,
                ) as answer:
                    if not (redirects and answer.is_redirect):
                        return answer.status_code, answer.headers, _body(answer, deadline_s)
                    url, params = urljoin(answer.url, answer.headers["Location"]), None
            raise NewsError("too many redirects")
    except _TooSlow:
        raise NewsError(f"no complete answer within {timeout_s:g} s") from None
    except requests.Timeout:
        raise NewsError(f"no answer within {timeout_s:g} s") from None
    except (requests.RequestException, HTTPError, OSError) as error:
        if time.monotonic() > deadline_s:
            raise NewsError(f"no complete answer within {timeout_s:g} s") from None
        # Their texts quote addresses with everything in them.
        raise NewsError(type(error).__name__) from None


class _TooSlow(Exception):
    """The answer was not complete in time."""


def _body(answer: requests.Response, deadline_s: float) -> bytes:
    body = bytearray()
    for piece in answer.iter_content(_PIECE):
        body += piece
        if len(body) > _MAX_BYTES:
            raise NewsError(f"answer of more than {_MAX_BYTES // 2**20} MB")
        if time.monotonic() > deadline_s:
            raise _TooSlow
    if time.monotonic() > deadline_s:
        raise _TooSlow  # what has no length ends like this when it is cut off
    return bytes(body)


@contextmanager
def _cut_off(timeout_s: float) -> Iterator[None]:
    """A timeout of ``requests`` is for each piece; this one is for all of them together."""
    deadline = _current.deadline = _Deadline()
    timer = threading.Timer(timeout_s, deadline.end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        _current.deadline = None
        timer.cancel()
        deadline.met()
