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
from liq_provider.venues import VENUES, Parsed
from liq_provider.venues.dialect import Ping
from liq_provider.venues.fields import NOTHING
from liq_provider.venues.frame import Frame
from tests.simulator.helpers import tables

BTC = {"symbol": "BTCUSDT", "position_side": "long", "quantity": 0.25, "price": 96_000.0}


def order(venue: str, **changes: object) -> OrderRequest:
    return OrderRequest.model_validate({"venue": venue, **BTC, **changes})


async def subscribed(sim: Simulator, venue: str) -> ClientConnection:
    """A client that asked for all markets, at whichever address they are streamed."""
    client = await connect(sim.ws_url(venue))
    known = tables(sim.market)[venue]
    for endpoint in VENUES[venue].endpoints:
        for request in endpoint.subscribe(known.only(filter(endpoint.serves, known))):
            await client.send(request.text)
            _, parsed = await told(client, sim, venue)
            assert parsed.acknowledged == request.acks == 1
    return client


async def told(client: ClientConnection, sim: Simulator, venue: str) -> tuple[Frame, Parsed]:
    """What comes next, less what the venue asks by itself, which is answered."""
    known = tables(sim.market)[venue]
    while True:
        frame = await asyncio.wait_for(client.recv(), 60)
        parsed = VENUES[venue].parse(frame, known, int(time.time() * 1000))
        if parsed.reply is None:
            return frame, parsed
        await client.send(parsed.reply)


@pytest.mark.parametrize("venue", list(VENUES))
async def test_a_liquidation_reaches_a_real_client_within_two_seconds(
    sim: Simulator, venue: str
) -> None:
    async with await subscribed(sim, venue) as client:
        sim.liquidate([order(venue)])
        _, parsed = await told(client, sim, venue)
    (one,) = parsed.liquidations
    assert one.pair == "BTC/USDT:USDT"
    assert one.position_side == "long"
    assert one.notional_usd == pytest.approx(24_000.0)
    dialect = VENUES[venue].dialect
    assert dialect.bucket_ms + dialect.delay_ms < 2_000
    # What is later than that has waited for the machine.
    assert dialect.delay_ms <= one.received_ms - one.event_ms < 10_000


@pytest.mark.parametrize("venue", list(VENUES))
async def test_heartbeats_and_protocol_pings_are_answered(sim: Simulator, venue: str) -> None:
    async with await subscribed(sim, venue) as client:
        await asyncio.wait_for(await client.ping(), 60)
        heartbeat = VENUES[venue].heartbeat
        if heartbeat is not None:
            await client.send(heartbeat.text())
            assert (await told(client, sim, venue))[1] == NOTHING


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
        assert [sent["S"] for sent in message["data"]] == ["Sell"]
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


async def test_a_client_that_does_not_answer_what_it_is_asked_is_cut_off(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    ping = Ping(lambda now_ms: f"ping {now_ms}", every_s=0.1, patience_s=0.5)
    okx = VENUES["okx"]
    monkeypatch.setitem(VENUES, "okx", replace(okx, dialect=replace(okx.dialect, ping=ping)))
    async with connect(sim.ws_url("okx")) as quiet, connect(sim.ws_url("okx")) as polite:
        for _ in range(10):
            assert str(await asyncio.wait_for(polite.recv(), 60)).startswith("ping")
            await polite.send("ping")
            assert await asyncio.wait_for(polite.recv(), 60) == "pong"
        with pytest.raises(ConnectionClosed):
            while True:
                await asyncio.wait_for(quiet.recv(), 60)
        await asyncio.wait_for(await polite.ping(), 60)


@pytest.mark.parametrize("text", ["{", "[]", "null", '{"op":7}', '{"op":"subscribe","args":[3]}'])
@pytest.mark.parametrize("venue", list(VENUES))
async def test_nonsense_gets_an_error_and_the_connection_stays(
    sim: Simulator, venue: str, text: str
) -> None:
    async with connect(sim.ws_url(venue)) as client:
        await client.send(text)
        assert (await told(client, sim, venue))[1].error
        await asyncio.wait_for(await client.ping(), 60)


async def test_a_refused_handshake_names_the_status(sim: Simulator) -> None:
    sim.fault("bybit", "refuse", seconds=5, status=403)
    with pytest.raises(InvalidStatus) as caught:
        await connect(sim.ws_url("bybit"))
    assert caught.value.response.status_code == 403
    async with await subscribed(sim, "okx"):
        pass
