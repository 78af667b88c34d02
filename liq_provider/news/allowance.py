"""
How often a paid source of news may be asked in a day of UTC, and what that costs.

The store counts, so that a restart refills nothing and sidecars that share it spend together. A
request is counted before it is sent. If the store does not answer, it is not sent.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from liq_provider.config.sections import NewsSettings
from liq_provider.core.durations import DAY_MS
from liq_provider.errors import StoreError
from liq_provider.store.news_spending import Spending

Take = Callable[[int, int, float], tuple[bool, Spending]]

OVER = "over news.budget.calls_per_day"
UNKNOWN = "the store does not say what was spent today"


class Allowance:
    """
    :param take: counts one request in the store, by day, limit and price; blocks
    :param executor: where it is called
    :param known: what the store knew at the start
    """

    def __init__(
        self,
        settings: NewsSettings,
        take: Take,
        executor: Executor,
        known: Spending | None = None,
    ) -> None:
        self._limit = settings.budget.calls_per_day
        self._price_usd = settings.price_usd_per_1000 / 1_000
        self._wait_s = settings.timeout_s
        self._take = take
        self._executor = executor
        self._known: Spending | None = known
        self._refused = 0

    async def refusal(self, now_ms: int) -> str | None:
        """:return: why one more request may not be sent; None if it may, and is counted"""
        day = now_ms // DAY_MS
        if self._spent(day).calls >= self._limit:
            self._refused += 1
            return OVER  # counts only grow within a day: no need to ask
        loop = asyncio.get_running_loop()
        call = loop.run_in_executor(self._executor, self._take, day, self._limit, self._price_usd)
        try:
            async with asyncio.timeout(self._wait_s):
                granted, self._known = await call
        except (StoreError, TimeoutError):
            self._refused += 1
            return UNKNOWN
        self._refused += not granted
        return None if granted else OVER

    def report(self, now_ms: int) -> dict[str, Any]:
        """:return: what is spent and what may be"""
        spent = self._spent(now_ms // DAY_MS)
        return {
            "calls_per_day": {"used": spent.calls, "limit": self._limit},
            "usd": round(spent.usd, 6),
            "refused": self._refused,
            "reached": spent.calls >= self._limit,
        }

    def _spent(self, day: int) -> Spending:
        known = self._known
        return known if known is not None and known.day == day else Spending(day, 0, 0.0)
