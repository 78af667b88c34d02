"""What is asked of the venues by REST: their market lists, and by ``history`` their past."""

import time
from collections.abc import Mapping
from typing import Any

import requests

from liq_provider.config.sections import VenueSettings
from liq_provider.core.markets import FetchTypes, Market, markets_from_ccxt, types_asked
from liq_provider.errors import FeedError
from liq_provider.exchange.lean_ccxt import exchange_class
from liq_provider.venues import VENUES, Venue
from liq_provider.venues.rest_history import Fetch

_TIMEOUT_S = 10.0
_PAUSE_S = 0.2  # a tenth of what the venues allow


def ccxt_options(fetch_types: FetchTypes) -> dict[str, Any]:
    """
    :param fetch_types: kinds of markets that are listed
    :return: what to construct a ccxt class with, to ask for public data
    """
    return {
        "timeout": round(_TIMEOUT_S * 1000),
        "enableRateLimit": True,
        "options": {
            "defaultType": "swap",
            "fetchMarkets": {"types": types_asked(fetch_types)},
            "fetchCurrencies": False,
        },
    }


def load_venue_markets(name: str, settings: VenueSettings) -> list[Market]:
    """
    A venue's USD perpetuals. Blocks; run it in a thread.

    :raises ccxt.BaseError: if the venue's REST API cannot be reached
    :raises FeedError: likewise, of a venue that ccxt does not know, or is said to and does not
    """
    venue = VENUES[name]
    if venue.markets.listing is not None:
        with requests.Session() as session:
            return venue.markets.listing(fetch_of(venue, settings, session))
    made = exchange_class(venue.markets.ccxt_id)
    if made is None:
        raise FeedError(f"ccxt has no exchange {venue.markets.ccxt_id!r}")
    exchange = made(ccxt_options(venue.markets.fetch_types))
    # Some would ask for every coin's networks first.
    exchange.has["fetchCurrencies"] = False
    if settings.rest_url:
        _point_to(exchange, settings.rest_url.rstrip("/"))
    return markets_from_ccxt(name, exchange.load_markets(), venue.markets.rules)


def fetch_of(venue: Venue, settings: VenueSettings, session: requests.Session) -> Fetch:
    """:return: asks the venue's REST API, wherever the settings say that it is"""
    base_url = (settings.rest_url or venue.addresses.rest_url).rstrip("/")
    return http_fetch(base_url, session, 0.0 if venue.history is None else venue.history.pause_s)


def http_fetch(base_url: str, session: requests.Session, pause_s: float = 0.0) -> Fetch:
    """
    :param base_url: such as ``https://api.example.com``
    :param pause_s: before each question, if the venue allows fewer than most
    :return: asks for a path with parameters
    """

    def fetch(path: str, parameters: Mapping[str, str]) -> Any:
        time.sleep(max(pause_s, _PAUSE_S))
        try:
            answer = session.get(base_url + path, params=dict(parameters), timeout=_TIMEOUT_S)
            answer.raise_for_status()
            return answer.json()
        except requests.RequestException as error:
            raise FeedError(f"{base_url}: {error}") from None

    return fetch


def _point_to(exchange: Any, base_url: str) -> None:
    """Replace scheme and host of every address, so that nothing else can be asked."""

    def replace(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: replace(part) for key, part in value.items()}
        if isinstance(value, str) and "://" in value:
            rest = value.split("://", 1)[1]
            path = rest[rest.index("/") :] if "/" in rest else ""
            return base_url + path
        return value

    exchange.urls["api"] = replace(exchange.urls["api"])
    # ccxt writes the host of some exchanges into a template of its own.
    exchange.hostname = base_url.split("://", 1)[1]
