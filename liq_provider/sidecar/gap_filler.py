"""The sidecar's own filling of gaps, in the background and within bounds."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from typing import Any

import requests

from liq_provider.config.settings import Settings
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import DAY_MS, MINUTE_MS
from liq_provider.core.liquidation import minute_of
from liq_provider.errors import FeedError, StoreError
from liq_provider.exchange.venue_rest import fetch_of
from liq_provider.history.fill import (
    SETTLED_MS,
    GapAnswer,
    GapReport,
    ask_gap,
    gaps,
    is_fillable,
)
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from liq_provider.venues import VENUES

logger = logging.getLogger(__name__)

_EVERY_S = 60.0
_GAPS_AT_ONCE = 20
_LOOK_BACK_MS = DAY_MS


@dataclass(slots=True)
class FillStats:
    """
    :param minutes: filled since the start, over all coins
    :param orders: liquidations that came with them
    :param unproven: gaps whose beginning the venue's history does not reach
    """

    minutes: int = 0
    orders: int = 0
    unproven: int = 0
    failures: int = 0
    error: str | None = None


class GapFiller:
    """
    :param since_ms: gaps before this are left to ``liq-provider fill``
    :param store_executor: the store's single thread
    :param asking: threads for REST
    """

    def __init__(
        self,
        writer: Writer,
        reader: Reader,
        settings: Settings,
        since_ms: int,
        now_ms: Callable[[], int],
        store_executor: Executor,
        asking: Executor,
        every_s: float = _EVERY_S,
    ) -> None:
        self.stats = FillStats()
        self._writer, self._reader, self._settings = writer, reader, settings
        self._since_ms, self._now_ms = since_ms, now_ms
        self._store_executor, self._asking = store_executor, asking
        self._every_s = every_s
        self._tried: set[tuple[str, str, Interval]] = set()

    async def run(self) -> None:
        """Look for gaps until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            for venue in self._settings.venues.enabled:
                if is_fillable(venue):
                    await self._fill(venue)

    def report(self) -> Mapping[str, Any]:
        """:return: for the status"""
        return asdict(self.stats)

    async def _fill(self, venue: str) -> None:
        loop, now_ms = asyncio.get_running_loop(), self._now_ms()
        span = Interval(max(self._since_ms, now_ms - _LOOK_BACK_MS), now_ms - SETTLED_MS)
        try:
            due = await loop.run_in_executor(self._asking, self._due, venue, span)
            for base, gap in due:
                answer = await loop.run_in_executor(
                    self._asking, self._ask, venue, base, gap, now_ms
                )
                self._note(
                    await loop.run_in_executor(self._store_executor, answer.store, self._writer)
                )
                self._tried.add((venue, base, gap))
        except (FeedError, StoreError) as error:
            self.stats.failures += 1
            self.stats.error = str(error)
            logger.warning("Filling gaps of %s: %s", venue, error)

    def _ask(self, venue: str, base: str, gap: Interval, now_ms: int) -> GapAnswer:
        with requests.Session() as session:
            fetch = fetch_of(VENUES[venue], self._settings.venues.of(venue), session)
            return ask_gap(self._reader, venue, base, gap, now_ms, fetch)

    def _due(self, venue: str, span: Interval) -> list[tuple[str, Interval]]:
        """Gaps that have ended; a venue without any costs one look at the store."""
        if not _ended(gaps(self._reader, venue, "", span), span):
            return []
        due: list[tuple[str, Interval]] = []
        for base in sorted(self._reader.active(span.start_ms - _LOOK_BACK_MS, span.end_ms)):
            for gap in _ended(gaps(self._reader, venue, base, span), span):
                if (venue, base, gap) not in self._tried:
                    due.append((base, gap))
        return due[:_GAPS_AT_ONCE]

    def _note(self, report: GapReport) -> None:
        if report.filled is None:
            self.stats.unproven += 1
            return
        spans = report.filled.spans
        minutes = sum(span.end_ms - span.start_ms for span in spans) // MINUTE_MS
        self.stats.minutes += minutes
        self.stats.orders += report.filled.orders
        logger.info(
            "%s %s: %d minutes filled from its history, %d liquidations; for baselines only",
            *(report.venue, report.base_asset, minutes, report.filled.orders),
        )


def _ended(missing: list[Interval], span: Interval) -> list[Interval]:
    return [gap for gap in missing if gap.end_ms < minute_of(span.end_ms)]
