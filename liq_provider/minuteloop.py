"""Settling one minute after the other, and admitting which of them nobody can know."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

from liq_provider.coverage import CoverageTracker
from liq_provider.errors import StoreError
from liq_provider.ingest import Ingest
from liq_provider.liquidation import MINUTE_MS
from liq_provider.settling import Settled, Settler
from liq_provider.stream import Feed

logger = logging.getLogger(__name__)

# The corrected clock may be set while somebody sleeps.
_LONGEST_SLEEP_S = 1.0


@dataclass(slots=True)
class VenueFeed:
    """
    :param markets: how many the venue lists
    :param markets_error: why its list could not be had
    """

    feed: Feed
    tracker: CoverageTracker
    markets: int = 0
    markets_error: str | None = None

    def covers(self, since_ms: int) -> bool:
        """:return: whether it has been counted as connected without a break"""
        begun_ms = self.tracker.since_ms
        return begun_ms is not None and begun_ms <= since_ms


class MinuteLoop:
    """
    :param executor: the store's single thread
    :param now_ms: exchange time
    :param settle_ms: a minute is settled this long after its close
    :param then: called with every minute that was settled; must not block
    """

    def __init__(
        self,
        venues: Mapping[str, VenueFeed],
        ingest: Ingest,
        settler: Settler,
        executor: Executor,
        now_ms: Callable[[], int],
        settle_ms: int,
        then: Callable[[Settled], None],
    ) -> None:
        self.unsettled = 0
        self.settled_ms = 0
        self.covered: tuple[str, ...] = ()
        self._venues = venues
        self._ingest = ingest
        self._settler = settler
        self._executor = executor
        self._now_ms = now_ms
        self._settle_ms = settle_ms
        self._then = then

    async def run(self) -> None:
        """Settle minutes until cancelled."""
        close_ms = next_close(self._now_ms())
        while True:
            # Venues send up to a second after the trade, so an earlier proof would say less.
            await self._sleep_until(close_ms + self._settle_ms // 2)
            proofs = asyncio.gather(*(v.feed.prove() for v in self._venues.values()))
            await self._sleep_until(close_ms + self._settle_ms)
            await proofs
            settled = await self._settle(close_ms)
            if settled is not None:
                self.covered, self.settled_ms = settled.covered, close_ms
                self._then(settled)
            close_ms = self._after(close_ms)

    async def _settle(self, close_ms: int) -> Settled | None:
        stored = await self._ingest.flush()
        missed = self._ingest.missed(close_ms)
        for name, venue in self._venues.items():
            venue.tracker.seal(close_ms)
            if name in missed:
                logger.error("%s: liquidations of a minute are missing; it is unknown", name)
                venue.tracker.void(close_ms - MINUTE_MS, close_ms)
        if not stored or not await self._make_final(close_ms):
            self._give_up(close_ms - MINUTE_MS, close_ms)
            return None
        loop, now_ms = asyncio.get_running_loop(), self._now_ms()
        try:
            return await loop.run_in_executor(
                self._executor, self._settler.compute, close_ms, now_ms
            )
        except StoreError as error:
            # It is final and known all the same; only nobody traded on it.
            logger.error("Features of the minute before %s: %s", close_ms, error)
            self.unsettled += 1
            return None

    async def _make_final(self, close_ms: int) -> bool:
        coverage = {name: v.tracker.changed() for name, v in self._venues.items()}
        loop, now_ms = asyncio.get_running_loop(), self._now_ms()
        try:
            await loop.run_in_executor(
                self._executor, self._settler.settle, close_ms, coverage, now_ms
            )
        except StoreError as error:
            logger.error("The minute before %s could not be settled: %s", close_ms, error)
            return False
        return True

    def _after(self, close_ms: int) -> int:
        """The next close; after a standstill the minutes in between were known to nobody."""
        following = close_ms + MINUTE_MS
        now_close = next_close(self._now_ms() - self._settle_ms - MINUTE_MS)
        if now_close > following:
            logger.warning("%d minutes were missed", (now_close - following) // MINUTE_MS)
            self._give_up(close_ms, now_close - MINUTE_MS)
            return now_close
        return following

    def _give_up(self, from_ms: int, to_ms: int) -> None:
        self.unsettled += (to_ms - from_ms) // MINUTE_MS
        for venue in self._venues.values():
            venue.tracker.void(from_ms, to_ms)

    async def _sleep_until(self, ms: int) -> None:
        while (left_s := (ms - self._now_ms()) / 1000) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(left_s, _LONGEST_SLEEP_S))


def next_close(ms: int) -> int:
    """:return: the first minute close after ``ms``"""
    return ms - ms % MINUTE_MS + MINUTE_MS
