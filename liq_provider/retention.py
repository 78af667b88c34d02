"""Deleting what is older than ``keep_days``, beside everything else that a sidecar does."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from liq_provider.errors import StoreError
from liq_provider.store.pruning import Pruning
from liq_provider.store.writer import Writer

logger = logging.getLogger(__name__)

_DAY_MS = 86_400_000
_EVERY_S = 600.0
# Of the store's time at most a third.
_PAUSE_S = 0.05
_PAUSE = 2.0


class Retention:
    """
    Its steps wait in the line of the store's only writing thread, so whatever is to be written
    waits for one short transaction at most.

    :param keep_days: None to keep everything
    :param serving: is set while the store is open
    :param writing: the store's single thread
    """

    def __init__(
        self,
        keep_days: float | None,
        writer: Writer,
        writing: Executor,
        serving: asyncio.Event,
        now_ms: Callable[[], int],
        every_s: float = _EVERY_S,
    ) -> None:
        self._keep_days = keep_days
        self._writer = writer
        self._writing = writing
        self._serving = serving
        self._now_ms = now_ms
        self._every_s = every_s
        self._deleted = 0
        self._longest_s = 0.0
        self._before_ms: int | None = None

    async def run(self) -> None:
        """Work until it is cancelled."""
        failed = False
        while self._keep_days is not None:
            await self._serving.wait()
            try:
                await self._cut(self._now_ms() - round(self._keep_days * _DAY_MS))
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
            "deleted_rows": self._deleted,
            "longest_ms": round(self._longest_s * 1000),
        }

    async def _cut(self, before_ms: int) -> None:
        loop = asyncio.get_running_loop()
        pruning: Pruning = self._writer.pruning(before_ms)
        try:
            left = True
            while left:
                left = await loop.run_in_executor(self._writing, pruning.step)
                await asyncio.sleep(max(_PAUSE_S, _PAUSE * pruning.last_s))
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
