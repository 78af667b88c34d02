"""A GET ends in time, whatever the other side does."""

import asyncio
import gzip
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web

from liq_provider.news import http, reach
from liq_provider.news.http import NewsError, get
from tests.integration.telegram_api import NAME, make_certificate


class Server:
    """Sends a text to whoever connects, piece by piece, until nobody listens any more."""

    def __init__(self, first: bytes, piece: bytes, every_s: float = 0.05) -> None:
        self._sends = first, piece, every_s
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/feed"
        self.gone = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        first, piece, every_s = self._sends
        while not self._ended.is_set():
            with suppress(OSError):
                connection, _ = self._listening.accept()
                with connection:
                    connection.sendall(self._answer(connection.recv(4_096)) or first)
                    while piece and not self._ended.wait(every_s):
                        connection.sendall(piece)
                self.gone.set()
            self.gone.set()

    def _answer(self, asked: bytes) -> bytes:
        """:return: instead of what it always sends"""
        return b""

    def close(self) -> None:
        self._ended.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)
        assert not self._thread.is_alive()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
TRICKLES = {
    "a body of known length": (HEAD + b"Content-Length: 100000\r\n\r\n", b"x"),
    "a body until the end": (HEAD + b"\r\n", b"x"),
    "a body in chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "headers": (HEAD, b"X-Header: x\r\n"),
    "a header without an end": (HEAD + b"X-Header: ", b"x"),
    "a status line": (b"HTTP/1.1 200 ", b"O"),
}


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    server = Server(*TRICKLES[request.param])
    yield server
    server.close()


@pytest.mark.parametrize("server", TRICKLES, indirect=True)
async def test_a_server_that_trickles_is_cut_off(server: Server) -> None:
    begun_s = time.monotonic()
    with pytest.raises(NewsError, match=r"no complete answer within 0.5"):
        await get(server.url, 0.5)
    # It would have gone on for an hour, each piece well within the timeout.
    assert time.monotonic() - begun_s < 10
    assert server.gone.wait(10), "the connection is closed"


async def test_an_answer_in_time_is_whole() -> None:
    server = Server(HEAD + b"Content-Length: 5\r\n\r\nwhole", b"")
    try:
        for _ in range(2):
            answer = await get(server.url, 20)
            assert (answer.status, answer.headers["content-type"]) == (200, "text/xml")
            assert (answer.host, answer.body) == ("127.0.0.1", b"whole")
    finally:
        server.close()


async def test_an_answer_without_an_end_is_cut_off_by_its_size() -> None:
    server = Server(HEAD + b"\r\n", b"x" * 1_000_000, every_s=0)
    try:
        with pytest.raises(NewsError, match="more than 4 MB"):
            await get(server.url, 30)
        assert server.gone.wait(10)
    finally:
        server.close()


PACKED = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"


async def test_what_is_packed_grows_only_to_the_limit() -> None:
    bomb = gzip.compress(bytes(200_000_000), 9)  # a thousandth of it
    server = Server(PACKED % len(bomb) + bomb, b"")
    try:
        tracemalloc.start()
        with pytest.raises(NewsError, match="more than 4 MB"):
            await get(server.url, 60)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()
        server.close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (PACKED % 9 + b"not a gzip", "cannot be unpacked"),
        (PACKED % 20 + gzip.compress(b"whole" * 100)[:20], "cut off"),
        (HEAD + b"Content-Encoding: gzip, gzip\r\nContent-Length: 1\r\n\r\nx", "not asked for"),
        (HEAD + b"Content-Encoding: br\r\nContent-Length: 1\r\n\r\nx", "not asked for"),
        (HEAD + b"Content-Length: 100\r\n\r\ntoo short", "RemoteProtocolError"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000, "RemoteProtocolError"),
        (b"SSH-2.0-OpenSSH\r\n", "RemoteProtocolError"),
        (b"", "RemoteProtocolError"),
    ],
)
async def test_an_answer_that_is_none_is_an_error(answer: bytes, reason: str) -> None:
    server = Server(answer, b"")
    try:
        with pytest.raises(NewsError, match=reason):
            await get(server.url, 20)
    finally:
        server.close()


async def test_what_was_packed_is_whole() -> None:
    body = gzip.compress(b"whole" * 1_000)
    server = Server(PACKED % len(body) + body, b"")
    try:
        assert (await get(server.url, 20)).body == b"whole" * 1_000
    finally:
        server.close()


async def test_a_proxy_of_the_environment_is_cut_off_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = Server(*TRICKLES["a body of known length"])
    try:
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", proxy.url)
        begun_s = time.monotonic()
        with pytest.raises(NewsError, match=r"within 0\.5"):
            await get("http://news.example/feed", 0.5)
        assert time.monotonic() - begun_s < 10
    finally:
        proxy.close()


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> Iterator["PublicProxy"]:
    public = PublicProxy()
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", public.url)
    yield public
    public.close()


class PublicProxy(Server):
    """A proxy, through which the public internet is what it says."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.says: dict[str, bytes] = {}
        super().__init__(b"", b"")

    def _answer(self, asked: bytes) -> bytes:
        self.asked.append(asked.split(b" ")[1].decode())
        return self.says[self.asked[-1]]

    def moves(self, url: str, to: str) -> None:
        self.says[url] = f"HTTP/1.1 302 Found\r\nLocation: {to}\r\n\r\n".encode()


FEED = "http://news.example/feed"


async def test_a_redirect_is_followed_and_what_stands_beside_it_is_not_read(
    public: PublicProxy,
) -> None:
    public.moves(FEED, "http://other.example/feed")
    public.says[FEED] += b"x" * 1_000
    public.says["http://other.example/feed"] = HEAD + b"Content-Length: 5\r\n\r\nwhole"
    answer = await get(FEED, 20)
    assert (answer.body, answer.host) == (b"whole", "other.example")


async def test_a_circle_of_redirects_ends(public: PublicProxy) -> None:
    public.moves(FEED, "/feed")
    with pytest.raises(NewsError, match="too many redirects"):
        await get(FEED, 20)
    assert len(public.asked) == 5


PRIVATE = [
    "http://127.0.0.1/",
    "http://127.0.0.1:%d/feed",
    "http://[::1]:%d/feed",
    "http://[::ffff:127.0.0.1]:%d/feed",
    "http://[::ffff:7f00:1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[fe80::1]/",
    "http://[fd00::1]/",
    "http://0.0.0.0:%d/feed",
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/",
    "http://172.17.0.1/",
    "http://192.168.0.1/",
    "http://100.64.0.1/",
    "http://localhost:%d/feed",
    "http://localhost.:%d/feed",
    "http://printer.local/",
    "http://metadata.google.internal/",
    "http://rsshub:1200/",
    "//127.0.0.1/",
    "file:///etc/passwd",
    "ftp://news.example/feed",
    "gopher://127.0.0.1/",
]


@pytest.mark.parametrize("target", PRIVATE)
async def test_no_redirect_leads_into_the_network(public: PublicProxy, target: str) -> None:
    own = Server(HEAD + b"Content-Length: 6\r\n\r\nsecret", b"")
    try:
        public.moves(FEED, target % own.port if "%d" in target else target)
        with pytest.raises(NewsError, match="leads to a private address"):
            await get(FEED, 20)
        assert public.asked == [FEED] and not own.gone.is_set()
        # Nor from one's own server, which is asked because the user wrote its address.
        moved = Server(public.says[FEED], b"")
        try:
            with pytest.raises(NewsError, match="leads to a private address"):
                await get(moved.url, 20)
            assert not own.gone.is_set()
        finally:
            moved.close()
    finally:
        own.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:10.0.0.1", "169.254.169.254"])
async def test_a_public_name_that_leads_to_a_private_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Also when it led elsewhere before: what was looked up is what is connected to."""
    own = Server(HEAD + b"Content-Length: 6\r\n\r\nsecret", b"")
    looked_up: list[str] = []

    async def addresses(host: str) -> list[str]:
        looked_up.append(host)
        return [address]

    monkeypatch.setattr(reach, "_addresses", addresses)
    try:
        for url in (f"http://feeds.example:{own.port}/", f"https://feeds.example:{own.port}/"):
            with pytest.raises(NewsError, match="leads to a private address"):
                await get(url, 20)
        assert looked_up == ["feeds.example"] * 2 and not own.gone.is_set()
    finally:
        own.close()


async def test_the_next_address_of_a_name_is_tried_and_asked_for_the_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bytes] = []

    class Named(Server):
        def _answer(self, said: bytes) -> bytes:
            asked.append(said)
            return b""

    async def addresses(host: str) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    monkeypatch.setattr(reach, "_addresses", addresses)
    monkeypatch.setattr(reach, "is_public", lambda address: True)
    server = Named(HEAD + b"Content-Length: 5\r\n\r\nwhole", b"")
    try:
        answer = await get(f"http://feeds.example:{server.port}/feed", 20)
    finally:
        server.close()
    assert (answer.body, answer.host) == (b"whole", "feeds.example")
    assert f"Host: feeds.example:{server.port}\r\n".encode() in asked[0]


async def test_ways_to_write_an_address_that_only_resolvers_know_are_refused() -> None:
    own = Server(HEAD + b"Content-Length: 6\r\n\r\nsecret", b"")
    try:
        for host in ("127.1", "0x7f.0.0.1", "127.0.0.1.nip.example"):
            with pytest.raises(NewsError, match=r"private address|ConnectError"):
                await get(f"http://{host}:{own.port}/", 20)
        assert not own.gone.is_set()
    finally:
        own.close()


class Encrypted:
    """An encrypted server of a public name that is looked up here."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.location = ""
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate, key)

    async def _serve(self, request: web.Request) -> web.Response:
        if self.location:
            raise web.HTTPFound(self.location)
        return web.Response(text="whole")

    async def __aenter__(self) -> "Encrypted":
        app = web.Application()
        app.router.add_get("/feed", self._serve)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._context).start()
        self.url = f"https://{NAME}:{self._runner.addresses[0][1]}/feed"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


async def test_an_address_that_was_checked_must_still_prove_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def here(host: str) -> list[str]:
        return ["127.0.0.1"]

    monkeypatch.setattr(reach, "_addresses", here)
    monkeypatch.setattr(reach, "is_public", lambda address: True)
    certificate, key = make_certificate(tmp_path)
    async with Encrypted(certificate, key) as server:
        with pytest.raises(NewsError, match="ConnectError"):
            await get(server.url, 20)  # nobody vouches for it
        trusted = ssl.create_default_context(cafile=str(certificate))
        monkeypatch.setattr(http, "trusted", lambda _: trusted)
        assert (await get(server.url, 20)).body == b"whole"
        with pytest.raises(NewsError, match="ConnectError"):
            await get(server.url.replace(NAME, "other.example"), 20)
        server.location = "http://other.example/feed"
        with pytest.raises(NewsError, match="from https to plain http"):
            await get(server.url, 20)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    writer.close()


async def test_a_proxy_of_the_environment_sees_nothing_of_what_is_encrypted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head)
        port = int(head.split()[1].rpartition(":")[2])
        there, thither = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(_pipe(reader, thither), _pipe(there, writer))

    certificate, key = make_certificate(tmp_path)
    trusted = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(http, "trusted", lambda _: trusted)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    proxy = await asyncio.start_server(tunnel, "127.0.0.1", 0)
    async with proxy, Encrypted(certificate, key) as server:
        port = proxy.sockets[0].getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://user:word@127.0.0.1:{port}")
        sent = {"X-Subscription-Token": "planted"}
        assert (await get(server.url, 20, headers=sent)).body == b"whole"
    (head,) = asked
    assert head.startswith(f"CONNECT {NAME}:") and "Proxy-Authorization: Basic" in head
    assert "planted" not in head


def test_addresses_of_the_public_internet_are_public() -> None:
    for address in ("1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"):
        assert reach.is_public(address), address
    for address in ("224.0.0.1", "ff02::1", "255.255.255.255", "198.18.0.1", "nonsense", ""):
        assert not reach.is_public(address), address
