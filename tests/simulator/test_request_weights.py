"""The exchange's limit of requests: what each weighs, and what becomes of too many."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import ccxt
import pytest
import pytest_asyncio

from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.request_weights import MINUTE_LIMIT, RequestWeights, weight_of
from liq_provider.simulator.urls import ccxt_config
from liq_provider.simulator.world import World
from tests.sidecars import Time

START_MS = 1_750_000_000_000 // 60_000 * 60_000


@pytest_asyncio.fixture
async def limited() -> AsyncIterator[Simulator]:
    """Its clock stands still."""
    world = World(START_MS, volatility=0.0, background=0.0, history_h=2)
    async with Simulator(world, clock=lambda: (START_MS + 15_000) / 1000) as sim:
        yield sim


@pytest.mark.parametrize(
    ("path", "limit", "weight"),
    [
        ("klines", 99, 1),
        ("klines", 100, 2),
        ("klines", 499, 2),
        ("klines", 500, 5),
        ("klines", 1_000, 5),
        ("klines", 1_001, 10),
        ("markPriceKlines", 499, 2),
        ("depth", 5, 2),
        ("depth", 100, 5),
        ("depth", 1_000, 20),
        ("exchangeInfo", 0, 1),
        ("fundingRate", 0, 0),
    ],
)
def test_a_request_weighs_what_its_length_does(path: str, limit: int, weight: int) -> None:
    assert weight_of(path, {"limit": str(limit)}) == weight


def test_the_usual_length_weighs_as_if_it_were_asked_for() -> None:
    assert weight_of("klines", {}) == 5
    assert weight_of("depth", {}) == 10


def test_all_symbols_weigh_more_than_one() -> None:
    assert weight_of("ticker/24hr", {"symbol": "BTCUSDT"}) == 1
    assert weight_of("ticker/24hr", {}) == 40


def test_ccxt_knows_the_same_weights() -> None:
    known = ccxt.binance().describe()["api"]["fapiPublic"]["get"]
    for path in ("klines", "depth", "ticker/24hr", "ticker/bookTicker", "ticker/price"):
        for most, weight in known[path].get("byLimit", [])[:4]:
            assert weight_of(path, {"limit": str(most)}) == weight, path
        if "noSymbol" in known[path]:
            assert weight_of(path, {}) == known[path]["noSymbol"], path
            assert weight_of(path, {"symbol": "BTCUSDT"}) == known[path]["cost"], path


def test_a_new_minute_begins_with_nothing_used() -> None:
    moment = Time(START_MS + 50_000)
    weights = RequestWeights(moment.now_ms)
    for _ in range(MINUTE_LIMIT // 40):
        assert weights.charge("ticker/24hr", {})
    assert not weights.charge("ping", {})
    assert 1 <= weights.retry_after_s <= 10
    moment.jump_to(START_MS + 60_000)
    assert weights.charge("ping", {})
    assert weights.state() == {
        "requests": MINUTE_LIMIT // 40 + 2,
        "used": 1,
        "peak": MINUTE_LIMIT + 1,
        "limit": MINUTE_LIMIT,
        "refused": 1,
    }


async def test_too_many_requests_are_refused_as_by_the_exchange(limited: Simulator) -> None:
    url = f"{limited.rest_url('binance')}/fapi/v1/ticker/24hr?limit=1"
    async with aiohttp.ClientSession() as session:
        for number in range(MINUTE_LIMIT // 40):
            async with session.get(url) as answer:
                assert answer.status == 200
                assert answer.headers["X-MBX-USED-WEIGHT-1M"] == str(40 * (number + 1))
        async with session.get(url) as answer:
            assert answer.status == 429
            assert answer.headers["Retry-After"] == "45"
            body = await answer.json()
        assert body["code"] == -1003
        assert "current limit of IP(127.0.0.1) is 2400 requests per minute" in body["msg"]
        async with session.get(f"{limited.url}/sim/state") as answer:
            told = (await answer.json())["request_weight"]
    assert (told["peak"], told["refused"]) == (MINUTE_LIMIT + 40, 1)


async def test_ccxt_takes_the_refusal_for_a_limit(limited: Simulator) -> None:
    exchange = ccxt.binance(ccxt_config(limited.url, "binance"))

    def work() -> None:
        try:
            for _ in range(MINUTE_LIMIT // 40 + 1):
                exchange.fapiPublicGetTicker24hr()
        finally:
            exchange.session.close()

    with pytest.raises(ccxt.DDoSProtection):
        await asyncio.to_thread(work)


async def test_a_limit_that_is_no_number_is_told(limited: Simulator) -> None:
    url = f"{limited.rest_url('binance')}/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=many"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 400
        assert (await answer.json())["code"] == -1102
