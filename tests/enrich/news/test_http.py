"""A GET ends in time, whatever the other side does."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from liq_provider.enrich.news.http import NewsError, get, new_session


class Server:
    """Sends a text to whoever connects, piece by piece, until nobody listens any more."""

    def __init__(self, first: bytes, piece: bytes, every_s: float = 0.05) -> None:
        self._sends = first, piece, every_s
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/feed"
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
                    connection.recv(4_096)
                    connection.sendall(first)
                    while piece and not self._ended.wait(every_s):
                        connection.sendall(piece)
                self.gone.set()
            self.gone.set()

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
    found = Server(*TRICKLES[request.param])
    yield found
    found.close()


@pytest.mark.parametrize("server", TRICKLES, indirect=True)
def test_a_server_that_trickles_is_cut_off(server: Server) -> None:
    begun_s = time.monotonic()
    with new_session() as session, pytest.raises(NewsError, match=r"no complete answer within 0.5"):
        get(session, server.url, 0.5)
    # It would have gone on for an hour, each piece well within the timeout.
    assert time.monotonic() - begun_s < 10
    assert server.gone.wait(10), "the connection is closed"


def test_an_answer_in_time_is_whole_and_its_connection_is_not_cut_off_later() -> None:
    server = Server(HEAD + b"Content-Length: 5\r\n\r\nwhole", b"")
    try:
        with new_session() as session:
            for _ in range(2):
                status, headers, body = get(session, server.url, 0.3)
                assert (status, headers["Content-Type"], body) == (200, "text/xml", b"whole")
                time.sleep(0.4)
    finally:
        server.close()


def test_a_proxy_of_the_environment_is_cut_off_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Server(*TRICKLES["a body of known length"])
    try:
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", proxy.url)
        begun_s = time.monotonic()
        with new_session() as session, pytest.raises(NewsError, match=r"within 0\.5"):
            get(session, "http://news.example/feed", 0.5)
        assert time.monotonic() - begun_s < 10
    finally:
        proxy.close()


def test_what_a_redirecting_server_sends_beside_is_not_read() -> None:
    target = Server(HEAD + b"Content-Length: 5\r\n\r\nwhole", b"")
    moved = b"HTTP/1.1 302 Found\r\nLocation: " + target.url.encode() + b"\r\n\r\n"
    gate = Server(moved, b"x" * 10_000)
    try:
        with new_session() as session:
            assert get(session, gate.url, 5.0)[2] == b"whole"
            assert gate.gone.wait(10), "the first connection is closed"
    finally:
        gate.close()
        target.close()


def test_a_circle_of_redirects_ends() -> None:
    circle = Server(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nConnection: close\r\n\r\n", b"")
    try:
        with new_session() as session, pytest.raises(NewsError, match="too many redirects"):
            get(session, circle.url, 5.0)
    finally:
        circle.close()
