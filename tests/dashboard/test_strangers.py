"""What strangers send to a page that is open to the network, over real sockets."""

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from liq_provider.dashboard import connection_limits
from liq_provider.dashboard.pair_painter import PairPainter
from tests.dashboard.test_page_server import TOKEN, served
from tests.sidecars import until

OWNER = {"Authorization": f"Bearer {TOKEN}"}
SLOW = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\ntoken="


@pytest.fixture(autouse=True)
def locked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIQ_PROVIDER_TOKEN", TOKEN)


@pytest.fixture(autouse=True)
def unsaid() -> Iterator[None]:
    """Each test hears each kind of line anew."""
    for name in ("protocol", "shield"):
        for known in logging.getLogger(f"liq_provider.dashboard.{name}").filters:
            known._said_s.clear()  # type: ignore[union-attr]
    yield


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


async def connect(url: str, from_host: str = "127.0.0.1") -> Any:
    return await asyncio.open_connection("127.0.0.1", port_of(url), local_addr=(from_host, 0))


async def said(url: str, request: bytes, from_host: str = "127.0.0.1") -> bytes:
    """:return: the whole answer, of an endless one its beginning; empty if there is none"""
    reader, writer = await connect(url, from_host)
    writer.write(request)
    answer = b""
    try:
        async with asyncio.timeout(10):
            while b"event-stream" not in answer and (part := await reader.read(65_536)):
                answer += part
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return answer


def session_from(host: str, **options: Any) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(local_addr=(host, 0), limit=0)
    return aiohttp.ClientSession(connector=connector, **options)


def written(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name.startswith(("uvicorn", "liq_prov"))]


def errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Of the page and its server; what is collected meanwhile may be another test's."""
    ours = [r for r in caplog.records if r.name.startswith(("uvicorn", "liq_prov"))]
    return [r for r in ours if r.exc_info or r.levelno >= logging.ERROR]


async def test_wrong_tokens_of_others_do_not_lock_the_owner_out(tmp_path: Path) -> None:
    async with served(tmp_path, host="0.0.0.0") as (_, url, _):
        async with session_from("127.0.0.2") as stranger:
            statuses = []
            for n in range(45):
                headers = {"Authorization": f"Bearer guess {n}"}
                async with stranger.get(f"{url}/pairlist", headers=headers) as answer:
                    statuses.append(answer.status)
            assert statuses == [401] * 30 + [429] * 15
            async with stranger.post(f"{url}/login", data={"token": "guess"}) as answer:
                assert answer.status == 429 and "Retry-After" in answer.headers
        # From elsewhere, and even from the address that a stranger shares with the owner.
        for host in ("127.0.0.1", "127.0.0.2"):
            async with session_from(host) as owner:
                async with owner.get(f"{url}/pairlist", headers=OWNER) as answer:
                    assert answer.status == 200, host
                async with owner.post(
                    f"{url}/login", data={"token": TOKEN}, allow_redirects=False
                ) as answer:
                    assert answer.status == 303 and "Set-Cookie" in answer.headers, host


@pytest.mark.parametrize("hosts", [("127.0.0.1",), tuple(f"127.0.1.{n}" for n in range(1, 71))])
async def test_slow_logins_leave_the_page_reachable(tmp_path: Path, hosts: tuple[str, ...]) -> None:
    async with served(tmp_path, host="0.0.0.0") as (page, url, _):
        slow = []
        for n in range(140):
            reader, writer = await connect(url, hosts[n % len(hosts)])
            writer.write(SLOW)
            slow.append((reader, writer))
        async with session_from("127.0.0.1", headers=OWNER) as owner:
            async with owner.get(f"{url}/pairlist", timeout=aiohttp.ClientTimeout(10)) as answer:
                assert answer.status == 200
            # Nor is the owner's stream ended to make room for those who come later.
            async with owner.get(f"{url}/api/stream") as stream:
                assert await stream.content.readline()
                for n in range(140):
                    reader, writer = await connect(url, hosts[n % len(hosts)])
                    slow.append((reader, writer))
                server: Any = page._server
                await until(
                    lambda: len(server.server_state.connections) <= connection_limits.CONNECTIONS,
                    "the rest is ended",
                )
                before = time.monotonic()
                while time.monotonic() - before < 1.0:
                    assert await asyncio.wait_for(stream.content.readline(), 60)
        for _, writer in slow:
            writer.close()


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (b"", "HEADERS_S"),
        (b"GET / HTTP/1.1\r\nHost:", "HEADERS_S"),
        (b"GET /login HTTP/1.1\r\nHost: x\r\n\r\nGET /login HTTP/1.1\r\nHo", "HEADERS_S"),
        (SLOW.replace(b"\r\n\r\n", b"\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"),
         "BODY_S"),
    ],
)  # fmt: skip
async def test_a_request_that_does_not_come_to_its_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes, name: str
) -> None:
    monkeypatch.setattr(connection_limits, name, 1.0)
    async with served(tmp_path, host="0.0.0.0") as (_, url, _):
        reader, writer = await connect(url)
        writer.write(sent)

        async def trickle() -> None:
            # A byte now and then is no progress.
            while True:
                await asyncio.sleep(0.2)
                writer.write(b"x")

        trickling = asyncio.create_task(trickle()) if sent else None
        try:
            async with asyncio.timeout(15):
                while await reader.read(65_536):
                    pass
        except ConnectionError:
            pass
        finally:
            if trickling is not None:
                trickling.cancel()
            writer.close()


async def test_an_answer_that_nobody_reads_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "UNREAD_S", 1.0)
    async with served(tmp_path, host="0.0.0.0") as (page, url, _):
        _, writer = await connect(url)
        get = f"GET /plotly.js HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        writer.write(get.encode() * 40)
        server: Any = page._server
        await until(lambda: bool(server.server_state.connections), "it is let in")
        await until(lambda: not server.server_state.connections, "it is ended", 20)
        writer.close()


async def test_what_breaks_off_and_what_is_open_at_the_end_leaves_no_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with served(tmp_path, host="0.0.0.0") as (page, url, _):
        for broken in (SLOW, b"GET /api/stream HTTP/1.1\r\nHost: x\r\nAuthori", b"\x16\x03\x01"):
            _, writer = await connect(url)
            writer.write(broken)
            await writer.drain()
            writer.transport.abort()
            writer.close()
        get = f"GET /api/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        streams = []
        for _ in range(5):
            reader, writer = await connect(url)
            writer.write(get.encode())
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            streams.append((reader, writer))
        await page.close()
        for reader, _ in streams[1:]:
            assert b"retry: 2000" in await asyncio.wait_for(reader.read(), 60)
        for _, writer in streams:
            writer.close()
    assert errors(caplog) == []


async def test_what_hangs_holds_up_neither_the_page_nor_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(PairPainter, "draw", lambda *_: str(hangs.wait(120)))
    monkeypatch.setattr("liq_provider.dashboard.blocking_questions._PATIENCE_S", 0.5)
    caplog.set_level(logging.INFO)
    try:
        async with served(tmp_path, host="0.0.0.0") as (page, url, _):
            async with session_from("127.0.0.1", headers=OWNER) as owner:
                pair = f"{url}/api/pair?pair=BTC/USDT:USDT"
                asked = [asyncio.create_task(owner.get(pair)) for _ in range(10)]
                await until(lambda: sum(task.done() for task in asked) == 2, "the rest is told")
                for task in asked:
                    if task.done():
                        assert task.result().status == 503
                async with owner.get(f"{url}/pairlist") as answer:
                    assert answer.status == 200
                begun_s = time.monotonic()
                await page.close()
                assert time.monotonic() - begun_s < 10
                await asyncio.gather(*asked, return_exceptions=True)
    finally:
        hangs.set()
    assert errors(caplog) == []


TARGETS = (
    *("/", "/login", "/plotly.js", "/static/main.js", "/static/", "/static/%00", "/static/../x"),
    *("/api/stream", "/api/record", "/api/pair", "/api/evidence", "/pairlist", "/api/version"),
    *("/nothing", "//", "*", "/%ff%fe", "http://evil.example/login", "/static/" + "a" * 3_000),
)
VALUES = (
    *("", "x", "1e23", "-1", "nan", "inf", "-inf", "9" * 400, "99999999999999999999", "%00"),
    *("%ff", "0x10", "1.5", "BTC", "BTC/USDT:USDT", "BTC%2FUSDT:USDT%00", "%F0%9F%8E%89", "[]"),
    *("'%20OR%201=1--", "..%2F..%2Fetc%2Fpasswd", "%0d%0aSet-Cookie:%20a=b", "true"),
)
PARAMETERS = {
    "/api/record": ("coin", "direction", "start", "at"),
    "/api/pair": ("pair", "hours", "theme"),
    "/pairlist": ("limit",),
    "/api/stream": ("window",),
}
VALID = {
    "coin": "BTC", "direction": "SHORT", "start": "1", "at": "2", "pair": "BTC", "hours": "1",
    "theme": "dark", "limit": "3", "window": "x",
}  # fmt: skip


def requests_of_strangers() -> Iterator[bytes]:
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "NONE"):
        for target in TARGETS:
            yield f"{method} {target} HTTP/1.1\r\nHost: x\r\n".encode()
    for target, names in PARAMETERS.items():
        for name in names:
            for value in VALUES:
                query = "&".join(f"{n}={value if n == name else VALID[n]}" for n in names)
                yield f"GET {target}?{query} HTTP/1.1\r\nHost: x\r\n".encode()
        yield f"GET {target}?{'a=1&' * 500} HTTP/1.1\r\nHost: x\r\n".encode()
    for kind in ("application/json", "multipart/form-data; boundary=x", "text/plain", "\xff", "x"):
        for body in (b"", b"{", b"token=" + b"a" * 9_000, b"token=%ff%00", b"&" * 4_000, b"\xff"):
            head = f"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
            yield head.encode("latin-1") + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    for line in (
        *("Origin: http://evil.example", "Origin: null", "Origin: http://[", "Cookie: liqtrend=x"),
        *("Sec-Fetch-Site: cross-site", "Cookie: \xff=;;", "Authorization: Bearer", "Host: y"),
        *("Transfer-Encoding: chunked", "Transfer-Encoding: x", "Content-Length: -1", "Expect: x"),
        *("Upgrade: websocket\r\nConnection: Upgrade", "Range: bytes=5-1", "A: " + "b" * 20_000),
        *("If-Modified-Since: never", "Range: bytes=0-,0-,0-,0-", "Content-Length: 99999999999999"),
    ):
        for target in ("/login", "/static/main.js", "/pairlist"):
            yield f"POST {target} HTTP/1.1\r\nHost: x\r\n{line}\r\n".encode("latin-1")
            yield f"GET {target} HTTP/1.1\r\nHost: x\r\n{line}\r\n".encode("latin-1")
    yield from (b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"\x00" * 400, b"a" * 70_000)


@pytest.mark.parametrize("known", [False, True], ids=["strangers", "with the token"])
async def test_nothing_that_is_sent_fails_or_fills_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    monkeypatch.setattr("liq_provider.dashboard.app._WRONG_TOKEN_S", 0.0)
    monkeypatch.setattr(PairPainter, "draw", lambda *_: "{}")
    monkeypatch.setattr(connection_limits, "HEADERS_S", 1.0)
    monkeypatch.setattr(connection_limits, "BODY_S", 1.0)
    caplog.set_level(logging.INFO)
    answers: list[tuple[bytes, bytes]] = []
    limit = asyncio.Semaphore(8)

    async def ask(url: str, request: bytes, number: int) -> None:
        extra = f"Authorization: Bearer {TOKEN}\r\n" if known else ""
        if b"\r\n\r\n" not in request:
            request += f"{extra}Connection: close\r\n\r\n".encode()
        async with limit:
            answer = await said(url, request, f"127.0.2.{number % 200 + 1}")
        answers.append((request, answer))

    async with served(tmp_path, host="0.0.0.0") as (_, url, _):
        caplog.clear()
        await asyncio.gather(*(ask(url, r, n) for n, r in enumerate(requests_of_strangers())))
        async with session_from("127.0.0.1", headers=OWNER) as owner:
            async with owner.get(f"{url}/pairlist") as answer:
                assert answer.status == 200
    assert len(answers) > 400
    failed = [pair for pair in answers if pair[1].startswith(b"HTTP/1.1 5")]
    assert failed == []
    answered = [answer for _, answer in answers if answer.startswith(b"HTTP/1.1 4")]
    assert len(answered) > 250
    for request, answer in answers:
        _, _, body = answer.partition(b"\r\n\r\n")
        if answer.startswith(b"HTTP/1.1 4") and not request.startswith(b"HEAD"):
            assert 0 < len(body) < 300 and b"Traceback" not in body, (request[:80], answer)
    lines = written(caplog)
    assert errors(caplog) == []
    assert len(lines) == len(set(lines)) and len(lines) < 12, lines
