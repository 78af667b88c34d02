"""
Addresses of exchanges at which something else is served than a venue's liquidations.

A feed of another market, or one that is dead, connects and acknowledges like the right one. On
the exchanges' own hosts only what is known to be right is taken; hosts that nobody here knows,
such as a relay's, are the user's own word.
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, unquote

from liq_provider.errors import SettingsError

_BINANCE_STREAM = "!forceOrder@arr"


@dataclass(frozen=True, slots=True)
class _Place:
    """
    :param host: pattern of the whole host name
    :param path: pattern of the whole path, its slash at the end left out
    """

    host: str
    path: str = ".*"

    def fits(self, host: str, path: str) -> bool:
        return bool(re.fullmatch(self.host, host) and re.fullmatch(self.path, path))


@dataclass(frozen=True, slots=True)
class _Right:
    """
    :param example: what is to be written instead
    :param places: that are right on the exchanges' hosts
    """

    example: str
    places: tuple[_Place, ...]


_BYBIT = r"(bybit\.[a-z]+|bytick\.com|bybit-tr\.com|bybitgeorgia\.ge)"

_RIGHT = {
    ("binance", "url"): _Right(
        f"wss://fstream.binance.com/market/ws/{_BINANCE_STREAM}",
        (_Place(r"fstream[a-z0-9-]*\.binance\.com", "/market/(ws/.*|stream)"),),
    ),
    ("bybit", "url"): _Right(
        "wss://stream.bybit.com/v5/public/linear",
        (_Place(rf"stream\.{_BYBIT}", "/v5/public/linear"),),
    ),
    ("gate", "url"): _Right(
        "wss://fx-ws.gateio.ws/v4/ws/usdt",
        (_Place(r"fx-ws\.(gateio\.ws|gate\.io|gate\.com)", "/v4/ws/usdt"),),
    ),
    ("okx", "url"): _Right(
        "wss://ws.okx.com:8443/ws/v5/public",
        (_Place(r"ws[a-z]*\.okx\.com", "/ws/v5/public"),),
    ),
    ("binance", "rest_url"): _Right(
        "https://fapi.binance.com", (_Place(r"fapi[0-9]?\.binance\.com", ""),)
    ),
    ("bybit", "rest_url"): _Right("https://api.bybit.com", (_Place(rf"api\.{_BYBIT}", ""),)),
    ("gate", "rest_url"): _Right(
        "https://api.gateio.ws", (_Place(r"(fx-)?api\.(gateio\.ws|gate\.io|gate\.com)", ""),)
    ),
    ("okx", "rest_url"): _Right(
        "https://www.okx.com", (_Place(r"(www|my|eea|us|app|aws)\.okx\.com", ""),)
    ),
}

# Whose hosts are known, by the end of their names.
_OWNERS = {
    "binance": r"(.*\.)?binance\.(com|us|vision|je|info)",
    "bybit": rf"(.*\.)?{_BYBIT}",
    "gate": r"(.*\.)?(gate|gateio|gateapi)\.(com|io|ws|live)",
    "okx": r"(.*\.)?(okx|okex)\.(com|cab)",
    "Aster": r"(.*\.)?(asterdex|apollox)\.(com|finance)",
    "Bitget": r"(.*\.)?bitget\.com",
    "BitMEX": r"(.*\.)?bitmex\.com",
    "Bitfinex": r"(.*\.)?bitfinex\.com",
    "BingX": r"(.*\.)?(bingx|we-api)\.com",
    "Deribit": r"(.*\.)?deribit\.com",
    "dYdX": r"(.*\.)?dydx\.(exchange|trade)",
    "HTX": r"(.*\.)?(hbdm|huobi|htx)\.(com|pro|vn)",
    "Hyperliquid": r"(.*\.)?hyperliquid\.xyz",
    "Kraken": r"(.*\.)?kraken\.com",
    "KuCoin": r"(.*\.)?kucoin\.com",
    "MEXC": r"(.*\.)?mexc\.(com|co)",
    "Orderly": r"(.*\.)?orderly\.(org|network)",
}

# What is served there instead, where that is known.
_INSTEAD = (
    (
        _Place(r"fstream[a-z0-9-]*\.binance\.com", "/(ws|stream)(/.*)?"),
        "is the old address without /market: it connects, acknowledges, and has been silent since "
        "April 2026",
    ),
    (
        _Place(r"fstream[a-z0-9-]*\.binance\.com", "/market/.*"),
        f"does not name {_BINANCE_STREAM}, the stream of all liquidations",
    ),
    (_Place(r"dstream.*\.binance\.com|dapi.*\.binance\.com"), "is Binance's COIN-M"),
    (
        _Place(r"(stream|ws-api|data-stream|data-api|api[0-9]?|api-gcp)\.binance\.(com|vision|us)"),
        "is Binance's spot market",
    ),
    (_Place(r"(nbstream|eapi|vstream)\.binance\.com"), "is Binance's options"),
    (_Place(r"(papi|ws-fapi|ws-dapi)\.binance\.com"), "is for orders, not for market data"),
    (_Place(rf".*{_BYBIT}", "/v5/public/inverse"), "is Bybit's inverse (coin-margined) market"),
    (_Place(rf".*{_BYBIT}", "/v5/public/spot"), "is Bybit's spot market"),
    (_Place(rf".*{_BYBIT}", "/v5/public/option"), "is Bybit's options"),
    (
        _Place(rf".*{_BYBIT}", "/(realtime.*|(contract|spot|option)/.*|perpetual.*)"),
        "is an old Bybit interface that is shut down",
    ),
    (_Place(r".*okex\.com"), "is OKX's old name, which is shut down"),
    (_Place(r".*okx\.com", "/ws/v5/(private|business)"), "is OKX's channel for other things"),
    (_Place(r".*okx\.com", "/ws/v3.*"), "is an old OKX interface that is shut down"),
    (_Place(r"fx-ws.*", "/v4/ws/btc"), "is Gate's coin-margined market"),
    (_Place(r"fx-ws.*", "/v4/ws/usd1"), "is Gate's market settled in USD1"),
    (_Place(r"fx-ws.*", "/v4/ws/delivery.*"), "is Gate's dated futures"),
    (_Place(r"(api|ws)\.(gateio|gate)\.(ws|io|com)", "/(ws/)?v[34].*"), "is Gate's spot market"),
)


def refuse_lookalike(venue: str, key: str, host: str, parts: SplitResult) -> None:
    """
    :param venue: whose liquidations are expected there
    :param key: ``url`` or ``rest_url``
    :param host: of the address, in small letters
    :raises SettingsError: the host is an exchange's, and something else is served there
    """
    right = _RIGHT.get((venue, key))
    owner = next((name for name, host_of in _OWNERS.items() if re.fullmatch(host_of, host)), None)
    if right is None or owner is None:
        return
    path = unquote(parts.path).rstrip("/")
    if owner == venue and any(place.fits(host, path) for place in right.places):
        if (venue, key) != ("binance", "url") or _names_the_stream(path, parts.query):
            return
    raise SettingsError(
        f"{host}{path} {_instead(venue, key, owner, host, path)}; write {right.example}, or "
        "leave the key out"
    )


def _names_the_stream(path: str, query: str) -> bool:
    """The streams are part of Binance's addresses; only one of them is about all coins."""
    streams = path.rpartition("/ws/")[2].split("/")
    for name, value in parse_qsl(query):
        streams += value.split("/") if name == "streams" else []
    return _BINANCE_STREAM in streams


def _instead(venue: str, key: str, owner: str, host: str, path: str) -> str:
    if owner != venue:
        return f"is {owner}'s, not {venue}'s"
    for place, words in _INSTEAD:
        if place.fits(host, path):
            return words
    if key == "rest_url" and path:
        return f"has a path; only the base of {venue}'s REST API belongs here"
    what = "liquidation feed of perpetuals in USD" if key == "url" else "REST API of perpetuals"
    return f"is not {venue}'s {what}"
