"""Which market stands behind an exchange's symbol."""

from typing import Any

import pytest

from liq_provider.core.markets import CcxtRules, Market, MarketTable, markets_from_ccxt
from liq_provider.venues import VENUES


def test_the_list_comes_before_the_naming_rule() -> None:
    listed = Market("binance", "BTCUSDT", "BTC/USDT:USDT", "BTC", listed_ms=1)
    table = MarketTable("binance", [listed])
    assert table.get("BTCUSDT") is listed
    assert list(table) == [listed] and len(table) == 1


@pytest.mark.parametrize(
    ("venue", "market_id", "pair"),
    [
        ("binance", "NEWUSDT", "NEW/USDT:USDT"),
        ("binance", "NEWUSDC", "NEW/USDC:USDC"),
        ("binance", "1000NEWUSDT", "1000NEW/USDT:USDT"),
        ("binance", "币安人生USDT", "币安人生/USDT:USDT"),
        ("bybit", "NEWUSDT", "NEW/USDT:USDT"),
        ("bybit", "NEWUSDC", None),
        ("okx", "NEW-USDT-SWAP", None),
        ("okx", "NEWUSDT", None),
        ("binance", "BTCUSDT_260925", None),
        ("binance", "BTCUSD_PERP", None),
        ("binance", "ETHBTC", None),
        ("binance", "USDT", None),
        ("binance", "", None),
        ("binance", "btcusdt", None),
        ("binance", "BTCUSDT\n", None),
    ],
)
def test_new_listings_are_named_where_quantities_are_coins(
    venue: str, market_id: str, pair: str | None
) -> None:
    market = VENUES[venue].table().get(market_id)
    assert (market.pair if market else None) == pair
    assert market is None or (market.linear and market.contract_size == 1.0)


def ccxt_market(**changes: Any) -> dict[str, Any]:
    base = {"id": "BTC-USDT-SWAP", "base": "BTC", "quote": "USDT", "swap": True, "linear": True}
    return base | {"contractSize": 0.01, "created": 1_573_557_408_000} | changes


def test_ccxt_markets_are_translated() -> None:
    (market,) = markets_from_ccxt("okx", {"BTC/USDT:USDT": ccxt_market()})
    assert market == Market(
        venue="okx",
        market_id="BTC-USDT-SWAP",
        pair="BTC/USDT:USDT",
        base_asset="BTC",
        contract_size=0.01,
        linear=True,
        listed_ms=1_573_557_408_000,
    )


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, True),
        ({"quote": "USD", "linear": False}, True),
        ({"quote": "USDC"}, True),
        ({"swap": False}, False),
        ({"quote": "BTC"}, False),
        ({"quote": "EUR"}, False),
    ],
)
def test_only_perpetuals_quoted_in_dollars_are_kept(changes: dict[str, Any], kept: bool) -> None:
    assert bool(markets_from_ccxt("okx", {"X": ccxt_market(**changes)})) == kept


def test_missing_details_have_safe_values() -> None:
    raw = ccxt_market(contractSize=None, created=None, base="1000PEPE")
    (market,) = markets_from_ccxt("binance", {"1000PEPE/USDT:USDT": raw})
    assert (market.contract_size, market.listed_ms, market.base_asset) == (1.0, None, "PEPE")


def test_a_list_is_read_by_a_venues_own_rules() -> None:
    """Where a stream calls a market, or counts in it, otherwise than ccxt does."""
    rules = CcxtRules(
        keep=lambda raw: raw["linear"],
        market_id=lambda raw: f"coin-{raw['id']}",
        base_asset=lambda raw: "XBT",
        contract_size=lambda raw: 1.0,
    )
    raw = {"A": ccxt_market(), "B": ccxt_market(linear=False)}
    (market,) = markets_from_ccxt("okx", raw, rules)
    assert (market.market_id, market.base_asset, market.contract_size) == (
        *("coin-BTC-USDT-SWAP", "XBT"),
        1.0,
    )
