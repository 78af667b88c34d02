"""Deleting what is older than ``keep_days``, beside everything else that a sidecar does."""

import asyncio
import logging
from concurrent.futures import Executor
from typing import Any

from liq_provider.core.clock import ExchangeClock, clock_off_words
from liq_provider.core.durations import DAY_MS
from liq_provider.errors import StoreError
from liq_provider.store.pruning import Pruning, newest_ms
from liq_provider.store.writer import Writer

logger = logging.getLogger(__name__)

_EVERY_S = 600.0


class Retention:
    """
    What is deleted is gone for good, so no clock is trusted alone: it must agree with the
    exchange's, and age is counted from the newest that the store holds, if that is older.

    Its steps wait in the line of the store's only writing thread, so whatever is to be written
    waits for one short transaction at most.

    :param keep_days: None to keep everything
    :param writing: the store's single thread
    :param serving: is set while the store is open
    :param max_skew_ms: what the machine's clock may be off the exchange's
    """

    def __init__(
        self,
        keep_days: float | None,
        writer: Writer,
        writing: Executor,
        serving: asyncio.Event,
        clock: ExchangeClock,
        max_skew_ms: float,
        every_s: float = _EVERY_S,
    ) -> None:
        self._keep_days = keep_days
        self._writer = writer
        self._writing = writing
        self._serving = serving
        self._clock = clock
        self._max_skew_ms = max_skew_ms
        self._every_s = every_s
        self._deleted = 0
        self._longest_s = 0.0
        self._before_ms: int | None = None
        self._held_back: str | None = None

    async def run(self) -> None:
        """Work until it is cancelled."""
        failed = False
        while self._keep_days is not None:
            await self._serving.wait()
            try:
                before_ms = await self._cut_ms(round(self._keep_days * DAY_MS))
                if before_ms is not None:
                    await self._cut(before_ms)
                failed = False
            except StoreError as error:
                if not failed:
                    logger.warning("Deleting what is older than keep_days: %s", error)
                failed = True
            await asyncio.sleep(self._every_s)
        await asyncio.Event().wait()

    def report(self) -> dict[str, Any]:
        """:return: for the status"""
        return {
            "keep_days": self._keep_days,
            "before_ms": self._before_ms,
            "held_back": self._held_back,
            "deleted_rows": self._deleted,
            "longest_ms": round(self._longest_s * 1000),
        }

    async def _cut_ms(self, kept_ms: int) -> int | None:
        """:return: up to when may be deleted now, None if that cannot be told"""
        reason = self._clock_problem()
        if reason is not None and reason != self._held_back:
            logger.warning("Nothing is deleted by keep_days: %s.", reason)
        self._held_back = reason
        if reason is not None:
            return None
        loop = asyncio.get_running_loop()
        newest = await loop.run_in_executor(self._writing, newest_ms, self._writer.engine)
        return None if newest is None else min(newest, self._clock.now_ms()) - kept_ms

    def _clock_problem(self) -> str | None:
        skew_ms = self._clock.skew_ms
        if skew_ms is None:
            return "the clock was not compared with the exchange's lately"
        if clock_off_words(skew_ms, self._max_skew_ms) is not None:
            # Without the figure, which is another one every time.
            return "the clock is further off the exchange's than max_skew_ms"
        return None

    async def _cut(self, before_ms: int) -> None:
        loop = asyncio.get_running_loop()
        pruning: Pruning = self._writer.pruning(before_ms)
        try:
            left = True
            while left:
                left = await loop.run_in_executor(self._writing, pruning.step)
                await asyncio.sleep(pruning.pause_s)
        finally:
            gone = sum(pruning.deleted.values())
            self._deleted += gone
            self._longest_s = max(self._longest_s, pruning.longest_s)
        self._before_ms = pruning.before_ms
        if gone:
            logger.info(
                "%d rows were older than %g days; they are deleted, in steps of at most %d ms",
                *(gone, self._keep_days, round(pruning.longest_s * 1000)),
            )
