"""Faults as clients see them, by method and by HTTP."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from liq_provider.simulator.control import OrderRequest
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.venues import VENUES
from tests.sidecars import Time, quiet_exchange
from tests.simulator.helpers import START_MS, tables


def liquidate(sim: Simulator, usd: float = 5_000.0) -> None:
    sim.liquidate(
        [OrderRequest(venue="binance", symbol="ETHUSDT", position_side="short", notional_usd=usd)]
    )


async def call(sim: Simulator, method: str, path: str, body: object = None) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, sim.url + path, json=body) as response,
    ):
        return response.status, json.loads(await response.text())


async def test_disconnect_cuts_and_refuses_for_a_while() -> None:
    moment = Time(START_MS)
    async with quiet_exchange(moment) as sim:
        async with connect(sim.ws_url("binance")) as client:
            sim.fault("binance", "disconnect", seconds=60)
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(client.recv(), 60)
        with pytest.raises(InvalidStatus):
            await connect(sim.ws_url("binance"))
        moment.jump_to(sim.now_ms() + 60_000)
        async with connect(sim.ws_url("binance")):
            pass


async def test_silence_keeps_answering_pings(sim: Simulator) -> None:
    sim.fault("binance", "silence", seconds=30)
    async with connect(sim.ws_url("binance")) as client:
        liquidate(sim)
        await asyncio.wait_for(await client.ping(), 60)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.recv(), 2.3)
        sim.clear_faults()
        liquidate(sim)
        assert await asyncio.wait_for(client.recv(), 60)


async def test_duplicates_are_exact(sim: Simulator) -> None:
    sim.fault("binance", "duplicate", seconds=30)
    async with connect(sim.ws_url("binance")) as client:
        liquidate(sim)
        frames = [await asyncio.wait_for(client.recv(), 60) for _ in range(2)]
    assert frames[0] == frames[1]


async def test_late_frames_keep_their_event_time(sim: Simulator) -> None:
    sim.fault("binance", "late", seconds=30, delay_s=1.0)
    async with connect(sim.ws_url("binance")) as client:
        liquidate(sim)
        frame = json.loads(await asyncio.wait_for(client.recv(), 60))
    assert sim.now_ms() - frame["E"] >= 1_000


async def test_garbage_never_looks_like_a_liquidation(sim: Simulator) -> None:
    sim.fault("binance", "garbage", seconds=30)
    known = tables(sim.market)["binance"]
    async with connect(sim.ws_url("binance")) as client:
        for _ in range(2):
            frame = await asyncio.wait_for(client.recv(), 60)
            assert not VENUES["binance"].parse(frame, known, 0).liquidations


@pytest.mark.parametrize(
    ("venue", "path"),
    [
        ("binance", "/fapi/v1/time"),
        ("bybit", "/v5/market/time"),
        ("okx", "/api/v5/public/time"),
    ],
)
async def test_http_errors_hit_one_venue(sim: Simulator, venue: str, path: str) -> None:
    sim.fault(venue, "http_error", seconds=30, status=429)
    async with aiohttp.ClientSession() as session:
        for other in ("/fapi/v1/time", "/v5/market/time", "/api/v5/public/time"):
            async with session.get(sim.url + other) as response:
                assert response.status == (429 if other == path else 200)


async def test_faults_and_prices_over_http(sim: Simulator) -> None:
    fault = {"venue": "okx", "kind": "silence", "seconds": 9}
    assert (await call(sim, "POST", "/sim/fault", fault))[0] == 200
    status, state = await call(sim, "GET", "/sim/state")
    assert (status, state["synthetic"]) == (200, True)
    assert [f["kind"] for f in state["faults"]] == ["silence"]
    await call(sim, "DELETE", "/sim/fault")
    before = sim.market.price("BTCUSDT", sim.now_ms())
    await call(sim, "POST", "/sim/price", {"symbol": "BTCUSDT", "to_pct": -3})
    after = sim.market.price("BTCUSDT", sim.now_ms())
    assert after == pytest.approx(before * 0.97, abs=0.2)
    items = [{"venue": "okx", "symbol": "BTCUSDT", "position_side": "long", "quantity": 1}]
    assert (await call(sim, "POST", "/sim/liquidations", items))[1]["injected"] == 1
    assert (await call(sim, "GET", "/sim/state"))[1]["faults"] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/sim/fault", {"venue": "kraken", "kind": "silence"}),
        ("/sim/fault", {"venue": "okx", "kind": "nap"}),
        ("/sim/fault", {"venue": "okx", "kind": "refuse", "status": 200}),
        ("/sim/fault", {"venue": "okx", "kind": "silence", "second": 3}),
        ("/sim/price", {"symbol": "BTCUSDT"}),
        ("/sim/price", {"symbol": "NOSUCH", "to_pct": 1}),
        ("/sim/liquidations", {"venue": "okx"}),
        ("/sim/liquidations", [{"venue": "okx", "symbol": "BTCUSDT", "position_side": "long"}]),
    ],
)
async def test_bad_requests_are_explained(sim: Simulator, path: str, body: object) -> None:
    status, answer = await call(sim, "POST", path, body)
    assert status == 400
    assert answer["ok"] is False


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Origin": "http://127.0.0.1:8686"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:18900"}, 403),
        ({"Host": ""}, 403),
    ],
)
async def test_another_sites_page_may_not_steer_the_exchange(
    sim: Simulator, headers: dict[str, str], status: int
) -> None:
    for method, path, body in (
        ("GET", "/sim/state", None),
        ("POST", "/sim/price", {"symbol": "BTCUSDT", "to_pct": 1}),
        ("DELETE", "/sim/fault", None),
    ):
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, sim.url + path, json=body, headers=headers) as answer,
        ):
            assert answer.status == status, path


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/sim/fault", '{"venue": "okx", "kind": "silence", "seconds": 1e308}'),
        ("/sim/fault", '{"venue": "okx", "kind": "silence", "seconds": Infinity}'),
        ("/sim/price", '{"symbol": "BTCUSDT", "to_price": NaN}'),
        ("/sim/price", '{"symbol": "BTCUSDT", "to_price": 1e300}'),
        ("/sim/price", '{"symbol": "BTCUSDT", "to_pct": 1e300, "over_s": 1}'),
        ("/sim/price", '{"symbol": "BTCUSDT", "to_pct": 1, "over_s": -1}'),
        ("/sim/liquidations", '[{"venue": "okx", "symbol": "BTCUSDT", "position_side": "long", '
         '"notional_usd": 1e300}]'),
        ("/sim/liquidations", '[{"venue": "okx", "symbol": "BTCUSDT", "position_side": "long", '
         '"notional_usd": 5, "event_ms": 99999999999999999999}]'),
        ("/sim/liquidations", '{}'),
        ("/sim/liquidations", '\ud800['),
    ],
)  # fmt: skip
async def test_numbers_that_no_market_has_are_refused(sim: Simulator, path: str, body: str) -> None:
    raw = body.encode("utf-8", "surrogatepass")
    async with (
        aiohttp.ClientSession() as session,
        session.post(sim.url + path, data=raw) as answer,
    ):
        assert answer.status == 400 and not (await answer.json())["ok"]
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{sim.url}/sim/tape?from_ms=-9{'9' * 40}&to_ms=9{'9' * 40}") as answer,
    ):
        assert answer.status == 200
