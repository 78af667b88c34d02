"""
Between the feeds and the store: a queue that survives a store that does not answer.

Feeds never wait. While the store cannot be written, liquidations go to a bounded file beside
it and are stored, with their own receive times, when it comes back; what does not fit is
counted as lost.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from liq_provider.errors import StoreError
from liq_provider.liquidation import Liquidation
from liq_provider.store.booking import Incoming
from liq_provider.store.writer import Writer

logger = logging.getLogger(__name__)

_BATCH = 5_000


@dataclass(slots=True)
class IngestStats:
    """
    :param stored: new liquidations in the store since the start
    :param booked: them by how they were booked (event, arrival, late, future, small)
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


class Spool:
    """
    A bounded file of liquidations, one JSON object a line.

    :param path: the file; what an earlier run left there is taken up again
    :param max_bytes: more than this is lost
    """

    def __init__(self, path: Path, max_bytes: int = 256 * 1024 * 1024) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self.waiting = sum(1 for _ in self._lines())

    def put(self, items: Sequence[Incoming]) -> int:
        """:return: how many did not fit"""
        lines = [orjson.dumps(asdict(item)) + b"\n" for item in items]
        try:
            room = self._max_bytes - (self._path.stat().st_size if self._path.exists() else 0)
            with self._path.open("ab") as file:
                for stored, line in enumerate(lines):
                    room -= len(line)
                    if room < 0:
                        return len(lines) - stored
                    file.write(line)
                    self.waiting += 1
        except OSError as error:
            logger.error("The spool %s cannot be written: %s", self._path, error)
            return len(lines)
        return 0

    def batches(self) -> Iterator[list[Incoming]]:
        """:return: everything that waits, oldest first"""
        batch: list[Incoming] = []
        for line in self._lines():
            try:
                raw = orjson.loads(line)
                batch.append(Incoming(Liquidation(**raw["liquidation"]), raw["since_ms"]))
            except (orjson.JSONDecodeError, KeyError, TypeError):
                # The process died while it wrote this line.
                logger.warning("A broken line in %s was left out", self._path)
            if len(batch) >= _BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def clear(self) -> None:
        """Everything is in the store."""
        self._path.unlink(missing_ok=True)
        self.waiting = 0

    def _lines(self) -> Iterator[bytes]:
        if self._path.exists():
            with self._path.open("rb") as file:
                yield from file


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
        self._max_queue = max_queue
        self._flushing = asyncio.Lock()

    def put(self, items: Sequence[Liquidation], since_ms: int) -> None:
        """Take liquidations from a feed; never blocks."""
        self._queue.extend(Incoming(item, since_ms) for item in items)
        while len(self._queue) > self._max_queue:
            self._queue.popleft()
            self.stats.lost += 1

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
        async with self._flushing:
            while self._queue or self._spool.waiting:
                batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
                loop = asyncio.get_running_loop()
                if not await loop.run_in_executor(self._executor, self._store, batch):
                    return False
            return True

    def _store(self, batch: list[Incoming]) -> bool:
        try:
            if self._spool.waiting:
                for waiting in self._spool.batches():
                    self._count(waiting)
                self._spool.clear()
            self._count(batch)
        except StoreError as error:
            if self.stats.error is None:
                logger.error("%s. Liquidations wait on disk.", error)
            self.stats.error = str(error)
            self.stats.lost += self._spool.put(batch)
            self.stats.spooled = self._spool.waiting
            return False
        if self.stats.error is not None:
            logger.info("The store takes liquidations again.")
        self.stats.error = None
        self.stats.spooled = 0
        return True

    def _count(self, batch: Sequence[Incoming]) -> None:
        done = self._writer.append(batch)
        self.stats.stored += done.inserted
        self.stats.duplicates += done.duplicates
        self.stats.booked.update(done.booked)
