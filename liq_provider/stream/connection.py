"""
One websocket from its handshake to its end: subscribed, read, pinged.

A ping that is answered proves the time at which it was sent, once every frame that had
arrived before the answer was handled.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from liq_provider.errors import FeedError
from liq_provider.markets import MarketTable
from liq_provider.stream.handshake import describe, handshake
from liq_provider.stream.timing import Timing
from liq_provider.venues.base import Parsed, Venue

logger = logging.getLogger(__name__)

# Other feeds, pings and the service get a turn after so many frames.
_FRAMES_PER_TURN = 200


@dataclass(frozen=True, slots=True)
class Handlers:
    """
    What a connection calls back; none of them may raise.

    :param frame: a frame arrived; the answer is what it said
    :param proof: everything up to that time was handled (sent_ms, latency_ms)
    """

    frame: Callable[["Connection", bytes], Parsed]
    proof: Callable[["Connection", int, float], None]


class Connection:
    """
    :param markets: what to subscribe to
    :param clock_ms: corrected time
    """

    def __init__(
        self,
        venue: Venue,
        url: str,
        markets: MarketTable,
        timing: Timing,
        clock_ms: Callable[[], int],
        handlers: Handlers,
    ) -> None:
        self._venue = venue
        self._url = url
        self._markets = markets
        self._known = {market.market_id for market in markets}
        self._added: set[str] = set()
        self._sent: set[str] = set()
        self._last_asked: set[str] = set()
        self._timing = timing
        self._clock_ms = clock_ms
        self._handlers = handlers
        self._ws: ClientConnection | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._missing = 0
        self._handled = 0
        self._subscribed = asyncio.Event()
        self._opened_s = 0.0
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.since_ms = clock_ms()

    @property
    def age_s(self) -> float:
        """Seconds since the handshake."""
        return time.monotonic() - self._opened_s

    async def open(self) -> None:
        """
        Connect, subscribe, and wait until all subscriptions are acknowledged. ``since_ms`` is
        then the time from which everything is delivered.

        :raises Refusal: if the exchange does not want this client
        :raises FeedError: for everything else that went wrong
        """
        self._ws = await handshake(self._url, self._timing)
        self._opened_s = time.monotonic()
        self.since_ms = self._clock_ms()
        requests = self._venue.subscriptions(self._markets)
        self._sent.update(requests)
        self._missing = len(requests)
        self.spawn(self._read(self._ws))
        for text in requests:
            await self.send(text)
        if requests:
            await self._until(self._subscribed.wait(), self._timing.subscribe_timeout_s)
            self.since_ms = self._clock_ms()
        self.spawn(self._keep_pinging())
        if self._venue.heartbeat_s > 0:
            self.spawn(self._keep_beating())

    def subscribe(self, markets: MarketTable) -> None:
        """
        Subscribe to the markets that this connection does not know yet. Nothing is sent to
        venues that deliver everything anyway.
        """
        new = [market for market in markets if market.market_id not in self._known]
        if not new or self.ended.done():
            return
        self._added = {market.market_id for market in new}
        self._known |= self._added
        requests = self._venue.subscriptions(MarketTable(self._venue.name, new))
        self._last_asked = set(requests)
        for text in requests:
            if text not in self._sent:
                self._sent.add(text)
                self.spawn(self.send(text))

    def subscribe_again(self, markets: MarketTable) -> None:
        """
        The last addition was refused as a whole because of one of its markets.

        :param markets: without that one
        """
        refused, self._last_asked = self._last_asked, set()
        self._known -= self._added
        self.subscribe(markets)
        # What was asked for in vain may be asked for again.
        self._sent -= refused - self._last_asked

    async def _until(self, condition: Coroutine[Any, Any, Any], timeout_s: float) -> None:
        """Wait for a condition, for the end of the connection, or for too long."""
        waiting = asyncio.ensure_future(condition)
        try:
            await asyncio.wait(
                {waiting, self.ended}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if self.ended.done():
                raise FeedError(self.ended.result())
            if not waiting.done():
                raise FeedError(f"subscriptions not acknowledged within {timeout_s:g} s")
        finally:
            waiting.cancel()

    async def _read(self, ws: ClientConnection) -> None:
        while True:
            frame = await ws.recv(decode=False)
            self._handled += 1
            said = self._handlers.frame(self, frame)
            if said.reply is not None:
                self.spawn(self.send(said.reply))
            if self._missing:
                self._note_answer(said)
            if self._handled % _FRAMES_PER_TURN == 0:
                await asyncio.sleep(0)

    def _note_answer(self, said: Parsed) -> None:
        if said.error is not None:
            self.end(f"subscription refused: {said.error}")
        self._missing -= min(said.acknowledged, self._missing)
        if self._missing == 0:
            self._subscribed.set()

    async def send(self, text: str) -> None:
        """Send a text; failing ends the connection."""
        if self._ws is None or self.ended.done():
            return
        try:
            async with asyncio.timeout(self._timing.ping_timeout_s):
                await self._ws.send(text)
        except TimeoutError:
            self.end("the connection takes no more data")
        except ConnectionClosed as error:
            self.end(describe(error))

    async def ping(self) -> None:
        """Send a ping and wait for its answer, which proves the time of sending."""
        if self._ws is None or self.ended.done():
            return
        sent_ms, sent_s = self._clock_ms(), time.monotonic()
        try:
            async with asyncio.timeout(self._timing.ping_timeout_s):
                await (await self._ws.ping())
        except TimeoutError:
            self.end(f"no answer to a ping within {self._timing.ping_timeout_s:g} s")
            return
        except ConnectionClosed as error:
            self.end(describe(error))
            return
        latency_ms = (time.monotonic() - sent_s) * 1000
        # Frames that arrived before the answer may still wait for the reader, which takes
        # them in turns. A turn without a frame means that it has caught up.
        handled = -1
        while handled != self._handled:
            handled = self._handled
            await asyncio.sleep(0)
        self._handlers.proof(self, sent_ms, latency_ms)

    async def prove(self, wait_s: float) -> None:
        """Ping now and wait a little; an answer that comes later proves all the same."""
        task = self.spawn(self.ping())
        await asyncio.wait({task}, timeout=wait_s)

    async def _keep_pinging(self) -> None:
        while True:
            await self.ping()
            await asyncio.sleep(self._timing.ping_interval_s)

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(self._venue.heartbeat_s)
            await self.send(self._venue.heartbeat())

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something for as long as the connection lives; its failure ends it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            return
        if not isinstance(error, ConnectionClosed):
            logger.error("%s: connection failed", self._venue.name, exc_info=error)
        self.end(describe(error))

    def end(self, reason: str) -> None:
        """The connection is of no more use; the first reason counts."""
        if not self.ended.done():
            self.ended.set_result(reason)

    async def close(self) -> None:
        """Stop all work and say goodbye, for ``close_timeout_s`` at most."""
        self.end("closed by us")
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._ws is not None:
            await self._ws.close()
