"""Headlines from the news search of Brave; needs ``BRAVE_API_KEY``."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from liq_provider.core import secret_keys
from liq_provider.news.domains import origins
from liq_provider.news.headline import Entry
from liq_provider.news.http import NewsError, get
from liq_provider.news.spelling import Spelling

_COUNT = 30


class Brave:
    """
    :param key: None if it is not set, which is said at every question
    """

    def __init__(self, url: str, key: str | None, timeout_s: float) -> None:
        self._url = url
        self._key = key
        self._timeout_s = timeout_s

    async def find(self, spelling: Spelling) -> list[Entry]:
        """
        :return: what was found of the last day, relevant or not
        :raises NewsError: Brave did not deliver
        """
        if self._key is None:
            raise NewsError("BRAVE_API_KEY is not set")
        if not secret_keys.may_travel(self._url):
            raise NewsError("news.brave_url is plain http; no key travels unencrypted")
        parameters: dict[str, str | int] = {
            "q": spelling.query(),
            "count": _COUNT,
            "freshness": "pd",
            "spellcheck": 0,
        }
        if not (self._key.isascii() and self._key.isprintable()):
            raise NewsError("BRAVE_API_KEY is no key")
        answer = await get(
            self._url,
            self._timeout_s,
            headers={"Accept": "application/json", "X-Subscription-Token": self._key},
            params=parameters,
            redirects=False,
            proxied=secret_keys.may_be_proxied(self._url),
        )
        if answer.status != 200:
            raise NewsError(_STATUS.get(answer.status, f"HTTP {answer.status}"))
        try:
            results = json.loads(answer.body)["results"][:_COUNT]
            return [_entry(result) for result in results if isinstance(result, Mapping)]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise NewsError("an answer that is none of Brave's") from None


_STATUS = {
    401: "BRAVE_API_KEY is refused (HTTP 401)",
    403: "BRAVE_API_KEY is refused (HTTP 403)",
    422: "BRAVE_API_KEY is refused (HTTP 422)",
    429: "too many requests (HTTP 429)",
}


def _entry(result: Mapping[str, Any]) -> Entry:
    url = _text(result.get("url"))
    site = result.get("meta_url")
    host = _text(site.get("hostname")) if isinstance(site, Mapping) else ""
    return Entry.of(
        _text(result.get("title")),
        _text(result.get("description")),
        url,
        host or _host(url),
        _time_ms(result.get("page_age")),
        origins(url, host),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _time_ms(value: Any) -> int | None:
    """``age`` ("2 hours ago") is too coarse to be compared; only ``page_age`` counts."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
