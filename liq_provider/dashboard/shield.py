"""What stands before every request: host, login, and the headers of every answer."""

import asyncio
import logging
import traceback
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from liq_provider.dashboard.auth import COOKIE, Door
from liq_provider.dashboard.charts import style_sources
from liq_provider.dashboard.connection_limits import TRUSTED
from liq_provider.dashboard.token_guesses import Guesses, OncePerMinute, client_of

logger = logging.getLogger(__name__)
logger.addFilter(OncePerMinute())

# Nothing but our own files; no inline script, no frame, no form to elsewhere, and no inline
# style but those of the chart library. Its heat maps are images that the script makes.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' {styles}; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
_OPEN = ("/login", "/static/")


class Shield:
    """
    :param door: who may look
    :param guesses: wrong tokens so far, of each client
    :param ending: set when what still runs is to be given up
    :param hosts: names under which the page is asked for; empty for any. On loopback a page of
        somebody else, whose name was made to point here, must not read ours.
    """

    def __init__(
        self,
        app: ASGIApp,
        door: Door,
        guesses: Guesses,
        ending: asyncio.Event,
        hosts: Collection[str] = (),
    ) -> None:
        self._app = app
        self._door = door
        self._guesses = guesses
        self._ending = ending
        self._hosts = hosts
        policy = _POLICY.format(styles=style_sources())
        self._headers = {"Content-Security-Policy": policy, **_HEADERS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    answer[name] = value
                answer.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._behind(scope, headers)(scope, receive, with_headers)
        except ClientDisconnect:
            # Whoever breaks off gets no answer, and the log no line.
            return
        except asyncio.CancelledError:
            if not self._ending.is_set():
                raise
        except Exception as error:
            # Answered with 500 already; a fault of ours, of which one line a minute is enough.
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
            logger.error("The page failed on a request: %s at %s", type(error).__name__, where)
            logger.debug("Where the page failed", exc_info=error)

    def _behind(self, scope: Scope, headers: Headers) -> ASGIApp:
        if self._hosts and _name_of(headers.get("host", "")) not in self._hosts:
            return PlainTextResponse("This page is served to this machine only.", 421)
        path, bearer = scope["path"], _bearer(headers)
        if path != "/" and _of_another_site(headers):
            return PlainTextResponse("Another site's page may not ask for this.", 403)
        admitted = self._door.admits(_cookie(headers), bearer)
        if admitted:
            scope.setdefault("state", {})[TRUSTED] = True
        if admitted or path.startswith(_OPEN):
            return self._app
        address = scope["client"][0] if scope["client"] else None
        if bearer is not None and not self._guesses.wrong(client_of(address)):
            return too_many()
        if path == "/":
            return RedirectResponse("/login", 303)
        return JSONResponse({"error": "login needed"}, 401)


def too_many() -> JSONResponse:
    """:return: what a client is told that sent too many wrong tokens"""
    headers = {"Retry-After": "60", "Connection": "close"}
    return JSONResponse({"error": "too many wrong tokens; wait a minute"}, 429, headers)


def _of_another_site(headers: Headers) -> bool:
    """Browsers say where a request comes from; older ones only by ``Origin``."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
    except ValueError:
        return True


def _name_of(host: str) -> str:
    name, _, port = host.rpartition(":")
    return (name if name and port.isdigit() else host).strip("[]").lower()


def _cookie(headers: Headers) -> str | None:
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if cookie is None else cookie.value


def _bearer(headers: Headers) -> str | None:
    kind, _, value = headers.get("authorization", "").partition(" ")
    return value if kind.lower() == "bearer" else None
