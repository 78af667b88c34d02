"""
Between the feeds and the store: a queue that survives a store that does not answer.

Feeds never wait. While the store cannot be written, liquidations go to a bounded file beside
it and are stored, with their own receive times, when it comes back. What does not fit is
counted as lost, and the minutes it belonged to are reported, so that nobody takes them for
known.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from threading import Lock

from liq_provider.errors import StoreError
from liq_provider.liquidation import Liquidation, minute_of
from liq_provider.store.booking import Incoming
from liq_provider.store.spool import Spool
from liq_provider.store.writer import Writer

logger = logging.getLogger(__name__)

_BATCH = 5_000


@dataclass(slots=True)
class IngestStats:
    """
    :param stored: new liquidations in the store since the start
    :param duplicates: liquidations that the store had already
    :param booked: the new ones by how they were booked (event, arrival, late, future, small)
    :param spooled: waiting on disk
    :param lost: did not fit anywhere
    :param error: why the store cannot be written, None if it can
    """

    stored: int = 0
    duplicates: int = 0
    booked: Counter[str] = field(default_factory=Counter)
    spooled: int = 0
    lost: int = 0
    error: str | None = None


class Ingest:
    """
    :param writer: the store
    :param executor: a single thread, so that appends and settling keep their order
    :param spool: where liquidations wait while the store does not answer
    :param max_queue: liquidations held in memory before they go to the spool
    """

    def __init__(
        self, writer: Writer, executor: Executor, spool: Spool, max_queue: int = 200_000
    ) -> None:
        self.stats = IngestStats(spooled=spool.waiting)
        self._writer = writer
        self._executor = executor
        self._spool = spool
        self._queue: deque[Incoming] = deque()
        self._taken = 0
        self._max_queue = max_queue
        self._flushing = asyncio.Lock()
        self._missed: set[tuple[str, int]] = set()
        # Losses are counted by the feeds' thread and by the executor's.
        self._counting = Lock()

    def put(self, items: Sequence[Liquidation], since_ms: int) -> None:
        """Take liquidations from a feed; never blocks."""
        room = self._max_queue - len(self._queue)
        if room < len(items):
            # What waits already is nearer to the store than what comes now.
            self._lose(Incoming(item, since_ms) for item in items[max(0, room) :])
            items = items[: max(0, room)]
        self._queue.extend([Incoming(item, since_ms) for item in items])

    async def run(self, interval_s: float = 0.2) -> None:
        """Store what arrives, until cancelled; what is queued then is still stored."""
        try:
            while True:
                await asyncio.sleep(interval_s)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> bool:
        """
        Store everything that was queued before this call.

        :return: False if the store did not take it
        """
        until = self._taken + len(self._queue)
        loop = asyncio.get_running_loop()
        async with self._flushing:
            while self._taken < until or self._spool.waiting:
                # The thread takes the batch itself: a cancelled call loses nothing.
                if not await loop.run_in_executor(self._executor, self._store):
                    return False
            return True

    def missed(self, close_ms: int) -> set[str]:
        """
        Say, once, which venues' minutes are incomplete because something was lost or came too
        late to count.

        :param close_ms: close of the minute that is being settled
        :return: venues of which that minute is not known
        """
        minute_ms = minute_of(close_ms - 1)
        with self._counting:
            missed = {venue for venue, minute in self._missed if minute == minute_ms}
            # Later minutes are asked about later; earlier ones are settled and stay as they are.
            self._missed = {found for found in self._missed if found[1] > minute_ms}
        return missed

    def _store(self) -> bool:
        """Runs in the executor's thread."""
        batch: list[Incoming] = []
        try:
            self._drain_spool()
            batch = self._pop(_BATCH)
            self._append(batch)
        except StoreError as error:
            if self.stats.error is None:
                logger.error("%s. Liquidations wait on disk.", error)
            self.stats.error = str(error)
            # All of it: the next attempt may have to wait for somebody's lock again.
            self._to_spool(batch + self._pop(self._max_queue))
            return False
        if self.stats.error is not None:
            logger.info("The store takes liquidations again.")
        self.stats.error = None
        return True

    def _drain_spool(self) -> None:
        while self._spool.waiting:
            self._append(self._spool.take(_BATCH))
            broken = self._spool.taken()
            with self._counting:
                self.stats.lost += broken
        self.stats.spooled = 0

    def _pop(self, count: int) -> list[Incoming]:
        batch = [self._queue.popleft() for _ in range(min(count, len(self._queue)))]
        self._taken += len(batch)
        return batch

    def _append(self, batch: Sequence[Incoming]) -> None:
        done = self._writer.append(batch)
        self.stats.stored += done.inserted
        self.stats.duplicates += done.duplicates
        self.stats.booked.update(done.booked)
        with self._counting:
            self._missed |= done.missed

    def _to_spool(self, items: Sequence[Incoming]) -> None:
        self._lose(items[self._spool.put(items) :])
        self.stats.spooled = self._spool.waiting

    def _lose(self, items: Iterable[Incoming]) -> None:
        with self._counting:
            for incoming in items:
                item = incoming.liquidation
                self.stats.lost += 1
                self._missed.add((item.venue, minute_of(item.event_ms)))
                self._missed.add((item.venue, minute_of(item.received_ms)))
