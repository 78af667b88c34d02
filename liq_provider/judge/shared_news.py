"""
News that the sidecars of one store share.

What one found serves the others for ``news.cache_s``, so a search is paid for once, and all judge a
wave by the same headlines, which makes it the same question. While the store cannot be reached,
each looks for itself. A few questions to the store are under way at a time: hundreds of coins at
once are no sign that it does not answer, and hold up nothing else that is written.
"""

import asyncio
import hashlib
import logging
import uuid
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import asdict
from typing import Any, Protocol, TypeVar

from liq_provider.config.sections import NewsSettings
from liq_provider.errors import StoreError
from liq_provider.news.desk import NewsSet
from liq_provider.news.headline import NewsItem
from liq_provider.store.shared_headlines import Search, SharedHeadlines
from liq_provider.store.writer import Writer

logger = logging.getLogger(__name__)

_PATIENCE_S = 2.0
_AT_ONCE = 4
_AWAY_S = 1.0  # who waited while it did not answer need not find that out
_LOOK_S = 0.2
_BEYOND_MS = 2_000

_T = TypeVar("_T")


class Desk(Protocol):
    """Where news comes from."""

    async def get(self, base_asset: str) -> NewsSet:
        """:return: news of a coin; never raises"""
        ...


class SharedNews:
    """
    :param desk: of this sidecar
    :param executor: the store's single thread
    :param now_ms: exchange time, which all sidecars share
    """

    def __init__(
        self,
        desk: Desk,
        writer: Writer,
        executor: Executor,
        settings: NewsSettings,
        now_ms: Callable[[], int],
    ) -> None:
        source = hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:12]
        asker = uuid.uuid4().hex
        self.shared = 0
        self._desk = desk
        self._store = SharedHeadlines(lambda: writer.engine, asker, source)
        self._executor = executor
        self._settings = settings
        self._now_ms = now_ms
        self._lease_ms = round(settings.timeout_s * 1000) + _BEYOND_MS
        self._waiting: dict[str, asyncio.Event] = {}
        self._looking: asyncio.Task[None] | None = None
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._away_until_s = 0.0
        self._known: dict[str, tuple[int, asyncio.Task[NewsSet]]] = {}

    async def get(self, base_asset: str) -> NewsSet:
        """:return: news of a coin; never raises"""
        if self._settings.provider == "none":
            return await self._desk.get(base_asset)
        now_ms = self._now_ms()
        self._known = {coin: known for coin, known in self._known.items() if known[0] > now_ms}
        if base_asset not in self._known:
            until_ms = now_ms + round(self._settings.cache_s * 1000)
            self._known[base_asset] = (until_ms, asyncio.create_task(self._get(base_asset)))
        task = self._known[base_asset][1]
        news = await asyncio.shield(task)
        if not news.key and self._known.get(base_asset, (0, None))[1] is task:
            del self._known[base_asset]  # the desk knows when to ask again
        return news

    async def _get(self, base_asset: str) -> NewsSet:
        latest_ms = self._now_ms() + self._lease_ms
        while True:
            now_ms = self._now_ms()
            search = await self._do(
                lambda now_ms=now_ms: self._store.claim(  # type: ignore[misc]
                    base_asset, now_ms, now_ms + self._lease_ms
                )
            )
            if search is None or (search.kind == "asked" and now_ms >= latest_ms):
                return await self._desk.get(base_asset)
            if search.kind == "found":
                return self._heard(base_asset, search)
            if search.kind == "mine":
                return await self._search(base_asset)
            await self._others_search(base_asset)

    async def _others_search(self, base_asset: str) -> None:
        """Wait until who searches has found something, has given up, or his time is over."""
        over = self._waiting.setdefault(base_asset, asyncio.Event())
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        await over.wait()

    async def _look(self) -> None:
        """One look for all that wait."""
        try:
            while self._waiting:
                await asyncio.sleep(_LOOK_S)
                coins, now_ms = list(self._waiting), self._now_ms()
                asked = await self._do(
                    lambda coins=coins, now_ms=now_ms: self._store.asked(coins, now_ms)  # type: ignore[misc]
                )
                for coin in coins:
                    if asked is None or coin not in asked:
                        self._waiting.pop(coin).set()
        finally:
            self._looking = None
            for over in self._waiting.values():
                over.set()
            self._waiting.clear()

    async def _search(self, base_asset: str) -> NewsSet:
        news = await self._desk.get(base_asset)
        now_ms = self._now_ms()
        told = _written(news) if news.key else None
        until_ms = now_ms + round(self._settings.cache_s * 1000)
        await self._do(lambda: self._store.tell(base_asset, told, until_ms, now_ms))
        return news

    def _heard(self, base_asset: str, search: Search) -> NewsSet:
        task = asyncio.current_task()
        known = self._known.get(base_asset)
        if task is not None and known is not None and known[1] is task:
            # Asked again when the one who found it asks again.
            self._known[base_asset] = (search.until_ms, task)
        self.shared += 1
        told: dict[str, Any] = search.news
        items = tuple(NewsItem(**item) for item in told["items"])
        key, steered = str(told["key"]), bool(told["steered"])
        return NewsSet(items, key, steered=steered, min_sources=self._settings.min_sources)

    async def _do(self, call: Callable[[], _T]) -> _T | None:
        """:return: None if the store cannot be reached, or could not be a moment ago"""
        loop = asyncio.get_running_loop()
        async with self._turn:
            if loop.time() < self._away_until_s:
                return None
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    return await loop.run_in_executor(self._executor, call)
            except (StoreError, TimeoutError) as error:
                logger.debug("News is not shared: %s", error)
                self._away_until_s = loop.time() + _AWAY_S
                return None


def _written(news: NewsSet) -> dict[str, Any]:
    items = [asdict(item) for item in news.items]
    return {"items": items, "key": news.key, "steered": news.steered}
