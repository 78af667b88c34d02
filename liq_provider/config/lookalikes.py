"""
Addresses of exchanges at which something else is served than a venue's liquidations.

A feed of another market, or one that is dead, connects and acknowledges like the right one. On
the exchanges' own hosts only what is known to be right is taken; hosts that nobody here knows,
such as a relay's, are the user's own word. What is right, each venue's file says.
"""

import re
from urllib.parse import SplitResult, unquote

from liq_provider.errors import SettingsError
from liq_provider.venues import VENUES, Venue

# Exchanges that are no venues, by the end of their hosts' names.
_OTHERS = {
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


def refuse_lookalike(venue: str, key: str, host: str, parts: SplitResult) -> None:
    """
    :param venue: whose liquidations are expected there
    :param key: ``url`` or ``rest_url``
    :param host: of the address, in small letters
    :raises SettingsError: the host is an exchange's, and something else is served there
    """
    wanted, owner = VENUES.get(venue), _owner(host, venue)
    if wanted is None or owner is None:
        return
    path = unquote(parts.path).rstrip("/")
    if owner == venue and _is_right(wanted, key, host, path, parts.query):
        return
    raise SettingsError(
        f"{host}{path} {_instead(wanted, key, owner, host, path)}; write {right_url(venue, key)}, "
        "or leave the key out"
    )


def right_url(venue: str, key: str) -> str:
    """:return: what is to be written there"""
    known = VENUES[venue]
    return known.endpoints[0].url if key == "url" else known.addresses.rest_url


def _owner(host: str, wanted: str) -> str | None:
    """:param wanted: comes first: a company may have several venues on hosts of one name"""
    for venue in sorted(VENUES.values(), key=lambda venue: venue.name != wanted):
        if re.fullmatch(venue.addresses.owner, host):
            return venue.name
    return next((name for name, pattern in _OTHERS.items() if re.fullmatch(pattern, host)), None)


def _is_right(venue: Venue, key: str, host: str, path: str, query: str) -> bool:
    known = venue.addresses
    if key != "url":
        return any(place.fits(host, path) for place in known.apis)
    return any(place.fits(host, path) for place in known.feeds) and known.names_feed(path, query)


def _instead(venue: Venue, key: str, owner: str, host: str, path: str) -> str:
    if owner != venue.name:
        return f"is {owner}'s, not {venue.name}'s"
    for place, words in venue.addresses.instead:
        if place.fits(host, path):
            return words
    if key == "rest_url" and path:
        return f"has a path; only the base of {venue.name}'s REST API belongs here"
    what = "liquidation feed of perpetuals in USD" if key == "url" else "REST API of perpetuals"
    return f"is not {venue.name}'s {what}"
