"""One headline, reduced to what may go further: title, source, age, a short summary."""

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from liq_provider.plaintext import plain

TITLE_LIMIT = 200
SUMMARY_LIMIT = 200
_SOURCE_LIMIT = 60


@dataclass(frozen=True, slots=True)
class NewsItem:
    """
    :param item_id: of its title; the same story in two places is one
    :param published_ms: when it says that it was published
    """

    item_id: str
    title: str
    source: str
    summary: str
    published_ms: int


@dataclass(frozen=True, slots=True)
class RawItem:
    """
    What a provider delivered; nothing of it is to be trusted.

    :param published_ms: None if it has no readable date
    """

    title: str
    summary: str
    url: str
    source: str
    published_ms: int | None

    @property
    def link(self) -> str:
        """The address without what campaigns and trackers append."""
        try:
            parts = urlsplit(self.url)
        except ValueError:
            return ""
        return f"{parts.netloc.lower()}{parts.path.rstrip('/')}"

    def item(self) -> NewsItem | None:
        """:return: what may go further, None if it is undated or has no title"""
        title = plain(self.title, TITLE_LIMIT)
        letters = re.sub(r"\W+", "", title.casefold())
        if not letters or self.published_ms is None:
            return None
        return NewsItem(
            hashlib.sha256(letters.encode()).hexdigest()[:16],
            title,
            plain(self.source, _SOURCE_LIMIT),
            plain(self.summary, SUMMARY_LIMIT),
            self.published_ms,
        )
