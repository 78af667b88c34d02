"""Which pair, coin and contract size stand behind an exchange's symbol."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from liq_provider.core.coins import base_asset_of

USD_QUOTES = frozenset({"USD", "USDT", "USDC", "BUSD", "FDUSD", "USD1", "USDE"})


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


NamingRule = Callable[[str], Market | None]


class MarketTable:
    """
    The markets of one venue by the venue's own symbol.

    :param rule: the market that a symbol alone tells, where the venue's naming says enough;
        so a new listing can be booked before the list is loaded again
    """

    def __init__(
        self, venue: str, markets: Iterable[Market] = (), rule: NamingRule | None = None
    ) -> None:
        self.venue = venue
        self.rule = rule
        self._by_id = {m.market_id: m for m in markets}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Market]:
        return iter(self._by_id.values())

    @property
    def plain(self) -> bool:
        """Whether the venue's symbols alone tell the coin, without a market list."""
        return self.rule is not None

    def get(self, market_id: str) -> Market | None:
        """
        :return: the market, or None if neither the list nor the venue's naming rule knows it
        """
        market = self._by_id.get(market_id)
        if market is None and self.rule is not None:
            market = self.rule(market_id)
            if market is not None:
                self._by_id[market_id] = market
        return market

    def only(self, markets: Iterable[Market]) -> "MarketTable":
        """:return: a table of some markets of the same venue"""
        return MarketTable(self.venue, markets, self.rule)


CcxtMarket = Mapping[str, Any]

# ccxt's option ``fetchMarkets.types``.
FetchTypes = tuple[str, ...] | Mapping[str, bool]


def types_asked(fetch_types: FetchTypes) -> list[str] | dict[str, bool]:
    """
    :return: as ccxt wants to be told

    >>> types_asked(("linear",)), types_asked({"linear": True, "inverse": False})
    (['linear'], {'linear': True, 'inverse': False})
    """
    return dict(fetch_types) if isinstance(fetch_types, Mapping) else list(fetch_types)


def _own_id(raw: CcxtMarket) -> str:
    return str(raw["id"])


def _own_base(raw: CcxtMarket) -> str:
    return base_asset_of(str(raw["base"]))


def _own_size(raw: CcxtMarket) -> float:
    return float(raw.get("contractSize") or 1.0)


def _any(raw: CcxtMarket) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class CcxtRules:
    """
    How ccxt's market list is to be read, where an exchange's stream and ccxt do not agree.

    :param keep: whether the stream is about this market
    :param market_id: as the stream writes it
    :param base_asset: the coin itself
    :param contract_size: base units per contract (linear) or quote units (inverse)
    """

    keep: Callable[[CcxtMarket], bool] = _any
    market_id: Callable[[CcxtMarket], str] = _own_id
    base_asset: Callable[[CcxtMarket], str] = _own_base
    contract_size: Callable[[CcxtMarket], float] = _own_size


def markets_from_ccxt(
    venue: str, ccxt_markets: Mapping[str, CcxtMarket], rules: CcxtRules | None = None
) -> list[Market]:
    """
    Keep the perpetual swaps that are quoted in dollars.

    :param venue: our name of the venue
    :param ccxt_markets: ``exchange.markets`` as ccxt's ``load_markets`` fills it
    """
    rules = rules or CcxtRules()
    markets = []
    for symbol, raw in ccxt_markets.items():
        if not raw.get("swap") or raw.get("quote") not in USD_QUOTES or not rules.keep(raw):
            continue
        created = raw.get("created")
        markets.append(
            Market(
                venue=venue,
                market_id=rules.market_id(raw),
                pair=symbol,
                base_asset=rules.base_asset(raw),
                contract_size=rules.contract_size(raw),
                linear=bool(raw.get("linear")),
                listed_ms=int(created) if created else None,
            )
        )
    return markets
