"""Which pair, coin and contract size stand behind an exchange's symbol."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from liq_provider.core.liquidation import base_asset_of

USD_QUOTES = frozenset({"USD", "USDT", "USDC", "BUSD", "FDUSD", "USD1", "USDE"})

# Binance USD-M and Bybit linear state quantities in coins, so a new listing can be booked
# before the market list is loaded again. OKX needs its contract value and has no such rule.
_PLAIN_SYMBOL = re.compile(r"^([A-Z0-9\u4e00-\u9fff]+?)(USDT|USDC)")
_PLAIN_VENUES = frozenset({"binance", "bybit"})


@dataclass(frozen=True, slots=True)
class Market:
    """
    One perpetual market of one venue.

    :param contract_size: base units per contract (linear) or quote units (inverse)
    :param listed_ms: when trading began; None if the venue does not say
    """

    venue: str
    market_id: str
    pair: str
    base_asset: str
    contract_size: float = 1.0
    linear: bool = True
    listed_ms: int | None = None


class MarketTable:
    """The markets of one venue by the venue's own symbol."""

    def __init__(self, venue: str, markets: Iterable[Market] = ()) -> None:
        self.venue = venue
        self._by_id = {m.market_id: m for m in markets}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Market]:
        return iter(self._by_id.values())

    @property
    def plain(self) -> bool:
        """Whether the venue's symbols alone tell the coin, without a market list."""
        return self.venue in _PLAIN_VENUES

    def get(self, market_id: str) -> Market | None:
        """
        :return: the market, or None if neither the list nor the venue's naming rule knows it
        """
        market = self._by_id.get(market_id)
        if market is None and self.plain:
            market = _market_by_name(self.venue, market_id)
            if market is not None:
                self._by_id[market_id] = market
        return market


def _market_by_name(venue: str, market_id: str) -> Market | None:
    match = _PLAIN_SYMBOL.fullmatch(market_id)
    if match is None:
        return None
    base, quote = match.groups()
    if venue == "bybit" and quote == "USDC":
        return None  # Bybit writes USDC perpetuals as BTCPERP; BTCUSDC is a spot symbol
    return Market(venue, market_id, f"{base}/{quote}:{quote}", base_asset_of(base))


def markets_from_ccxt(venue: str, ccxt_markets: Mapping[str, Mapping[str, Any]]) -> list[Market]:
    """
    Keep the perpetual swaps that are quoted in dollars.

    :param venue: our name of the venue
    :param ccxt_markets: ``exchange.markets`` as ccxt's ``load_markets`` fills it
    """
    markets = []
    for symbol, market in ccxt_markets.items():
        if not market.get("swap") or market.get("quote") not in USD_QUOTES:
            continue
        created = market.get("created")
        markets.append(
            Market(
                venue=venue,
                market_id=str(market["id"]),
                pair=symbol,
                base_asset=base_asset_of(str(market["base"])),
                contract_size=float(market.get("contractSize") or 1.0),
                linear=bool(market.get("linear")),
                listed_ms=int(created) if created else None,
            )
        )
    return markets
