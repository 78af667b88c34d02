"""
News of a coin when a wave asks for it: cached, rate-limited, dated, told once.

A provider that fails means that news was not asked; it never holds up a verdict for longer
than ``news.timeout_s``.
"""

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Protocol

from liq_provider import keys
from liq_provider.enrich.news.brave import Brave
from liq_provider.enrich.news.http import NewsError
from liq_provider.enrich.news.item import Entry, NewsItem
from liq_provider.enrich.news.rss import Rss
from liq_provider.enrich.news.spelling import Spelling, spelling_of
from liq_provider.judge.rate import Rate
from liq_provider.sections import NewsSettings

logger = logging.getLogger(__name__)

# A publisher's clock may be a little ahead; what is dated later is not believed.
_AHEAD_MS = 60_000
_FAILED_S = 30.0
_HOUR_MS = 3_600_000


class _Provider(Protocol):
    def find(self, spelling: Spelling) -> list[Entry]: ...


@dataclass(frozen=True, slots=True)
class NewsSet:
    """
    What was found about a coin.

    :param items: newest first
    :param key: identifies the set; empty if news was not asked
    :param note: why it was not asked, else empty
    :param steered: others, which are not among the items, spoke to the judge
    """

    items: tuple[NewsItem, ...] = ()
    key: str = ""
    note: str = ""
    steered: bool = False

    @property
    def found(self) -> bool | None:
        """True if there is news, False if there is none, None if it was not asked."""
        return bool(self.items) if self.key else None


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
    :param executor: threads for the provider
    :param keep: is given new items, to be stored; must not block
    """

    def __init__(
        self,
        settings: NewsSettings,
        now_ms: Callable[[], int],
        executor: Executor,
        keep: Callable[[str, Sequence[NewsItem]], None] | None = None,
    ) -> None:
        self.stats = NewsStats()
        self.provider = settings.provider
        self._settings = settings
        self._now_ms = now_ms
        self._executor = executor
        self._keep = keep
        self._source = _source(settings)
        self._rate = Rate(settings.calls_per_minute, 60_000)
        self._cache: dict[str, _Cached] = {}

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
        found = await asyncio.shield(cached.answer)
        if not found.key:
            cached.until_ms = min(cached.until_ms, now_ms + round(_FAILED_S * 1000))
        return found

    async def _ask(self, base_asset: str) -> NewsSet:
        now_ms = self._now_ms()
        if self.provider == "brave" and not self._rate.take(now_ms):
            self.stats.failed += 1
            return NewsSet(note="news was not asked: over news.calls_per_minute")
        self.stats.asked += 1
        spelling = spelling_of(base_asset)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.timeout_s + 1):
                found = await loop.run_in_executor(self._executor, self._find, spelling)
        except (NewsError, TimeoutError) as error:
            self._failed(str(error) or "no answer in time")
            return NewsSet(note=f"news was not asked: {self.stats.error}")
        except Exception as error:
            # What a provider sends is not ours; news is never a reason to have no verdict.
            logger.exception("News (%s) was not understood", self.provider)
            self._failed(f"not understood ({type(error).__name__})")
            return NewsSet(note=f"news was not asked: {self.stats.error}")
        self.stats.error = None
        self.stats.items += len(found.items)
        if self._keep is not None and found.items:
            self._keep(base_asset, found.items)
        return found

    def _find(self, spelling: Spelling) -> NewsSet:
        # In one go: what was found must not queue behind the searches of other coins.
        assert self._source is not None
        items, steered = self._let_through(self._source.find(spelling), spelling)
        if steered:
            logger.warning("News of %s tried to steer the judge: none supports", spelling.symbol)
        return NewsSet(items, set_key(items, steered), steered=steered)

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
        oldest_ms = now_ms - self._settings.max_age_hours * _HOUR_MS
        links: set[str] = set()
        found: dict[str, NewsItem] = {}
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
            elif item.item_id in found or (entry.link and entry.link in links):
                dropped["duplicate"] += 1
            elif entry.steers:
                dropped["speaks to the judge"] += 1
                steered = True
            else:
                found[item.item_id] = item
                links.add(entry.link)
        newest = sorted(found.values(), key=lambda item: (-item.published_ms, item.item_id))
        return tuple(newest[: self._settings.max_items]), steered


def set_key(items: Sequence[NewsItem], steered: bool = False) -> str:
    """:return: identifies a set of news, whatever its order; ``none`` for an empty one"""
    if not items and not steered:
        return "none"
    names = ",".join([*sorted(item.item_id for item in items), *(["steered"] if steered else [])])
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def _source(settings: NewsSettings) -> _Provider | None:
    if settings.provider == "brave":
        return Brave(settings.brave_url, keys.key(keys.BRAVE), settings.timeout_s)
    if settings.provider == "rss":
        return Rss(settings.feeds, settings.timeout_s, settings.cache_s)
    return None
