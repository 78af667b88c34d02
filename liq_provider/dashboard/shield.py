"""What stands before every request: host, login, and the headers of every answer."""

from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from liq_provider.dashboard.auth import COOKIE, Door
from liq_provider.dashboard.charts import style_sources

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
    :param hosts: names under which the page is asked for; empty for any. On loopback a page of
        somebody else, whose name was made to point here, must not read ours.
    """

    def __init__(self, app: ASGIApp, door: Door, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._door = door
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

        await self._behind(scope, headers)(scope, receive, with_headers)

    def _behind(self, scope: Scope, headers: Headers) -> ASGIApp:
        if self._hosts and _name_of(headers.get("host", "")) not in self._hosts:
            return PlainTextResponse("This page is served to this machine only.", 421)
        path = scope["path"]
        if path != "/" and headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return PlainTextResponse("Another site's page may not ask for this.", 403)
        if path.startswith(_OPEN) or self._door.admits(_cookie(headers), _bearer(headers)):
            return self._app
        if path == "/":
            return RedirectResponse("/login", 303)
        return JSONResponse({"error": "login needed"}, 401)


def _name_of(host: str) -> str:
    name, _, port = host.rpartition(":")
    return (name if name and port.isdigit() else host).strip("[]").lower()


def _cookie(headers: Headers) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if found is None else found.value


def _bearer(headers: Headers) -> str | None:
    kind, _, value = headers.get("authorization", "").partition(" ")
    return value if kind.lower() == "bearer" else None
