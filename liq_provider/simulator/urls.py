"""Addresses and configuration that make Freqtrade, ccxt and our feeds use the simulator."""

from typing import Any
from urllib.parse import urlsplit

from liq_provider.core.markets import types_asked
from liq_provider.venues import VENUES

# The demo's bot trades on this one: its REST is the only one that has all that Freqtrade asks for.
_BOT_EXCHANGE = "binance"


def ws_url(base_url: str, venue: str) -> str:
    """
    :param base_url: such as ``http://127.0.0.1:18900``
    :return: address of the first of the venue's liquidation websockets
    """
    parts = urlsplit(VENUES[venue].endpoints[0].url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return "ws" + rest_url(base_url, venue).removeprefix("http") + path


def rest_url(base_url: str, venue: str) -> str:
    """:return: base address of the venue's REST"""
    return base_url + VENUES[venue].dialect.prefix


def ccxt_urls(base_url: str, venue: str) -> dict[str, str]:
    """:return: the value of ccxt's ``urls["api"]``, with every key of the venue"""
    paths = VENUES[venue].dialect.ccxt_paths
    return {name: rest_url(base_url, venue) + path for name, path in paths.items()}


def ccxt_config(base_url: str, venue: str) -> dict[str, Any]:
    """:return: what to construct the venue's ccxt class with"""
    return {
        "enableRateLimit": False,
        "options": {
            "fetchMarkets": {"types": types_asked(VENUES[venue].markets.fetch_types)},
            "fetchCurrencies": False,
            "defaultType": "swap",
        },
        "urls": {"api": ccxt_urls(base_url, venue)},
    }


def freqtrade_exchange_config(base_url: str) -> dict[str, Any]:
    """:return: the section ``exchange`` of a Freqtrade configuration, without the pairs"""
    return {
        "name": _BOT_EXCHANGE,
        "key": "",
        "secret": "",
        "enable_ws": False,
        "only_from_ccxt": True,
        "ccxt_config": ccxt_config(base_url, _BOT_EXCHANGE),
    }


def venue_urls(base_url: str) -> dict[str, dict[str, str]]:
    """:return: websocket and REST address of every venue, for the sidecar's settings"""
    return {
        venue: {"url": ws_url(base_url, venue), "rest_url": rest_url(base_url, venue)}
        for venue in VENUES
    }
