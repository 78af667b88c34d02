"""The exchanges whose liquidation feeds are understood, one module each."""

from liq_provider.venues.base import Parsed, Venue
from liq_provider.venues.binance import Binance
from liq_provider.venues.bybit import Bybit
from liq_provider.venues.gate import Gate
from liq_provider.venues.okx import Okx

VENUES: dict[str, Venue] = {venue.name: venue for venue in (Binance(), Bybit(), Gate(), Okx())}

# Asked for now and then; these exchanges publish no liquidations at all.
NO_PUBLIC_FEED = frozenset({"hyperliquid", "kucoin", "mexc", "bingx"})

__all__ = ["NO_PUBLIC_FEED", "VENUES", "Parsed", "Venue"]
