"""Headlines from RSS and Atom feeds; needs no key."""

import calendar
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import feedparser

from liq_provider.enrich.news.http import NewsError, get, new_session
from liq_provider.enrich.news.item import Entry
from liq_provider.enrich.news.spelling import Spelling


@dataclass(slots=True)
class _Feed:
    url: str
    entries: list[Entry] = field(default_factory=list)
    etag: str = ""
    modified: str = ""
    error: str | None = None


class Rss:
    """
    All feeds are fetched together, at most every ``cache_s``. Blocks; run it in a thread.
    """

    def __init__(self, urls: Sequence[str], timeout_s: float, cache_s: float) -> None:
        self._feeds = [_Feed(url) for url in urls]
        self._timeout_s = timeout_s
        self._cache_s = cache_s
        self._session = new_session()
        self._lock = Lock()
        self._fetched_s: float | None = None

    def find(self, spelling: Spelling) -> list[Entry]:
        """
        :return: what the feeds hold, relevant or not
        :raises NewsError: none of them delivered
        """
        with self._lock:
            now_s = time.monotonic()
            if self._fetched_s is None or now_s - self._fetched_s >= self._cache_s:
                self._fetch_all()
                self._fetched_s = now_s
            failed = [feed.error for feed in self._feeds if feed.error is not None]
            if len(failed) == len(self._feeds):
                raise NewsError(f"no feed delivers ({failed[0]})" if failed else "no feeds")
            return [entry for feed in self._feeds for entry in feed.entries]

    def _fetch_all(self) -> None:
        if self._feeds:
            with ThreadPoolExecutor(len(self._feeds), thread_name_prefix="rss") as threads:
                list(threads.map(self._fetch, self._feeds))

    def _fetch(self, feed: _Feed) -> None:
        headers = {"If-None-Match": feed.etag, "If-Modified-Since": feed.modified}
        try:
            status, answered, body = get(
                self._session,
                feed.url,
                self._timeout_s,
                headers={name: value for name, value in headers.items() if value},
            )
            if status == 304:
                feed.error = None
                return
            if status != 200:
                raise NewsError(f"HTTP {status}")
            parsed = feedparser.parse(body)
            if not parsed.entries and parsed.bozo:
                raise NewsError("not a feed")
            site = str(parsed.feed.get("title") or urlsplit(feed.url).hostname or "")
            entries = [_entry(found, site) for found in parsed.entries]
        except NewsError as error:
            # Old headlines are dated; the desk drops them when they are too old.
            feed.error = str(error)
            return
        except Exception as error:
            # Hostile XML surprises every parser in its own way.
            feed.error = f"not understood ({type(error).__name__})"
            return
        feed.etag, feed.modified = answered.get("ETag", ""), answered.get("Last-Modified", "")
        feed.entries, feed.error = entries, None


def _entry(found: Any, site: str) -> Entry:
    moment = found.get("published_parsed") or found.get("updated_parsed")
    try:
        published_ms = calendar.timegm(moment) * 1000 if moment else None
    except (ValueError, OverflowError, TypeError):
        published_ms = None
    return Entry.of(
        str(found.get("title", "")),
        str(found.get("summary", "")),
        str(found.get("link", "")),
        site,
        published_ms,
    )
