"""The real ccxt loads markets and candles of all three venues."""

import asyncio
from typing import Any

import ccxt
import pytest

from liq_provider.core.markets import markets_from_ccxt
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.urls import (
    ccxt_config,
    ccxt_urls,
    freqtrade_exchange_config,
    venue_urls,
)

LOOPBACK = ("http://127.0.0.1:", "ws://127.0.0.1:")


async def ask(sim: Simulator, venue: str, method: str, *args: Any, **kwargs: Any) -> Any:
    exchange = getattr(ccxt, venue)(ccxt_config(sim.url, venue))

    def work() -> Any:
        try:
            exchange.load_markets()
            return getattr(exchange, method)(*args, **kwargs)
        finally:
            exchange.session.close()

    return await asyncio.to_thread(work)


@pytest.mark.parametrize("venue", ["binance", "bybit", "okx"])
def test_every_address_of_ccxt_is_overridden(venue: str) -> None:
    known = getattr(ccxt, venue)().describe()["urls"]["api"]
    ours = ccxt_urls("http://127.0.0.1:1", venue)
    assert set(ours) == set(known)
    assert all(url.startswith(LOOPBACK) for url in ours.values())


@pytest.mark.parametrize(
    ("venue", "pepe", "size"),
    [
        ("binance", "1000PEPE/USDT:USDT", 1.0),
        ("bybit", "1000PEPE/USDT:USDT", 1.0),
        ("okx", "PEPE/USDT:USDT", 10_000_000.0),
    ],
)
async def test_ccxt_loads_markets(sim: Simulator, venue: str, pepe: str, size: float) -> None:
    loaded = await ask(sim, venue, "load_markets")
    markets = {market.pair: market for market in markets_from_ccxt(venue, loaded)}
    assert len(markets) == len(sim.market.symbols)
    assert markets[pepe].contract_size == size
    assert markets[pepe].base_asset == "PEPE"
    assert all(market.linear for market in markets.values())
    assert not sim.unknown


async def test_ccxt_gets_candles_as_from_the_exchange(sim: Simulator) -> None:
    rows = await ask(sim, "binance", "fetch_ohlcv", "BTC/USDT:USDT", "1m", limit=20)
    assert len(rows) == 20
    assert rows[-1][0] == sim.now_ms() // 60_000 * 60_000
    first = await ask(sim, "binance", "fetch_ohlcv", "BTC/USDT:USDT", "5m", since=0, limit=3)
    assert first[0][0] == sim.market.first_ms
    assert len(first) == 3
    since = rows[5][0] - 1
    some = await ask(sim, "binance", "fetch_ohlcv", "BTC/USDT:USDT", "1m", since=since, limit=4)
    assert [row[0] for row in some] == [row[0] for row in rows[5:9]]


async def test_quotes_come_from_the_same_price(sim: Simulator) -> None:
    price = sim.market.price("BTCUSDT", sim.now_ms())
    book = await ask(sim, "binance", "fetch_order_book", "BTC/USDT:USDT", 5)
    assert book["bids"][0][0] == price < book["asks"][0][0]
    tickers = await ask(sim, "binance", "fetch_tickers")
    assert tickers["BTC/USDT:USDT"]["last"] == price
    bids = await ask(sim, "binance", "fetch_bids_asks")
    assert bids["BTC/USDT:USDT"]["bid"] == price
    rates = await ask(sim, "binance", "fetch_funding_rates")
    assert rates["BTC/USDT:USDT"]["markPrice"] == price
    marks = await ask(
        sim, "binance", "fetch_ohlcv", "BTC/USDT:USDT", "1m", limit=1, params={"price": "mark"}
    )
    assert marks[0][4] == price


async def test_unknown_symbols_and_paths_are_refused(
    sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ccxt.BadSymbol):
        await ask(sim, "binance", "fapiPublicGetKlines", {"symbol": "NOSUCH", "interval": "1m"})
    with pytest.raises(ccxt.BadRequest):
        await ask(sim, "binance", "fapiPublicGetKlines", {"symbol": "BTCUSDT", "interval": "9m"})
    with pytest.raises(ccxt.ExchangeNotAvailable):
        await ask(sim, "binance", "fapiPublicGetLvtKlines", {})
    assert "not simulated: GET /fapi/v1/lvtKlines" in caplog.text


async def test_configuration_points_nowhere_else(sim: Simulator) -> None:
    section = freqtrade_exchange_config(sim.url)
    assert all(u.startswith(LOOPBACK) for u in section["ccxt_config"]["urls"]["api"].values())
    assert (section["enable_ws"], section["only_from_ccxt"]) == (False, True)
    for venue, urls in venue_urls(sim.url).items():
        assert urls == {"url": sim.ws_url(venue), "rest_url": sim.rest_url(venue)}
