"""Addresses and configuration that make Freqtrade, ccxt and our feeds use the simulator."""

from typing import Any

BINANCE_STREAM = "!forceOrder@arr"

# Every address ccxt has for Binance, so that nothing can leave the machine. A test compares
# the names with the installed ccxt's.
_BINANCE_PATHS = {
    "sapi": "/sapi/v1",
    "sapiV2": "/sapi/v2",
    "sapiV3": "/sapi/v3",
    "sapiV4": "/sapi/v4",
    "dapiPublic": "/dapi/v1",
    "dapiPrivate": "/dapi/v1",
    "eapiPublic": "/eapi/v1",
    "eapiPrivate": "/eapi/v1",
    "dapiPrivateV2": "/dapi/v2",
    "dapiData": "/futures/data",
    "fapiPublic": "/fapi/v1",
    "fapiPublicV2": "/fapi/v2",
    "fapiPublicV3": "/fapi/v3",
    "fapiPrivate": "/fapi/v1",
    "fapiPrivateV2": "/fapi/v2",
    "fapiPrivateV3": "/fapi/v3",
    "fapiData": "/futures/data",
    "public": "/api/v3",
    "private": "/api/v3",
    "v1": "/api/v1",
    "papi": "/papi/v1",
    "papiV2": "/papi/v2",
}
_BYBIT_KEYS = ("spot", "futures", "v2", "public", "private")
_MARKET_TYPES = {"binance": "linear", "bybit": "linear", "gate": "swap", "okx": "swap"}
_WS_PATHS = {
    "binance": f"/market/ws/{BINANCE_STREAM}",
    "bybit": "/v5/public/linear",
    "gate": "/v4/ws/usdt",
    "okx": "/ws/v5/public",
}


def ws_url(base_url: str, venue: str) -> str:
    """
    :param base_url: such as ``http://127.0.0.1:18900``
    :return: address of the venue's liquidation websocket
    """
    return "ws" + base_url.removeprefix("http") + _WS_PATHS[venue]


def ccxt_urls(base_url: str, venue: str) -> dict[str, str]:
    """:return: the value of ccxt's ``urls["api"]``, with every key of the venue"""
    if venue == "binance":
        return {name: base_url + path for name, path in _BINANCE_PATHS.items()}
    if venue == "bybit":
        return dict.fromkeys(_BYBIT_KEYS, base_url)
    return {"rest": base_url}


def ccxt_config(base_url: str, venue: str) -> dict[str, Any]:
    """:return: what to construct the venue's ccxt class with"""
    return {
        "enableRateLimit": False,
        "options": {
            "fetchMarkets": {"types": [_MARKET_TYPES[venue]]},
            "fetchCurrencies": False,
            "defaultType": "swap",
        },
        "urls": {"api": ccxt_urls(base_url, venue)},
    }


def freqtrade_exchange_config(base_url: str) -> dict[str, Any]:
    """:return: the section ``exchange`` of a Freqtrade configuration, without the pairs"""
    return {
        "name": "binance",
        "key": "",
        "secret": "",
        "enable_ws": False,
        "only_from_ccxt": True,
        "ccxt_config": ccxt_config(base_url, "binance"),
    }


def venue_urls(base_url: str) -> dict[str, dict[str, str]]:
    """:return: websocket and REST address of every venue, for the sidecar's settings"""
    return {venue: {"url": ws_url(base_url, venue), "rest_url": base_url} for venue in _WS_PATHS}
