"""Settling one minute after the other, and admitting which of them nobody can know."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor

from liq_provider.core.coverage import Interval
from liq_provider.core.doubts import Doubt, Doubts, blind
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import minute_of
from liq_provider.errors import StoreError
from liq_provider.measure.minute_results import Settled
from liq_provider.sidecar.ingest import Ingest
from liq_provider.sidecar.settle_minute import Settler
from liq_provider.sidecar.venue_feeds import VenueFeed

logger = logging.getLogger(__name__)

# The corrected clock may be set while somebody sleeps.
_LONGEST_SLEEP_S = 1.0

# Between two attempts to settle a minute in a store that is busy.
_AGAIN_S = 0.5


# Reading the store for so long is of no use any more; through a new connection it may answer.
_HANG_UP_S = 20.0


class SettlingSchedule:
    """
    :param writing: the store's single thread
    :param computing: what a minute brought is read and measured there, so that what comes meanwhile
        is stored; its answer is waited for
    :param now_ms: exchange time
    :param doubts: what this sidecar may have missed
    :param settle_ms: a minute is settled this long after its close
    :param delay_ms: nobody acts on a minute that is settled later than this after its close
    :param then: called with every minute that was settled; must not block
    :param hang_up: breaks off what ``computing`` waits for
    :ivar settling: a minute is due, or is being measured; what can wait does
    """

    def __init__(
        self,
        venues: Mapping[str, VenueFeed],
        ingest: Ingest,
        settler: Settler,
        writing: Executor,
        computing: Executor,
        now_ms: Callable[[], int],
        doubts: Doubts,
        settle_ms: int,
        delay_ms: int,
        then: Callable[[Settled], None],
        hang_up: Callable[[], None] = lambda: None,
    ) -> None:
        self.unsettled = 0
        self.settled_ms = 0
        self.covered: tuple[str, ...] = ()
        self.settling = False
        self._venues = venues
        self._ingest = ingest
        self._settler = settler
        self._writing, self._computing = writing, computing
        self._now_ms = now_ms
        self._doubts = doubts
        self._settle_ms, self._delay_ms = settle_ms, delay_ms
        self._then = then
        self._hang_up = hang_up

    async def run(self) -> None:
        """Settle minutes until cancelled."""
        close_ms = next_close(self._now_ms())
        while True:
            # Venues send up to a second after the trade, so an earlier proof would say less.
            await self._sleep_until(close_ms + self._settle_ms // 2)
            proofs = asyncio.gather(*(v.feed.prove() for v in self._venues.values()))
            await self._sleep_until(close_ms + self._settle_ms)
            await proofs
            self.settling = True
            try:
                settled = await self._settle(close_ms)
            finally:
                self.settling = False
            if settled is not None:
                self.covered, self.settled_ms = settled.covered, close_ms
                self._then(settled)
            close_ms = self._after(close_ms)

    async def _settle(self, close_ms: int) -> Settled | None:
        """
        A store that is busy is asked again for as long as somebody may still act on the minute.
        Later it is given up: nothing was decided on it, so it must not look as if it had been.
        """
        while not await self._make_final(close_ms):
            if self._too_late(close_ms):
                self.unsettled += 1
                return None
            await asyncio.sleep(_AGAIN_S)
        try:
            return await self._computed(close_ms)
        except StoreError as error:
            # It is final and known all the same; only nobody traded on it.
            logger.error("Features of the minute before %s: %s", close_ms, error)
            self.unsettled += 1
            return None

    async def _computed(self, close_ms: int) -> Settled:
        loop, now_ms = asyncio.get_running_loop(), self._now_ms()
        call = loop.run_in_executor(self._computing, self._settler.compute, close_ms, now_ms)
        # Nobody else waits for what it reads, so nobody else would notice that it hangs.
        try:
            while not (await asyncio.wait({call}, timeout=_HANG_UP_S))[0]:
                self._hang_up()
            return call.result()
        finally:
            call.cancel()

    async def _make_final(self, close_ms: int) -> bool:
        """:return: False if the store did not take it, or all that came before"""
        if self._too_late(close_ms) or not await self._ingest.flush():
            return False
        doubts = self._doubts.take(close_ms)
        blinded = blind(doubts, close_ms)
        heard = [
            name
            for name, venue in self._venues.items()
            if name not in blinded and venue.tracker.heard(close_ms)
        ]
        doubts += [
            Doubt(name, base_asset, minute_before(close_ms))
            for name in heard
            for base_asset in self._venues[name].feed.unheard()
        ]
        loop, now_ms = asyncio.get_running_loop(), self._now_ms()
        try:
            await loop.run_in_executor(
                self._writing, self._settler.settle, close_ms, heard, now_ms, doubts
            )
        except BaseException as error:
            self._doubts.put_back(doubts)
            if not isinstance(error, StoreError):
                raise
            logger.error("The minute before %s could not be settled: %s", close_ms, error)
            return False
        return True

    def _too_late(self, close_ms: int) -> bool:
        return self._now_ms() > close_ms + max(self._settle_ms, self._delay_ms)

    def _after(self, close_ms: int) -> int:
        """The next close; after a standstill the minutes in between were known to nobody."""
        following = close_ms + MINUTE_MS
        now_close = next_close(self._now_ms() - self._settle_ms - MINUTE_MS)
        if now_close > following:
            logger.warning("%d minutes were missed", (now_close - following) // MINUTE_MS)
            self.unsettled += (now_close - following) // MINUTE_MS
            return now_close
        return following

    async def _sleep_until(self, ms: int) -> None:
        while (left_s := (ms - self._now_ms()) / 1000) > 0:
            await asyncio.sleep(min(left_s, _LONGEST_SLEEP_S))
            await self.tell_doubts()

    async def tell_doubts(self) -> None:
        """
        Of minutes that were settled before it came up, at once: who dies now must not leave
        them looking known.
        """
        doubts = self._doubts.take(self.settled_ms)
        if not doubts:
            return
        loop, now_ms = asyncio.get_running_loop(), self._now_ms()
        try:
            await loop.run_in_executor(self._writing, self._settler.doubt, doubts, now_ms)
        except BaseException as error:
            self._doubts.put_back(doubts)
            if not isinstance(error, StoreError):
                raise
            logger.debug("Doubts: %s", error)


def minute_before(close_ms: int) -> Interval:
    """:return: the minute that closes then"""
    return Interval(close_ms - MINUTE_MS, close_ms)


def next_close(ms: int) -> int:
    """:return: the first minute close after ``ms``"""
    return minute_of(ms) + MINUTE_MS
