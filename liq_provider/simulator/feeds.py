"""Liquidation websockets: who is connected, what they subscribed to, what they are sent."""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable

from aiohttp import web

from liq_provider.simulator.faults import GARBAGE, Faults
from liq_provider.simulator.framing import SentFrame, emit_ms_of
from liq_provider.simulator.market import SimulatedMarket
from liq_provider.simulator.played import Played
from liq_provider.venues import VENUES
from liq_provider.venues.frame import Frame

logger = logging.getLogger(__name__)

QUEUE_LIMIT = 10_000
CATCH_UP_MS = 10_000
GARBAGE_EVERY_S = 1.0


class Client:
    """
    One websocket connection.

    :param name: of the venue
    :param wrap: what a frame becomes on its way
    :param dead: accept everything and never send a liquidation
    """

    _numbers = itertools.count(1)

    def __init__(
        self,
        name: str,
        socket: web.WebSocketResponse,
        venue: Played,
        wrap: Callable[[Frame], Frame] | None = None,
        dead: bool = False,
    ) -> None:
        self.name = name
        self.venue = venue
        self.socket = socket
        self.wrap = wrap
        self.dead = dead
        self.topics: set[str] = set()
        self.number = next(self._numbers)
        self.queue: asyncio.Queue[Frame] = asyncio.Queue(QUEUE_LIMIT)
        self.transport: asyncio.BaseTransport | None = None
        self.sent = 0
        self.heard_s = time.monotonic()

    @property
    def conn_id(self) -> str:
        """:return: the connection's name in acknowledgements"""
        return f"sim-{self.number:06d}"

    def wants(self, frame: SentFrame) -> bool:
        """:return: whether this client subscribed to the frame's topic"""
        return not self.dead and frame.topic in self.topics

    def put(self, frame: Frame) -> None:
        """Queue a message; a client that does not read loses its connection."""
        try:
            self.queue.put_nowait(frame)
        except asyncio.QueueFull:
            logger.warning("%s client %d does not read: dropped", self.name, self.number)
            self.abort()

    def abort(self) -> None:
        """Cut the connection without a closing handshake."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    async def send_queued(self) -> None:
        """Send what is queued, for as long as the connection lives."""
        while True:
            frame = await self.queue.get()
            try:
                if isinstance(frame, str):
                    await self.socket.send_str(frame)
                else:
                    await self.socket.send_bytes(frame)
            except ConnectionError:
                return
            self.sent += 1


class FeedHub:
    """Publishes every venue's frames at their time to the clients that want them."""

    def __init__(self, market: SimulatedMarket, faults: Faults, now_ms: Callable[[], int]) -> None:
        """
        :param now_ms: the clock that decides which frames are due
        """
        self.market = market
        self.clients: set[Client] = set()
        self.sent: dict[str, int] = dict.fromkeys(VENUES, 0)
        self._faults = faults
        self._now_ms = now_ms
        self._next: dict[str, int] = {}
        self._late: set[asyncio.TimerHandle] = set()
        self._garbage = itertools.cycle(GARBAGE)
        self._garbage_due_ms = 0

    def drop(self, venue: str) -> int:
        """:return: how many connections of a venue were cut"""
        mine = [client for client in self.clients if client.name == venue]
        for client in mine:
            client.abort()
        return len(mine)

    async def run(self) -> None:
        """Publish until cancelled."""
        now = self._now_ms()
        for name, known in VENUES.items():
            dialect = known.dialect
            self._next[name] = (now - dialect.delay_ms) // dialect.bucket_ms
        try:
            while True:
                due_ms = min(self._due_ms(venue) for venue in VENUES)
                await asyncio.sleep(max(due_ms - self._now_ms(), 1) / 1000)
                for venue in VENUES:
                    self._publish_due(venue)
                self._send_garbage()
        finally:
            for handle in self._late:
                handle.cancel()

    def _due_ms(self, venue: str) -> int:
        return emit_ms_of(venue, self._next[venue])

    def _publish_due(self, venue: str) -> None:
        now = self._now_ms()
        behind_ms = now - self._due_ms(venue)
        if behind_ms > CATCH_UP_MS:  # the machine slept: what nobody could receive is skipped
            self._next[venue] += behind_ms // VENUES[venue].dialect.bucket_ms
        while self._due_ms(venue) <= now:
            bucket = self._next[venue]
            self._next[venue] += 1
            for frame in self.market.frames(venue, bucket):
                self._deliver(frame)

    def _deliver(self, frame: SentFrame) -> None:
        if self._faults.get(frame.venue, "silence") is not None:
            return
        times = 2 if self._faults.get(frame.venue, "duplicate") is not None else 1
        late = self._faults.get(frame.venue, "late")
        for _ in range(times):
            if late is None:
                self._broadcast(frame)
            else:
                self._later(late.delay_s, frame)

    def _later(self, delay_s: float, frame: SentFrame) -> None:
        def fire() -> None:
            self._late.discard(handle)
            self._broadcast(frame)

        handle = asyncio.get_running_loop().call_later(delay_s, fire)
        self._late.add(handle)

    def _broadcast(self, frame: SentFrame) -> None:
        for client in self.clients:
            if client.name == frame.venue and client.wants(frame):
                client.put(frame.payload if client.wrap is None else client.wrap(frame.payload))
                self.sent[frame.venue] += 1

    def _send_garbage(self) -> None:
        now = self._now_ms()
        if now < self._garbage_due_ms:
            return
        self._garbage_due_ms = now + round(GARBAGE_EVERY_S * 1000)
        for client in self.clients:
            if not client.dead and self._faults.get(client.name, "garbage") is not None:
                client.put(next(self._garbage))
