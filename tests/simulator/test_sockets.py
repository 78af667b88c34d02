"""Every venue's conversation, with a real websocket client and the production modules."""

import asyncio
import time
from dataclasses import replace

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from liq_provider.simulator.control import OrderRequest
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.orders import Order
from liq_provider.venues import VENUES
from liq_provider.venues.fields import NOTHING
from tests.simulator.helpers import tables

BTC = {"symbol": "BTCUSDT", "position_side": "long", "quantity": 0.25, "price": 96_000.0}


def order(venue: str, **changes: object) -> OrderRequest:
    return OrderRequest.model_validate({"venue": venue, **BTC, **changes})


async def subscribed(sim: Simulator, venue: str) -> ClientConnection:
    client = await connect(sim.ws_url(venue))
    known = tables(sim.market)[venue]
    for request in VENUES[venue].endpoints[0].subscribe(known):
        await client.send(request.text)
        parsed = VENUES[venue].parse(await client.recv(), known, 0)
        assert parsed.acknowledged == 1
    return client


@pytest.mark.parametrize("venue", list(VENUES))
async def test_a_liquidation_reaches_a_real_client_within_two_seconds(
    sim: Simulator, venue: str
) -> None:
    async with await subscribed(sim, venue) as client:
        sim.liquidate([order(venue)])
        text = await asyncio.wait_for(client.recv(), 60)
        received_ms = int(time.time() * 1000)
        parsed = VENUES[venue].parse(text, tables(sim.market)[venue], received_ms)
    (item,) = parsed.liquidations
    assert item.pair == "BTC/USDT:USDT"
    assert item.position_side == "long"
    assert item.notional_usd == pytest.approx(24_000.0)
    dialect = VENUES[venue].dialect
    assert dialect.bucket_ms + dialect.delay_ms < 2_000
    # What is later than that has waited for the machine.
    assert dialect.delay_ms <= received_ms - item.event_ms < 10_000


@pytest.mark.parametrize("venue", list(VENUES))
async def test_heartbeats_and_protocol_pings_are_answered(sim: Simulator, venue: str) -> None:
    async with await subscribed(sim, venue) as client:
        await asyncio.wait_for(await client.ping(), 60)
        heartbeat = VENUES[venue].heartbeat
        if heartbeat is not None:
            await client.send(heartbeat.text())
            answer = await asyncio.wait_for(client.recv(), 60)
            assert VENUES[venue].parse(answer, tables(sim.market)[venue], 0) == NOTHING


async def test_binance_wraps_combined_streams(sim: Simulator) -> None:
    url = sim.ws_url("binance").replace("/ws/!forceOrder@arr", "/stream?streams=!forceOrder@arr")
    async with connect(url) as client:
        sim.liquidate([order("binance")])
        message = orjson.loads(await asyncio.wait_for(client.recv(), 60))
    assert message["stream"] == "!forceOrder@arr"
    assert message["data"]["o"]["S"] == "SELL"


async def test_binance_legacy_address_acknowledges_and_never_speaks(sim: Simulator) -> None:
    async with connect(sim.ws_url("binance").replace("/market/ws/", "/ws/")) as client:
        await client.send('{"method":"SUBSCRIBE","params":["!forceOrder@arr"],"id":1}')
        assert orjson.loads(await client.recv()) == {"result": None, "id": 1}
        sim.liquidate([order("binance")])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.recv(), 2.5)


async def test_bybit_sends_only_what_was_subscribed(sim: Simulator) -> None:
    async with connect(sim.ws_url("bybit")) as client:
        request = {"op": "subscribe", "args": ["allLiquidation.ETHUSDT"], "req_id": "7"}
        await client.send(orjson.dumps(request).decode())
        answer = orjson.loads(await client.recv())
        assert (answer["success"], answer["op"], answer["req_id"]) == (True, "subscribe", "7")
        sim.liquidate([order("bybit"), order("bybit", symbol="ETHUSDT", position_side="short")])
        message = orjson.loads(await asyncio.wait_for(client.recv(), 60))
        assert message["topic"] == "allLiquidation.ETHUSDT"
        assert [item["S"] for item in message["data"]] == ["Sell"]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.recv(), 1)


@pytest.mark.parametrize(
    "args", [["allLiquidation.NOSUCHUSDT"], ["liquidation.BTCUSDT"], ["allLiquidation.X"] * 1_200]
)
async def test_bybit_refuses_a_whole_request(sim: Simulator, args: list[str]) -> None:
    async with connect(sim.ws_url("bybit")) as client:
        await client.send(orjson.dumps({"op": "subscribe", "args": args}).decode())
        answer = orjson.loads(await client.recv())
    assert answer["success"] is False
    assert ("21000" in answer["ret_msg"]) == (len(args) > 1)


async def test_okx_sends_an_old_order_first_and_bundles_details(sim: Simulator) -> None:
    now = sim.now_ms()
    sim.market.inject(Order("okx", "BTCUSDT", "short", 0.1, 95_000.0, now - 600_000, now - 600_000))
    async with await subscribed(sim, "okx") as client:
        snapshot = orjson.loads(await asyncio.wait_for(client.recv(), 60))
        assert int(snapshot["data"][0]["details"][0]["ts"]) == now - 600_000
        await asyncio.sleep(1.05 - time.time() % 1)  # so that both fall into one second
        sim.liquidate([order("okx"), order("okx", quantity=0.5)])
        message = orjson.loads(await asyncio.wait_for(client.recv(), 60))
    details = message["data"][0]["details"]
    assert [detail["sz"] for detail in details] == ["25", "50"]
    assert details[0]["side"] == "sell"


async def test_okx_closes_an_idle_connection(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    okx = VENUES["okx"]
    monkeypatch.setitem(VENUES, "okx", replace(okx, dialect=replace(okx.dialect, idle_s=0.3)))
    async with connect(sim.ws_url("okx")) as client:
        with pytest.raises(ConnectionClosed) as caught:
            await asyncio.wait_for(client.recv(), 60)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4004


@pytest.mark.parametrize("text", ["{", "[]", "null", '{"op":7}', '{"op":"subscribe","args":[3]}'])
@pytest.mark.parametrize("venue", list(VENUES))
async def test_nonsense_gets_an_error_and_the_connection_stays(
    sim: Simulator, venue: str, text: str
) -> None:
    async with connect(sim.ws_url(venue)) as client:
        await client.send(text)
        answer = await asyncio.wait_for(client.recv(), 60)
        assert VENUES[venue].parse(answer, tables(sim.market)[venue], 0).error
        await asyncio.wait_for(await client.ping(), 60)


async def test_a_refused_handshake_names_the_status(sim: Simulator) -> None:
    sim.fault("bybit", "refuse", seconds=5, status=403)
    with pytest.raises(InvalidStatus) as caught:
        await connect(sim.ws_url("bybit"))
    assert caught.value.response.status_code == 403
    async with await subscribed(sim, "okx"):
        pass
