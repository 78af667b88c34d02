"""
Connections of the page: few for each client, and none that takes its time.

A server without these can be held by anybody who opens connections and sends a byte now and
then. What a connection is allowed depends on whether it showed a token (or needed none): one
that did is never ended to make room for others.
"""

import asyncio
import logging
import time
from collections import Counter
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from liq_provider.dashboard.token_guesses import OncePerMinute, client_of

# Each connection is a file that the store lacks.
CONNECTIONS = 96
STRANGERS_PER_CLIENT = 12

# Until a request's headers are read, until its body is, until it is answered (a picture of a
# pair waits for an exchange), and how long an answer that nobody reads is kept.
HEADERS_S = 10.0
BODY_S = 10.0
ANSWER_S = 45.0
UNREAD_S = 15.0
_SWEEP_S = 0.5

# What the shield notes in a request's scope for its connection.
TRUSTED = "trusted"
ENDLESS = "endless"

logger = logging.getLogger(__name__)
logger.addFilter(OncePerMinute())


class Bounded(H11Protocol):
    """One connection that knows since when it is waiting for what."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The library has a line for each bad request; ours lets one a minute pass.
        self.logger = logger
        self.peer = "unknown"
        self.opened_s = time.monotonic()
        self.trusted = False
        self._phase: tuple[str, int] = ("headers", 0)
        self._phase_s = self.opened_s
        self._unread_s: float | None = None

    def connection_made(self, transport: Any) -> None:
        """Make room for it, at the cost of those who showed no token."""
        super().connection_made(transport)
        self.peer = client_of(self.client[0] if self.client else None)
        others = [other for other in _open(self.connections) if other is not self]
        mine = [other for other in others if other.peer == self.peer and not other.is_trusted()]
        if len(mine) >= STRANGERS_PER_CLIENT:
            _oldest(mine).end("more connections at once than one client may have; its oldest ends")
        elif len(others) >= CONNECTIONS:
            strangers = [other for other in others if not other.is_trusted()]
            if strangers:
                _of_busiest(strangers).end("all connections are taken; a stranger's ends")
            else:
                self.end("all connections are taken by known clients")

    def is_trusted(self) -> bool:
        """:return: whether a request on it was admitted"""
        if not self.trusted and self.scope is not None:
            self.trusted = bool(self.scope["state"].get(TRUSTED))
        return self.trusted

    def look(self, now_s: float) -> None:
        """End it if it takes longer than it may."""
        phase = self._now_in()
        if phase != self._phase:
            self._phase, self._phase_s = phase, now_s
        since_s = now_s - self._phase_s
        if self.flow is not None and self.flow.write_paused:
            self._unread_s = self._unread_s or now_s
            if now_s - self._unread_s > UNREAD_S:
                self.end("an answer that nobody reads ends")
        else:
            self._unread_s = None
        if phase[0] == "headers" and since_s > HEADERS_S:
            self.end("a request whose headers do not come ends")
        elif phase[0] == "body" and since_s > BODY_S:
            self.end("a request whose body does not come ends")
        elif phase[0] == "answer" and since_s > ANSWER_S:
            self.end("a request that takes too long ends")

    def end(self, why: str) -> None:
        """Drop it, with whatever was not sent yet."""
        if not self.transport.is_closing():
            logger.info("Dashboard: " + why)
            self.transport.abort()

    def _now_in(self) -> tuple[str, int]:
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return "headers", id(cycle)
        if cycle.more_body:
            return "body", id(cycle)
        endless = self.scope["state"].get(ENDLESS)
        return "stream" if endless else "answer", id(cycle)


async def sweep(connections: Any) -> None:
    """
    End what takes too long; runs until it is cancelled.

    :param connections: the server's set of them
    """
    while True:
        await asyncio.sleep(_SWEEP_S)
        now_s = time.monotonic()
        for connection in _open(connections):
            connection.look(now_s)


def _open(connections: Any) -> list[Bounded]:
    return [
        connection
        for connection in list(connections)
        if connection.transport is not None and not connection.transport.is_closing()
    ]


def _oldest(connections: list[Bounded]) -> Bounded:
    return min(connections, key=lambda connection: connection.opened_s)


def _of_busiest(connections: list[Bounded]) -> Bounded:
    """:return: the oldest of whoever has most of them"""
    count = Counter(connection.peer for connection in connections)
    return min(connections, key=lambda one: (-count[one.peer], one.opened_s))
