"""
One websocket from its handshake to its end: subscribed, read, pinged.

A ping that is answered proves the time at which it was sent, once every frame that had
arrived before the answer was handled.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from liq_provider.core.markets import MarketTable
from liq_provider.errors import FeedError
from liq_provider.stream.handshake import describe, handshake
from liq_provider.stream.time_limits import TimeLimits
from liq_provider.venues.base import Endpoint, Heartbeat, Parsed, Request, Venue
from liq_provider.venues.frame import Frame

logger = logging.getLogger(__name__)

# Other feeds, pings and the service get a turn after so many frames.
_FRAMES_PER_TURN = 200

_REFUSED = "subscription refused: {}"
_NOT_ACKNOWLEDGED = "subscriptions not acknowledged within {:g} s"


@dataclass(frozen=True, slots=True)
class Handlers:
    """
    What a connection calls back; none of them may raise.

    :param frame: a frame arrived; the answer is what it said
    :param proof: everything up to that time was handled (sent_ms, latency_ms)
    :param unheard: coins that were added and not surely heard, from when they were asked for
        until now
    """

    frame: Callable[["Connection", bytes], Parsed]
    proof: Callable[["Connection", int, float], None]
    unheard: Callable[[Mapping[str, int]], None]


class Connection:
    """
    :param url: of the endpoint, or another address that serves the same
    :param markets: what to subscribe to
    :param clock_ms: corrected time
    :ivar session: the venue's reader of this connection
    """

    def __init__(
        self,
        venue: Venue,
        endpoint: Endpoint,
        url: str,
        markets: MarketTable,
        limits: TimeLimits,
        clock_ms: Callable[[], int],
        handlers: Handlers,
    ) -> None:
        self.session = venue.session()
        self._venue = venue
        self._endpoint = endpoint
        self._url = url
        self._markets = markets
        self._known = {market.market_id for market in markets}
        self._added: set[str] = set()
        self._asked_ms: dict[str, int] = {}
        self._open = False
        self._limits = limits
        self._clock_ms = clock_ms
        self._handlers = handlers
        self._ws: ClientConnection | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._missing = 0
        self._unsent = 0
        self._asking = asyncio.Lock()
        self._handled = 0
        self._acknowledged = asyncio.Event()
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
        waits_s = self._limits.open_timeout_s, self._limits.close_timeout_s
        self._ws = await handshake(self._url, self._endpoint.headers, *waits_s)
        self._opened_s = time.monotonic()
        self.since_ms = self._clock_ms()
        requests = self._endpoint.subscribe(self._markets)
        self._missing = sum(request.acks for request in requests)
        self.spawn(self._read(self._ws))
        # Subscribing may take minutes where requests are counted, and the venue wants to hear
        # of us meanwhile.
        if self._venue.heartbeat is not None:
            self.spawn(self._keep_beating(self._venue.heartbeat))
        await self._ask(requests)
        if self._missing == 0:
            self._acknowledged.set()
        if requests:
            await self._until(self._acknowledged.wait(), self._limits.subscribe_timeout_s)
            self.since_ms = self._clock_ms()
        self._open = True
        self.spawn(self._keep_pinging())

    def subscribe(self, markets: MarketTable) -> None:
        """
        Subscribe to the markets that this connection does not know yet; until all that was
        asked for is acknowledged, their coins are ``unheard``. If that takes as long as it may
        take at the beginning, the connection ends, so that they are subscribed to anew. Nothing
        is sent to venues that deliver everything anyway.
        """
        new = [market for market in markets if market.market_id not in self._known]
        if not new or self.ended.done():
            return
        self._known.update(market.market_id for market in new)
        if not self._endpoint.by_market:
            return
        requests = self._endpoint.subscribe(markets.only(new))
        if not requests:
            return
        self._added = {market.market_id for market in new}
        now_ms = self._clock_ms()
        for market in new:
            self._asked_ms.setdefault(market.base_asset, now_ms)
        self._missing += sum(request.acks for request in requests)
        self._unsent += 1
        self._acknowledged.clear()
        self.spawn(self._ask_for_more(requests))

    def subscribe_again(self, markets: MarketTable, error: str) -> None:
        """
        An addition was refused as a whole because of one of its markets. With more than one
        request under way nobody knows which, and only a new connection is sure of all.

        :param markets: without that one
        :param error: what the venue said
        """
        if not self._open or self._missing != 1:
            self.end(_REFUSED.format(error))
            return
        self._known -= self._added
        self.subscribe(markets)
        self._count_answers(1)

    @property
    def unheard(self) -> Set[str]:
        """Coins with a market that was added and is not surely heard yet."""
        return self._asked_ms.keys()

    async def _until(self, condition: Coroutine[Any, Any, Any], timeout_s: float) -> None:
        """Wait for a condition, for the end of the connection, or for too long."""
        waiting: asyncio.Future[Any] = asyncio.ensure_future(condition)
        try:
            await asyncio.wait(
                {waiting, self.ended}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if self.ended.done():
                raise FeedError(self.ended.result())
            if not waiting.done():
                raise FeedError(_NOT_ACKNOWLEDGED.format(timeout_s))
        finally:
            waiting.cancel()

    async def _ask(self, requests: Sequence[Request]) -> None:
        # One addition after the other: requests are counted per connection.
        async with self._asking:
            for request in requests:
                await self.send(request.text)
                if self.ended.done():
                    return
                if request.pause_s:
                    await asyncio.sleep(request.pause_s)

    async def _ask_for_more(self, requests: Sequence[Request]) -> None:
        await self._ask(requests)
        self._unsent -= 1
        # Where nothing is acknowledged, what was asked for is heard from now on.
        self._count_answers(0)
        if self._unsent:
            return  # whoever asks last waits for all
        timeout_s = self._limits.subscribe_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                await self._acknowledged.wait()
        except TimeoutError:
            self.end(_NOT_ACKNOWLEDGED.format(timeout_s))

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
        # Once it is open, a refusal that names a market is followed by ``subscribe_again``.
        if said.error is not None and not (self._open and said.rejected):
            self.end(_REFUSED.format(said.error))
        self._count_answers(said.acknowledged)

    def _count_answers(self, count: int) -> None:
        # Answers do not say what they are answers to; so all that was added is heard only
        # when nothing is under way any more.
        self._missing -= min(count, self._missing)
        if self._missing == 0 and self._unsent == 0:
            self._acknowledged.set()
            self._tell_unheard()

    def _tell_unheard(self) -> None:
        asked_ms, self._asked_ms = self._asked_ms, {}
        if asked_ms:
            self._handlers.unheard(asked_ms)

    async def send(self, frame: Frame) -> None:
        """Send a text or bytes; failing ends the connection."""
        if self._ws is None or self.ended.done():
            return
        try:
            async with asyncio.timeout(self._limits.ping_timeout_s):
                await self._ws.send(frame)
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
            async with asyncio.timeout(self._limits.ping_timeout_s):
                await (await self._ws.ping())
        except TimeoutError:
            self.end(f"no answer to a ping within {self._limits.ping_timeout_s:g} s")
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
            await asyncio.sleep(self._limits.ping_interval_s)

    async def _keep_beating(self, heartbeat: Heartbeat) -> None:
        while True:
            await asyncio.sleep(heartbeat.every_s)
            await self.send(heartbeat.text())

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
            self._tell_unheard()

    async def close(self) -> None:
        """Stop all work and say goodbye, for ``close_timeout_s`` at most."""
        self.end("closed by us")
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._ws is not None:
            await self._ws.close()
