"""Headlines from RSS and Atom feeds; needs no key."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from liq_provider.core.plaintext import plain
from liq_provider.news.domains import origins
from liq_provider.news.feed_process import Story, read_feed
from liq_provider.news.headline import Entry
from liq_provider.news.http import NewsError, get
from liq_provider.news.reach import is_own
from liq_provider.news.spelling import Spelling

logger = logging.getLogger(__name__)

_KINDS = ("text/", "application/octet-stream")


@dataclass(slots=True)
class _Feed:
    url: str
    entries: list[Entry] = field(default_factory=list)
    etag: str = ""
    modified: str = ""
    failed: int = 0
    error: str | None = None

    @property
    def name(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.netloc}{parts.path}".rstrip("/")


class Rss:
    """
    All feeds are fetched together, at most every ``cache_s``; each has ``timeout_s`` to be
    fetched and read, and what one does is nothing to the others.
    """

    def __init__(self, urls: Sequence[str], timeout_s: float, cache_s: float) -> None:
        self._feeds = [_Feed(url) for url in urls]
        self._timeout_s = timeout_s
        self._cache_s = cache_s
        self._lock = asyncio.Lock()
        self._fetched_s: float | None = None

    async def find(self, spelling: Spelling) -> list[Entry]:
        """
        :return: what the feeds hold, relevant or not
        :raises NewsError: none of them delivered
        """
        async with self._lock:
            now_s = time.monotonic()
            if self._fetched_s is None or now_s - self._fetched_s >= self._cache_s:
                await asyncio.gather(*map(self._fetch, self._feeds))
                self._fetched_s = time.monotonic()
            failed = [feed.error for feed in self._feeds if feed.error is not None]
            if len(failed) == len(self._feeds):
                raise NewsError(f"no feed delivers ({failed[0]})" if failed else "no feeds")
            return [entry for feed in self._feeds for entry in feed.entries]

    def report(self) -> dict[str, Any]:
        """:return: what became of each feed, by its address"""
        return {
            feed.name: {"failed": feed.failed, "error": feed.error} for feed in list(self._feeds)
        }

    async def _fetch(self, feed: _Feed) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._read(feed)
        except NewsError as error:
            self._failed(feed, str(error))
        except TimeoutError:
            self._failed(feed, f"not read within {self._timeout_s:g} s")
        except Exception as error:
            # Hostile answers surprise every reader in its own way; the other feeds go on.
            self._failed(feed, f"not understood ({type(error).__name__})")
        else:
            if feed.error is not None:
                logger.info("The feed %s delivers again", feed.name)
            feed.error = None

    def _failed(self, feed: _Feed, reason: str) -> None:
        # Old headlines are dated; the desk drops them when they are too old.
        if feed.error is None:
            logger.warning("The feed %s: %s", feed.name, reason)
        feed.failed += 1
        feed.error = reason

    async def _read(self, feed: _Feed) -> None:
        headers = {"If-None-Match": feed.etag, "If-Modified-Since": feed.modified}
        answer = await get(
            feed.url,
            self._timeout_s,
            headers={name: value for name, value in headers.items() if value},
        )
        if answer.status == 304:
            return
        if answer.status != 200:
            raise NewsError(f"HTTP {answer.status}")
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind and "xml" not in kind and not kind.startswith(_KINDS):
            raise NewsError(f"not a feed but {plain(kind, 40)}")
        title, stories = await read_feed(answer.body)
        site = title or urlsplit(feed.url).hostname or ""
        feed.entries = [_entry(story, site, feed.url, answer.host) for story in stories]
        feed.etag = answer.headers.get("etag", "")
        feed.modified = answer.headers.get("last-modified", "")


def _entry(story: Story, site: str, feed_url: str, host: str) -> Entry:
    # A feed on the public internet is one source, whatever it names: who may write into it may
    # name anybody. One of the user's own machines collects from others, and tells whom.
    named = [story.link, story.original]
    own = is_own(urlsplit(feed_url).hostname or "")
    delivered = [] if own and any(map(origins, named)) else [feed_url, host]
    return Entry.of(
        story.title,
        story.summary,
        story.link,
        site,
        story.published_ms,
        origins(*named, *delivered),
    )
