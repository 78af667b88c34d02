"""
Between the feeds and the store: a queue that survives a store that does not answer.

Feeds never wait. While the store cannot be written, or does not come back from a call,
liquidations go to a bounded file beside it, by a thread of its own, and are stored, with their
own receive times, when it answers again. What fits neither there nor in memory is counted as
lost, and its coin's minutes are put in doubt, so that nobody takes them for known.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import Any

from liq_provider.core.doubts import Doubts
from liq_provider.core.liquidation import Liquidation, minutes_of
from liq_provider.core.one_thread import OneThread
from liq_provider.errors import StoreBusy, StoreError, StoreRefused, StoreUnusable
from liq_provider.sidecar.ingest_stats import IngestStats, Losses
from liq_provider.sidecar.waiting_liquidations import WaitingLiquidations
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.opening import Opening
from liq_provider.store.spool import Spool
from liq_provider.store.writer import Writer

logger = logging.getLogger(__name__)

_BATCH = 5_000
_RETRY_S = 1.0
# A call that takes longer is taken for one that may never return.
_OVERDUE_S = 3.0
_PATIENCE_S = 10.0
_HANG_UP_S = 20.0
_SET_UP_S = 1_800.0
_DISK_S = 1.0
# How often it is seen to meanwhile, or a standstill within would count in full.
_LOOK_S = 0.75
# Who is woken so much later than asked for stood still, and everything with him.
_STOOD_STILL_S = 0.5

_HANGS = "The store does not answer"


class Ingest:
    """
    :param writer: the store
    :param executor: so that appends and settling keep their order; a call in it may never return
    :param spool: where liquidations wait while the store does not answer
    :param doubts: is told what was lost
    :param max_queue: liquidations held in memory, where there is no room on disk either
    :param opening: opens the store; None: the writer is open and stays so
    :param on_another: called, in the feeds' loop, when the store became another one
    :param hang_up: breaks off what the executor's thread waits for
    :ivar serving: set while the store takes liquidations
    """

    def __init__(
        self,
        writer: Writer,
        executor: OneThread,
        spool: Spool,
        doubts: Doubts,
        max_queue: int = 200_000,
        opening: Opening | None = None,
        on_another: Callable[[], None] | None = None,
        hang_up: Callable[[], None] | None = None,
    ) -> None:
        self.stats = IngestStats(spooled=spool.waiting, spool_error=spool.error)
        self.serving = asyncio.Event()
        self._writer = writer
        self._executor = executor
        self._disk = OneThread("spool")
        self._spool = spool
        self._opening = opening
        self._on_another = on_another
        self._hang_up = hang_up
        self._hung_up_s = 0.0
        self._memory = WaitingLiquidations(max_queue)
        self._flushing = asyncio.Lock()
        self._call: asyncio.Future[bool] | None = None
        self._saving: asyncio.Future[None] | None = None
        self._advanced_s = 0.0
        self._told_errors: set[str] = set()
        self._told_replaced = 0
        self._losses = Losses()
        self._doubts = doubts
        # Losses are counted by the feeds' thread and by the executor's.
        self._counting = Lock()

    def put(self, orders: Sequence[Liquidation], since_ms: int) -> None:
        """Take liquidations from a feed; never blocks."""
        too_many = self._memory.put([Incoming(order, since_ms) for order in orders])
        if too_many:
            self._lose(too_many)

    async def run(self, interval_s: float = 0.2) -> None:
        """Store what arrives, until cancelled; what is queued then is still stored."""
        try:
            while True:
                await asyncio.sleep(interval_s)
                stored = await self.flush(patience_s=0.0)
                self._losses.tell(self.stats.lost)
                if not stored:
                    await asyncio.sleep(max(0.0, _RETRY_S - interval_s))
        finally:
            await self.finish()

    async def flush(self, patience_s: float = _PATIENCE_S) -> bool:
        """
        Store everything that was queued before this call.

        :param patience_s: for a call to the store that seems to hang; what waits is on disk
            meanwhile
        :return: False if the store did not take it, or has not said so in time
        :raises LiqError: the store that was there at the start is not for this sidecar
        """
        mark = self._memory.mark()
        async with self._flushing:
            while self._is_behind(mark):
                if not await self._store_some(patience_s):
                    return False
            return True

    async def finish(self, within_s: float = 1.5) -> None:
        """Before the end: what the store does not take now is left on disk."""
        stored = False
        try:
            async with asyncio.timeout(within_s):
                stored = await self.flush(patience_s=0.0)
        except TimeoutError:
            logger.error("%s in time for the end.", _HANGS)
        except Exception as error:
            logger.error("At the end: %s", error)
        if not stored:
            await self._to_disk(within_s)
            if self._memory:
                await self._to_disk(within_s)

    def close(self) -> None:
        """End the disk's thread; what it still writes it may finish."""
        self._disk.shutdown(wait=False)

    def report(self) -> dict[str, Any]:
        """:return: for the status: what became of the liquidations that were received"""
        return self.stats.report(self.in_memory)

    @property
    def in_memory(self) -> int:
        """Liquidations that would be lost if the process were killed now."""
        return self._memory.held

    def _is_behind(self, mark: int) -> bool:
        if self._opening is not None and self._opening.is_due():
            return True
        return self._memory.is_behind(mark) or self._spool.waiting > 0

    # -- the store -----------------------------------------------------------------------

    async def _store_some(self, patience_s: float) -> bool:
        """One call to the store, or what is left of one that has not returned."""
        if self._call is None:
            loop = asyncio.get_running_loop()
            # The thread takes the batch itself: a cancelled call loses nothing.
            self._call = loop.run_in_executor(self._executor, self._store)
            self._advanced_s = time.monotonic()
        call = self._call
        while not call.done():
            overdue_s = self._unanswered_s() - _OVERDUE_S
            if overdue_s >= 0:
                self._failed(_HANGS)
                self.serving.clear()
                await self._to_disk()
                self._break_off()
                if overdue_s >= patience_s:
                    return False
            await self._wait(call, min(-overdue_s, _LOOK_S) if overdue_s < 0 else _RETRY_S)
        self._call = None
        stored = call.result()
        if self._opening is not None and self._opening.refusal is not None:
            raise self._opening.refusal
        if self.stats.replaced != self._told_replaced:
            self._told_replaced = self.stats.replaced
            if self._on_another is not None:
                self._on_another()
        if stored:
            self.serving.set()
        else:
            self.serving.clear()
            # All of it: the next attempt may have to wait for somebody's lock again.
            await self._to_disk()
        return stored

    def _unanswered_s(self) -> float:
        """
        Whoever waits in the line of the store's thread is not unanswered: others are answered.

        :return: for how long the store has given no sign of life
        """
        return min(time.monotonic() - self._advanced_s, self._executor.busy_s)

    async def _wait(self, call: asyncio.Future[bool], timeout_s: float) -> None:
        begun_s = time.monotonic()
        await asyncio.wait({call}, timeout=timeout_s)
        late_s = time.monotonic() - begun_s - timeout_s
        if late_s > _STOOD_STILL_S:
            # As long as this process stood still nobody could have answered it.
            self._advanced_s += late_s

    def _break_off(self) -> None:
        """
        A call that hangs for so long is of no use any more: through a new connection the store
        may answer. Setting up a large store takes its time, and may have it.
        """
        if self._hang_up is None:
            return
        now_s = time.monotonic()
        limit_s = _HANG_UP_S if self._writer.opened else _SET_UP_S
        if min(self._unanswered_s(), now_s - self._hung_up_s) > limit_s:
            self._hung_up_s = now_s
            self._hang_up()

    def _store(self) -> bool:
        """Runs in the executor's thread."""
        try:
            if self._opening is not None and self._opening.ensure():
                self._begin_anew()
            if self._spool.waiting:
                self._drain_spool()
            else:
                self._store_queued()
        except StoreError as error:
            if self._opening is not None and not isinstance(error, StoreBusy):
                self._opening.doubt()
            self._failed(str(error))
            return False
        finally:
            self._memory.give_back()
        if self.stats.error is not None:
            logger.info("The store takes liquidations again.")
        self.stats.error = None
        self._told_errors.clear()
        return True

    def _failed(self, error: str) -> None:
        if error == _HANGS and self.stats.error is not None:
            return  # what was said before tells more
        if error not in self._told_errors:
            logger.error("%s. Liquidations wait on disk.", error)
            self._told_errors.add(error)
        self.stats.error = error

    def _store_queued(self) -> None:
        self._append(self._memory.take(_BATCH))
        self._memory.stored()

    def _drain_spool(self) -> None:
        try:
            waiting = self._spool.take(_BATCH)
        except StoreUnusable:
            # What comes now is not to blame. The error is told all the same: with older ones
            # missing no minute is complete.
            self._store_queued()
            raise
        self._append(waiting.orders, copies=waiting.copies)
        broken = self._spool.taken()
        with self._counting:
            self.stats.lost += broken
        self._note_spool()

    def _append(self, batch: Sequence[Incoming], *, copies: bool = False) -> None:
        try:
            done = self._writer.append(batch)
        except StoreRefused as error:
            # One of them is to blame; the others must not wait for it for ever.
            if len(batch) > 1:
                half = len(batch) // 2
                self._append(batch[:half], copies=copies)
                self._append(batch[half:], copies=copies)
                return
            logger.error("A liquidation is set aside: %s", error)
            self._spool.put_aside(batch[0])
            self._lose(batch)
            self._note_spool()
            return
        now_s = self._advanced_s = time.monotonic()
        self._memory.remember(batch, now_s)
        self.stats.stored += done.inserted
        # A copy that is there already is the order itself.
        self.stats.duplicates += 0 if copies else done.duplicates
        self.stats.booked.update(done.booked)

    def _begin_anew(self) -> None:
        """The store is another one: what the old one took lately is given to it, too."""
        recent = self._memory.put_again()
        self.stats.replaced += 1
        logger.warning("%d liquidations of the last minutes are stored again.", recent)

    # -- disk ----------------------------------------------------------------------------

    async def _to_disk(self, within_s: float = _DISK_S) -> None:
        """Save what is in memory; if the disk does not take it, it stays there."""
        if self._saving is None:
            loop = asyncio.get_running_loop()
            self._saving = loop.run_in_executor(self._disk, self._save)
        await asyncio.wait({self._saving}, timeout=within_s)
        if self._saving.done():
            saving, self._saving = self._saving, None
            saving.result()

    def _save(self) -> None:
        """Runs in the disk's thread."""
        copies, moving = self._memory.move_out()
        saved, copied = 0, False
        try:
            # The call that has them may come back with or without having stored them.
            copied = bool(copies) and self._spool.put(copies, copies=True) == len(copies)
            saved = self._spool.put(moving) if moving else 0
        finally:
            self._memory.moved_out(copies if copied else [], moving[saved:])
            self._note_spool()

    def _note_spool(self) -> None:
        removed = self._spool.removed()
        if removed.lines:
            with self._counting:
                self.stats.lost += removed.lines
            for venue, base_asset, minute_ms in removed.minutes:
                self._doubts.add(venue, base_asset, minute_ms, minute_ms + 1)
        self.stats.spooled = self._spool.waiting
        self.stats.set_aside = self._spool.set_aside
        self.stats.spool_error = self._spool.error

    # -- losses --------------------------------------------------------------------------

    def _lose(self, orders: Iterable[Incoming]) -> None:
        with self._counting:
            for incoming in orders:
                order = incoming.liquidation
                self.stats.lost += 1
                for minute_ms in minutes_of(order):
                    self._doubts.add(order.venue, order.base_asset, minute_ms, minute_ms + 1)
