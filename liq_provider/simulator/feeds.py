"""Liquidation websockets: who is connected, what they subscribed to, what they are sent."""

import asyncio
import itertools
import logging
from collections.abc import Callable

from aiohttp import web

from liq_provider.simulator.dialects import DIALECTS, Frame
from liq_provider.simulator.faults import GARBAGE, Faults
from liq_provider.simulator.market import SimulatedMarket

logger = logging.getLogger(__name__)

QUEUE_LIMIT = 10_000
CATCH_UP_MS = 10_000
GARBAGE_EVERY_S = 1.0


class Client:
    """
    One websocket connection.

    :param wrap: stream name to wrap frames in, as Binance's combined streams do
    :param dead: accept everything and never send a liquidation (Binance's legacy address)
    """

    _numbers = itertools.count(1)

    def __init__(
        self, venue: str, socket: web.WebSocketResponse, wrap: str | None = None, dead: bool = False
    ) -> None:
        self.venue = venue
        self.socket = socket
        self.wrap = wrap
        self.dead = dead
        self.topics: set[str] = set()
        self.number = next(self._numbers)
        self.queue: asyncio.Queue[str] = asyncio.Queue(QUEUE_LIMIT)
        self.transport: asyncio.BaseTransport | None = None
        self.sent = 0

    @property
    def conn_id(self) -> str:
        """:return: the connection's name in acknowledgements"""
        return f"sim-{self.number:06d}"

    def wants(self, frame: Frame) -> bool:
        """:return: whether this client subscribed to the frame's topic"""
        return not self.dead and frame.topic in self.topics

    def put(self, text: str) -> None:
        """Queue a message; a client that does not read loses its connection."""
        try:
            self.queue.put_nowait(text)
        except asyncio.QueueFull:
            logger.warning("%s client %d does not read: dropped", self.venue, self.number)
            self.abort()

    def abort(self) -> None:
        """Cut the connection without a closing handshake."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    async def send_queued(self) -> None:
        """Send what is queued, for as long as the connection lives."""
        while True:
            text = await self.queue.get()
            try:
                await self.socket.send_str(text)
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
        self.sent: dict[str, int] = dict.fromkeys(DIALECTS, 0)
        self._faults = faults
        self._now_ms = now_ms
        self._next: dict[str, int] = {}
        self._late: set[asyncio.TimerHandle] = set()
        self._garbage = itertools.cycle(GARBAGE)
        self._garbage_due_ms = 0

    def drop(self, venue: str) -> int:
        """:return: how many connections of a venue were cut"""
        mine = [client for client in self.clients if client.venue == venue]
        for client in mine:
            client.abort()
        return len(mine)

    async def run(self) -> None:
        """Publish until cancelled."""
        now = self._now_ms()
        for venue, dialect in DIALECTS.items():
            self._next[venue] = (now - dialect.delay_ms) // dialect.bucket_ms
        try:
            while True:
                due_ms = min(self._due_ms(venue) for venue in DIALECTS)
                await asyncio.sleep(max(due_ms - self._now_ms(), 1) / 1000)
                for venue in DIALECTS:
                    self._publish_due(venue)
                self._send_garbage()
        finally:
            for handle in self._late:
                handle.cancel()

    def _due_ms(self, venue: str) -> int:
        dialect = DIALECTS[venue]
        return (self._next[venue] + 1) * dialect.bucket_ms + dialect.delay_ms

    def _publish_due(self, venue: str) -> None:
        now = self._now_ms()
        behind_ms = now - self._due_ms(venue)
        if behind_ms > CATCH_UP_MS:  # the machine slept: what nobody could receive is skipped
            self._next[venue] += behind_ms // DIALECTS[venue].bucket_ms
        while self._due_ms(venue) <= now:
            bucket = self._next[venue]
            self._next[venue] += 1
            for frame in self.market.frames(venue, bucket):
                self._deliver(frame)

    def _deliver(self, frame: Frame) -> None:
        if self._faults.get(frame.venue, "silence") is not None:
            return
        times = 2 if self._faults.get(frame.venue, "duplicate") is not None else 1
        late = self._faults.get(frame.venue, "late")
        for _ in range(times):
            if late is None:
                self._broadcast(frame)
            else:
                self._later(late.delay_s, frame)

    def _later(self, delay_s: float, frame: Frame) -> None:
        def fire() -> None:
            self._late.discard(handle)
            self._broadcast(frame)

        handle = asyncio.get_running_loop().call_later(delay_s, fire)
        self._late.add(handle)

    def _broadcast(self, frame: Frame) -> None:
        for client in self.clients:
            if client.venue == frame.venue and client.wants(frame):
                text = frame.text
                if client.wrap is not None:
                    text = f'{{"stream":"{client.wrap}","data":{text}}}'
                client.put(text)
                self.sent[frame.venue] += 1

    def _send_garbage(self) -> None:
        now = self._now_ms()
        if now < self._garbage_due_ms:
            return
        self._garbage_due_ms = now + round(GARBAGE_EVERY_S * 1000)
        for client in self.clients:
            if not client.dead and self._faults.get(client.venue, "garbage") is not None:
                client.put(next(self._garbage))
