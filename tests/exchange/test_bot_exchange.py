"""Market lists, closed candles and the time, through the real ccxt from the simulator."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import ccxt
import pytest
import pytest_asyncio

from liq_provider.config.sections import VenueSettings
from liq_provider.core.clock import ExchangeClock
from liq_provider.errors import SettingsError
from liq_provider.exchange.bot_exchange import BotExchange, timeframe_ms
from liq_provider.exchange.venue_rest import load_venue_markets
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.urls import ccxt_config
from liq_provider.simulator.world import World
from liq_provider.venues import VENUES

MINUTE = 60_000


@pytest_asyncio.fixture
async def sim() -> AsyncIterator[Simulator]:
    world = World(int(time.time() * 1000), background=0.0, history_h=3)
    async with Simulator(world) as running:
        yield running


def bot_exchange(sim: Simulator, **changes: Any) -> BotExchange:
    return BotExchange("binance", ccxt_config(sim.url, "binance") | changes)


@pytest.mark.parametrize("venue", sorted(VENUES))
async def test_each_venue_lists_its_perpetuals(sim: Simulator, venue: str) -> None:
    settings = VenueSettings(rest_url=sim.rest_url(venue) + "/")
    markets = await asyncio.to_thread(load_venue_markets, venue, settings)
    by_coin = {market.base_asset: market for market in markets}
    assert len(markets) == len(sim.market.symbols)
    bitcoin = by_coin["BTC"]
    assert (bitcoin.venue, bitcoin.pair, bitcoin.linear) == (venue, "BTC/USDT:USDT", True)
    played = VENUES[venue].dialect.market(sim.market.symbols["BTCUSDT"])
    assert bitcoin.contract_size == played.contract_size
    assert bitcoin.listed_ms
    assert bitcoin.market_id == sim.market.symbols["BTCUSDT"].id_on(venue)
    assert not sim.unknown  # nothing was asked for that the simulator does not have


async def test_a_venue_that_refuses_is_an_error_of_ccxt(sim: Simulator) -> None:
    sim.fault("okx", "http_error", seconds=60, status=451)
    with pytest.raises(ccxt.BaseError):
        await asyncio.to_thread(load_venue_markets, "okx", VenueSettings(rest_url=sim.url))


async def test_only_finished_candles_are_returned(sim: Simulator) -> None:
    exchange = bot_exchange(sim)
    now_ms = sim.now_ms() // MINUTE * MINUTE - 5 * MINUTE + 30_000
    args = ("BTC/USDT:USDT", "1m", 16, now_ms)
    newest_ms, candles = await asyncio.to_thread(exchange.closed, *args)
    assert newest_ms == now_ms - 30_000
    assert candles.shape == (16, 5)
    on_the_dot = (*args[:3], newest_ms)
    again_ms, again = await asyncio.to_thread(exchange.closed, *on_the_dot)
    assert again_ms == newest_ms and (again == candles).all()
    five_ms, five = await asyncio.to_thread(exchange.closed, "BTC/USDT:USDT", "5m", 3, now_ms)
    assert five_ms == now_ms // (5 * MINUTE) * 5 * MINUTE
    assert len(five) == 3


async def test_a_pair_that_is_not_listed_is_an_error_of_ccxt(sim: Simulator) -> None:
    with pytest.raises(ccxt.BadSymbol):
        await asyncio.to_thread(bot_exchange(sim).closed, "NOPE/USDT:USDT", "1m", 16, sim.now_ms())


async def test_the_pair_of_each_coin(sim: Simulator) -> None:
    pairs = await asyncio.to_thread(bot_exchange(sim).pairs_by_coin)
    assert pairs["BTC"] == "BTC/USDT:USDT"
    assert set(pairs.values()) == {spec.pair for spec in sim.market.symbols.values()}


@pytest.mark.parametrize(
    ("stake", "pairs"),
    [
        ("USDT", {"BTC/USDT:USDT", "ETH/USDC:USDC", "SOL/USDT:USDT", "XRP/USD:XRP"}),
        ("USDC", {"BTC/USDC:USDC", "ETH/USDC:USDC", "SOL/USDT:USDT", "XRP/USD:XRP"}),
        ("EUR", {"BTC/USDT:USDT", "ETH/USDC:USDC", "SOL/USDT:USDT", "XRP/USD:XRP"}),
    ],
)
@pytest.mark.parametrize("name", ["binance", "bybit"])
def test_a_coins_pair_is_one_that_the_bot_can_trade_if_there_is_one(
    name: str, stake: str, pairs: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = ["BTC/USDT:USDT", "BTC/USDC:USDC", "BTC/USD:BTC", "ETH/USDC:USDC", "ETH/USD:ETH"]
    markets = {
        pair: {
            "id": pair,
            "swap": True,
            "base": pair.partition("/")[0],
            "quote": pair[4:8].strip(":"),
        }
        for pair in (*listed, "SOL/USDC:USDT", "SOL/USDT:USDT", "XRP/USD:XRP")
    }
    exchange = BotExchange(name, stake_currency=stake)
    monkeypatch.setattr(exchange._exchange, "load_markets", lambda _: markets)
    assert set(exchange.pairs_by_coin().values()) == pairs


async def test_coins_that_are_listed_later_are_found(sim: Simulator) -> None:
    exchange = bot_exchange(sim)
    spec = sim.market.symbols.pop("ETHUSDT")
    assert "ETH" not in await asyncio.to_thread(exchange.pairs_by_coin)
    sim.market.symbols["ETHUSDT"] = spec
    assert "ETH" in await asyncio.to_thread(exchange.pairs_by_coin)


async def test_the_clock_takes_the_exchanges_time(sim: Simulator) -> None:
    off_ms = 7_000
    clock = ExchangeClock(wall_ms=lambda: sim.now_ms() - off_ms)
    await asyncio.to_thread(clock.measure, bot_exchange(sim).time_ms)
    assert clock.skew_ms == pytest.approx(off_ms, abs=100)


async def test_credentials_are_not_used(sim: Simulator) -> None:
    exchange = bot_exchange(sim, apiKey="k", secret="s", password="p", uid="u", token="t")
    inner = exchange._exchange
    assert not any([inner.apiKey, inner.secret, inner.password, inner.uid, inner.token])


def test_an_exchange_that_ccxt_lacks_is_refused_by_its_key() -> None:
    for name in ("binanec", "Exchange", "base"):
        with pytest.raises(SettingsError, match=r"exchange\.name"):
            BotExchange(name)


def test_timeframes() -> None:
    assert [timeframe_ms(name) for name in ("1m", "5m", "1h", "1d")] == [
        MINUTE,
        5 * MINUTE,
        60 * MINUTE,
        24 * 60 * MINUTE,
    ]
    for name in ("", "m", "30s", "often"):
        with pytest.raises(SettingsError, match="timeframe"):
            timeframe_ms(name)


async def test_more_candles_than_one_answer_holds_are_fetched_to_the_newest() -> None:
    world = World(int(time.time() * 1000), background=0.0, history_h=30)
    async with Simulator(world) as sim:
        now_ms = sim.now_ms()
        since_ms = now_ms // MINUTE * MINUTE - 25 * 60 * MINUTE
        rows = await asyncio.to_thread(bot_exchange(sim).ohlcv, "BTC/USDT:USDT", "1m", since_ms)
    assert [row[0] for row in rows[:1_501]] == [since_ms + n * MINUTE for n in range(1_501)]
    assert rows[-1][0] >= now_ms // MINUTE * MINUTE
