"""One headline, reduced to what may go further: title, source, age, a short summary."""

import hashlib
import re
from dataclasses import dataclass
from operator import index
from urllib.parse import urlsplit

from liq_provider.core.plaintext import plain
from liq_provider.news.domains import origins as domains_of
from liq_provider.news.steering import steers

TITLE_LIMIT = 200
SUMMARY_LIMIT = 200
_SOURCE_LIMIT = 60
_PLACES_LIMIT = 10_000
_ORIGINS_LIMIT = 1_000


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
        published_ms: float | None,
        origins: str = "",
    ) -> "Entry":
        """
        Nothing of it is to be trusted.

        :param url: its domain counts as one of the origins
        :param published_ms: a whole number; None if it has no readable date
        :param origins: names of hosts or addresses, between blanks; see ``NewsItem``
        """
        title = plain(title, TITLE_LIMIT)
        letters = re.sub(r"\W+", "", title.casefold())
        at_ms = _whole(published_ms)
        if not letters or at_ms is None:
            return cls(None, _link(url))
        item = NewsItem(
            hashlib.sha256(letters.encode()).hexdigest()[:16],
            title,
            plain(source, _SOURCE_LIMIT),
            plain(summary, SUMMARY_LIMIT),
            at_ms,
            _domains(origins, url),
        )
        # Each by itself: two honest texts must not make an order where they meet.
        return cls(item, _link(url), any(map(steers, (item.title, item.source, item.summary))))


def _whole(time_ms: object) -> int | None:
    if isinstance(time_ms, bool):
        return None
    if isinstance(time_ms, float):
        return int(time_ms) if time_ms.is_integer() else None
    try:
        return index(time_ms)  # type: ignore[arg-type]
    except TypeError:
        return None


def _domains(places: str, url: str) -> str:
    """However they are written; a name that was cut off would be that of somebody else."""
    named = re.split(r"[\s,;]+", plain(places, _PLACES_LIMIT))
    domains = domains_of(*named, url if "://" in url else "")
    if len(domains) <= _ORIGINS_LIMIT:
        return domains
    return domains[: _ORIGINS_LIMIT + 1].rpartition(" ")[0] or domains[:_ORIGINS_LIMIT]


def _link(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.netloc.lower()}{parts.path.rstrip('/')}"
