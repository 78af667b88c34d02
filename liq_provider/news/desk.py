"""
News of a coin when a wave asks for it: cached, rate-limited, dated, told once.

A provider that fails means that news was not asked; it never holds up a verdict for much longer
than ``news.timeout_s``.
"""

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from liq_provider.config.sections import NewsSettings
from liq_provider.core.durations import HOUR_MS, MINUTE_MS
from liq_provider.core.own_loop import OwnLoop
from liq_provider.core.rate import Rate
from liq_provider.news.allowance import Allowance
from liq_provider.news.headline import Entry, NewsItem
from liq_provider.news.http import NewsError
from liq_provider.news.independence import independent
from liq_provider.news.news_source import FREE, source_of
from liq_provider.news.rss import Rss
from liq_provider.news.spelling import Spelling, spelling_of

logger = logging.getLogger(__name__)

# A publisher's clock may be a little ahead; what is dated later is not believed.
_AHEAD_MS = MINUTE_MS
_FAILED_S = 30.0
_END_S = 1.0


@dataclass(frozen=True, slots=True)
class NewsSet:
    """
    What was found about a coin.

    :param items: newest first
    :param key: identifies the set; empty if news was not asked
    :param note: why it was not asked, else empty
    :param steered: others, which are not among the items, spoke to the judge
    :param min_sources: it supports a wave only if so many independent sources carry it
    """

    items: tuple[NewsItem, ...] = ()
    key: str = ""
    note: str = ""
    steered: bool = False
    min_sources: int = 2

    @property
    def found(self) -> bool | None:
        """True if there is news, False if there is none, None if it was not asked."""
        return bool(self.items) if self.key else None

    @property
    def sources(self) -> int:
        """How many independent sources it has."""
        return independent(self.items)

    @property
    def uncarried(self) -> str | None:
        """By how few sources, if by too few to support a wave; None if by enough."""
        count = self.sources
        if count >= self.min_sources:
            return None
        return f"by {count} source{'' if count == 1 else 's'}"


NOT_ASKED = NewsSet(note="no news source")


@dataclass(slots=True)
class NewsStats:
    """
    :param dropped: items that were not let through, by reason
    """

    asked: int = 0
    failed: int = 0
    items: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    error: str | None = None


@dataclass(slots=True)
class _Cached:
    until_ms: int
    answer: "asyncio.Task[NewsSet]"


class NewsDesk:
    """
    Asks and reads in an event loop of its own; call it from any other.

    :param allowance: of a provider that costs money; without one it is not asked
    :param keep: is given new items, to be stored; must not block
    """

    def __init__(
        self,
        settings: NewsSettings,
        now_ms: Callable[[], int],
        keep: Callable[[str, Sequence[NewsItem]], None] | None = None,
        allowance: Allowance | None = None,
    ) -> None:
        self.stats = NewsStats()
        self.provider = settings.provider
        self._settings = settings
        self._now_ms = now_ms
        self._keep = keep
        self._allowance = allowance
        # What strangers send is read beside the feeds of exchanges, not among them.
        self._own = OwnLoop("news")
        self._source = source_of(settings)
        self._rate = Rate(settings.calls_per_minute, MINUTE_MS)
        self._cache: dict[str, _Cached] = {}

    async def close(self) -> None:
        """Give up what is being asked."""
        await self._own.finish(_END_S)
        await self._own.close()

    def report(self) -> dict[str, Any]:
        """:return: what becomes of each feed, and what of the day's budget is spent"""
        allowance = self._allowance
        return {
            "feeds": self._source.report() if isinstance(self._source, Rss) else {},
            "budget": None if allowance is None else allowance.report(self._now_ms()),
        }

    async def get(self, base_asset: str) -> NewsSet:
        """:return: news of a coin; never raises"""
        if self._source is None:
            return NOT_ASKED
        now_ms = self._now_ms()
        cached = self._cache.get(base_asset)
        if cached is None or cached.until_ms <= now_ms:
            self._cache = {k: v for k, v in self._cache.items() if v.until_ms > now_ms}
            task = asyncio.create_task(self._ask(base_asset))
            cached = _Cached(now_ms + round(self._settings.cache_s * 1000), task)
            self._cache[base_asset] = cached
        news = await asyncio.shield(cached.answer)
        if not news.key:
            cached.until_ms = min(cached.until_ms, now_ms + round(_FAILED_S * 1000))
        return news

    async def _ask(self, base_asset: str) -> NewsSet:
        refusal = await self._refusal()
        if refusal is not None:
            self._failed(refusal)
            return NewsSet(note=f"news was not asked: {refusal}")
        self.stats.asked += 1
        spelling = spelling_of(base_asset)
        try:
            async with asyncio.timeout(self._settings.timeout_s + 1):
                news = await self._own.call(self._find(spelling))
        except (NewsError, TimeoutError) as error:
            self._failed(str(error) or "no answer in time")
            return NewsSet(note=f"news was not asked: {self.stats.error}")
        except Exception as error:
            # What a provider sends is not ours; news is never a reason to have no verdict.
            logger.exception("News (%s) was not understood", self.provider)
            self._failed(f"not understood ({type(error).__name__})")
            return NewsSet(note=f"news was not asked: {self.stats.error}")
        self.stats.error = None
        self.stats.items += len(news.items)
        if self._keep is not None and news.items:
            self._keep(base_asset, news.items)
        return news

    async def _refusal(self) -> str | None:
        """Why a provider that is paid for may not be asked now."""
        if self.provider in FREE:
            return None
        now_ms = self._now_ms()
        if not self._rate.take(now_ms):
            return "over news.calls_per_minute"
        if self._allowance is None:
            return "nobody counts what it costs"
        return await self._allowance.refusal(now_ms)

    async def _find(self, spelling: Spelling) -> NewsSet:
        assert self._source is not None
        items, steered = self._let_through(await self._source.find(spelling), spelling)
        if steered:
            logger.warning("News of %s tried to steer the judge: none supports", spelling.symbol)
        key = set_key(items, steered)
        return NewsSet(items, key, steered=steered, min_sources=self._settings.min_sources)

    def _failed(self, reason: str) -> None:
        if self.stats.error is None:
            logger.warning("News (%s): %s", self.provider, reason)
        self.stats.failed += 1
        self.stats.error = reason

    def _let_through(
        self, entries: Sequence[Entry], spelling: Spelling
    ) -> tuple[tuple[NewsItem, ...], bool]:
        """:return: the newest that may go further, and whether some spoke to the judge"""
        now_ms, dropped = self._now_ms(), self.stats.dropped
        oldest_ms = now_ms - self._settings.max_age_hours * HOUR_MS
        links: set[str] = set()
        passed: dict[str, NewsItem] = {}
        steered = False
        for entry in entries:
            item = entry.item
            if item is None:
                dropped["undated or empty"] += 1
            elif item.published_ms > now_ms + _AHEAD_MS:
                dropped["from the future"] += 1
            elif item.published_ms < oldest_ms:
                dropped["too old"] += 1
            elif not spelling.in_text(f"{item.title} {item.summary}"):
                dropped["about something else"] += 1
            elif item.item_id in passed or (entry.link and entry.link in links):
                dropped["duplicate"] += 1
            elif entry.steers:
                dropped["speaks to the judge"] += 1
                steered = True
            else:
                passed[item.item_id] = item
                links.add(entry.link)
        newest = sorted(passed.values(), key=lambda item: (-item.published_ms, item.item_id))
        return tuple(newest[: self._settings.max_items]), steered


def set_key(items: Sequence[NewsItem], steered: bool = False) -> str:
    """:return: identifies a set of news, whatever its order; ``none`` for an empty one"""
    if not items and not steered:
        return "none"
    names = ",".join([*sorted(item.item_id for item in items), *(["steered"] if steered else [])])
    return hashlib.sha256(names.encode()).hexdigest()[:16]
