"""Breaking off what hangs in a database's client, from another thread."""

import os
import socket
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from sqlalchemy import Engine, event


class Hangup:
    """
    A PostgreSQL server that is stopped, or an address behind which nobody is any more, may keep
    a call for ever: its kernel, or a proxy, goes on acknowledging. Shutting the connection's
    socket ends the call with an error. An SQLite file has no socket; there nothing happens.

    :param engine: whose connections are kept in view from now on
    """

    def __init__(self, engine: Engine) -> None:
        self._connections: WeakSet[Any] = WeakSet()
        if engine.dialect.name == "postgresql":
            # First, as the others already ask the server something.
            event.listen(engine, "connect", self._note, insert=True)

    def __call__(self) -> None:
        """Break off whatever they wait for; the next use connects anew."""
        for connection in list(self._connections):
            # It may be closed in this very moment, so the socket is held by a number of its own.
            with suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as own:
                own.shutdown(socket.SHUT_RDWR)

    def _note(self, connection: Any, _record: Any) -> None:
        self._connections.add(connection)
