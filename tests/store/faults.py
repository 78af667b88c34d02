"""Stores that do not answer, for real: stopped, half open, silent, or on a mount that hangs."""

import contextlib
import ctypes
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

# From <sys/fanotify.h>
_FAN_CLASS_CONTENT, _FAN_CLOEXEC = 0x4, 0x1
_FAN_MARK_ADD, _FAN_OPEN_PERM, _FAN_EVENT_ON_CHILD = 0x1, 0x10000, 0x08000000
_AT_FDCWD = -100


def new_database(address: str, name: str) -> str:
    """:return: URL of a new, empty database of a server"""
    engine = create_engine(f"{address}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{address}/{name}"


@contextmanager
def stopped(address: str) -> Iterator[None]:
    """The server's processes are stopped; its sockets go on to be open."""
    port = make_url(address).port
    listening = [
        entry.pid
        for entry in psutil.net_connections("tcp")
        if entry.status == psutil.CONN_LISTEN and entry.laddr.port == port
    ]
    master = psutil.Process(next(pid for pid in listening if pid))
    processes = [master, *master.children(recursive=True)]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)


@contextmanager
def silent_server() -> Iterator[str]:
    """:return: URL of a store whose server accepts connections and never says a word"""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"postgresql+psycopg://liq@127.0.0.1:{server.getsockname()[1]}/liq"


class Proxy:
    """Passes bytes on; connections that are cut stay open and carry nothing any more."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._server]
        self._era = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.getsockname()[1])

    def cut(self) -> None:
        """Connections that exist become half open; new ones work."""
        self._era += 1

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._sockets += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        era = self._era
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if era == self._era:
                    target.sendall(data)
            if era == self._era:
                target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """All of it ends."""
        for opened in self._sockets:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()


@contextmanager
def hung(directory: Path) -> Iterator[None]:
    """
    Whoever opens a file of the directory waits in the kernel, as on a mount whose server is
    gone: nobody answers the question whether it may be opened. It needs root.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fanotify_mark.argtypes = [
        *(ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p)
    ]
    watcher = libc.fanotify_init(_FAN_CLASS_CONTENT | _FAN_CLOEXEC, os.O_RDONLY)
    if watcher < 0:
        pytest.skip("a directory that hangs needs fanotify, and so root")
    mask = _FAN_OPEN_PERM | _FAN_EVENT_ON_CHILD
    try:
        if libc.fanotify_mark(watcher, _FAN_MARK_ADD, mask, _AT_FDCWD, bytes(directory)) < 0:
            pytest.skip("this file system has no fanotify permission events")
        yield
    finally:
        os.close(watcher)  # and everybody goes on
