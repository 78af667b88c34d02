"""
Where headlines come from: what the desk asks of a source, and which one the settings name.

Another package adds a source by an entry point of the group ``liqtrend.news``: something that is
called with the settings of the section ``news`` and gives a ``NewsSource``. It is counted like a
source that costs money, asked in the news' own event loop, and cut off by ``news.timeout_s``. What
it sends is as little believed as what strangers send to ours.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from liq_provider.config.sections import NewsSettings
from liq_provider.core import plugins, secret_keys
from liq_provider.core.plaintext import plain
from liq_provider.news.brave import Brave
from liq_provider.news.domains import registered_domain
from liq_provider.news.headline import Entry, NewsItem
from liq_provider.news.http import NewsError
from liq_provider.news.rss import Rss
from liq_provider.news.spelling import Spelling

_MOST_ENTRIES = 500
_MOST_CHARACTERS = 10_000
_REASON_LIMIT = 200

# Asked as often as coins ask; every other one is counted and paid for.
FREE: Final = ("none", "rss")


class NewsSource(Protocol):
    """Finds headlines about a coin."""

    async def find(self, spelling: Spelling) -> Sequence[Entry]:
        """
        :param spelling: of the coin; questions about several may be under way at the same time
        :return: what was found lately, relevant or not; dated, or it does not count
        :raises NewsError: it does not deliver; the message names no key
        """
        ...


def source_of(settings: NewsSettings) -> NewsSource | None:
    """:return: what ``news.provider`` names; None: nobody is asked"""
    if settings.provider == "none":
        return None
    if settings.provider == "brave":
        return Brave(settings.brave_url, secret_keys.key(secret_keys.BRAVE), settings.timeout_s)
    if settings.provider == "rss":
        return Rss(settings.feeds, settings.timeout_s, settings.cache_s)
    return AddedSource(settings)


class AddedSource:
    """
    A source that another package adds, loaded when it is first asked. Whatever it does wrong, it
    did not deliver.
    """

    def __init__(self, settings: NewsSettings) -> None:
        self._settings = settings
        self._source: NewsSource | None = None
        self._problem: str | None = None

    async def find(self, spelling: Spelling) -> list[Entry]:
        """
        :return: what it sent, each entry reduced like those of strangers
        :raises NewsError: whatever went wrong
        """
        if self._problem is None and self._source is None:
            await plugins.contained(self._load, self._not_loaded)
        if self._problem is not None:
            raise NewsError(self._problem)

        async def ask() -> list[Entry]:
            assert self._source is not None
            return _reduced(await self._source.find(spelling), self._settings.provider)

        try:
            return await plugins.contained(ask, NewsError)
        except NewsError as error:
            raise NewsError(_line(str(error))) from None

    async def _load(self) -> None:
        source = plugins.load(plugins.find(plugins.NEWS, self._settings.provider))(self._settings)
        if not callable(getattr(source, "find", None)):
            raise TypeError("what it makes is no source of news")
        self._source = source

    def _not_loaded(self, reason: str) -> NewsError:
        self._problem = _line(f"{self._settings.provider} cannot be loaded ({reason})")
        return NewsError(self._problem)


def _reduced(sent: object, provider: str) -> list[Entry]:
    if not isinstance(sent, list | tuple):
        raise NewsError("an answer that is no list of entries")
    return [_again(entry, provider) for entry in sent[:_MOST_ENTRIES] if isinstance(entry, Entry)]


def _line(text: str) -> str:
    return plain(secret_keys.redact(text), _REASON_LIMIT)


def _again(entry: Entry, provider: str) -> Entry:
    """
    Made by us, so that no text is longer, none speaks to the judge unseen, and domains are what
    somebody registered. What names none is of the provider, whatever it calls itself.
    """
    item = entry.item
    if not isinstance(item, NewsItem):
        return Entry(None, "")
    title, summary, source, origins, link = (
        str(text)[:_MOST_CHARACTERS]
        for text in (item.title, item.summary, item.source, item.origins, entry.link)
    )
    domain = registered_domain(link)
    named = f"{origins} {domain}" if "." in domain else origins
    made = Entry.of(title, summary, "", source, item.published_ms, named)
    if made.item is not None and not made.item.origins:
        made = replace(made, item=replace(made.item, origins=provider))
    return replace(made, link=link, steers=made.steers or bool(entry.steers))
