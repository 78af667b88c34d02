"""One headline, reduced to what may go further: title, source, age, a short summary."""

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from liq_provider.core.plaintext import plain
from liq_provider.news.steering import steers

TITLE_LIMIT = 200
SUMMARY_LIMIT = 200
_SOURCE_LIMIT = 60
_ORIGINS_LIMIT = 600


@dataclass(frozen=True, slots=True)
class NewsItem:
    """
    :param item_id: of its title; the same story in two places is one
    :param published_ms: when it says that it was published
    :param origins: registered domains that delivered it or that it names, between blanks
    """

    item_id: str
    title: str
    source: str
    summary: str
    published_ms: int
    origins: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """
    What a provider delivered, reduced when it came: many coins may look through it.

    :param item: what may go further, None if it is undated or has no title
    :param link: the address without what campaigns and trackers append; empty if there is none
    :param steers: it speaks to the judge instead of about a coin
    """

    item: NewsItem | None
    link: str
    steers: bool = False

    @classmethod
    def of(
        cls,
        title: str,
        summary: str,
        url: str,
        source: str,
        published_ms: int | None,
        origins: str = "",
    ) -> "Entry":
        """
        Nothing of it is to be trusted.

        :param published_ms: None if it has no readable date
        :param origins: see ``NewsItem``
        """
        title = plain(title, TITLE_LIMIT)
        letters = re.sub(r"\W+", "", title.casefold())
        if not letters or published_ms is None:
            return cls(None, _link(url))
        item = NewsItem(
            hashlib.sha256(letters.encode()).hexdigest()[:16],
            title,
            plain(source, _SOURCE_LIMIT),
            plain(summary, SUMMARY_LIMIT),
            published_ms,
            plain(origins, _ORIGINS_LIMIT),
        )
        # Each by itself: two honest texts must not make an order where they meet.
        return cls(item, _link(url), any(map(steers, (item.title, item.source, item.summary))))


def _link(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.netloc.lower()}{parts.path.rstrip('/')}"
