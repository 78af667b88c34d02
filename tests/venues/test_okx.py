"""OKX frames as they were recorded, and what else may come."""

from typing import Any

import orjson
import pytest

from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import Market, MarketTable
from liq_provider.venues import VENUES
from liq_provider.venues.fields import NOTHING

RECEIVED_MS = 1_789_669_899_200
OKX = VENUES["okx"]

LIVE = (
    '{"arg":{"channel":"liquidation-orders","instType":"SWAP"},"data":[{"details":[{"bkLoss":"0",'
    '"bkPx":"0.4162","ccy":"","posSide":"short","side":"buy","sz":"2137","ts":"1789669898955"}],'
    '"instFamily":"CNPY-USDT","instId":"CNPY-USDT-SWAP","instType":"SWAP","uly":"CNPY-USDT"}]}'
)


@pytest.fixture
def markets() -> MarketTable:
    return MarketTable(
        "okx",
        [
            Market("okx", "CNPY-USDT-SWAP", "CNPY/USDT:USDT", "CNPY", 10.0),
            Market("okx", "BTC-USD-SWAP", "BTC/USD:BTC", "BTC", 100.0, linear=False),
        ],
    )


def detail(**changes: Any) -> dict[str, Any]:
    base = {"bkPx": "0.4162", "posSide": "short", "side": "buy", "sz": "2137"}
    return base | {"ts": "1789669898955"} | changes


def contract(*details: Any, market_id: Any = "CNPY-USDT-SWAP") -> dict[str, Any]:
    return {"instId": market_id, "instType": "SWAP", "details": list(details)}


def frame_of(*contracts: Any) -> dict[str, Any]:
    return {
        "arg": {"channel": "liquidation-orders", "instType": "SWAP"},
        "data": list(contracts),
    }


def parse(message: Any, markets: MarketTable) -> Any:
    frame = message if isinstance(message, str | bytes) else orjson.dumps(message)
    return OKX.parse(frame, markets, RECEIVED_MS)


def test_live_frame_is_in_contracts(markets: MarketTable) -> None:
    assert list(parse(LIVE, markets).liquidations) == [
        Liquidation(
            venue="okx",
            market_id="CNPY-USDT-SWAP",
            pair="CNPY/USDT:USDT",
            base_asset="CNPY",
            position_side="short",
            price=0.4162,
            quantity=21_370.0,
            notional_usd=pytest.approx(8_894.194),
            event_ms=1_789_669_898_955,
            received_ms=RECEIVED_MS,
        )
    ]


def test_inverse_contracts_are_worth_dollars(markets: MarketTable) -> None:
    message = frame_of(contract(detail(bkPx="50000", sz="30"), market_id="BTC-USD-SWAP"))
    (order,) = parse(message, markets).liquidations
    assert order.notional_usd == 3_000
    assert order.quantity == pytest.approx(0.06)


@pytest.mark.parametrize(
    ("position", "order", "side"),
    [
        ("long", "sell", "long"),
        ("short", "buy", "short"),
        ("net", "sell", "long"),
        ("net", "buy", "short"),
        ("", "sell", "long"),
        (None, "buy", "short"),
        ("net", "", None),
        ("long", "", "long"),
        ("long", "buy", None),  # no purchase closes a long
        ("short", "sell", None),
        ("both", "buy", None),
        (["net"], "buy", None),
    ],
)
def test_position_side(position: Any, order: str, side: str | None, markets: MarketTable) -> None:
    said = parse(frame_of(contract(detail(posSide=position, side=order))), markets)
    assert [one.position_side for one in said.liquidations] == ([side] if side else [])
    assert dict(said.dropped) == ({} if side else {"bad_side": 1})


def test_all_details_of_all_contracts_are_read(markets: MarketTable) -> None:
    message = frame_of(
        contract(detail(), detail(sz="x"), detail(), None),
        contract(detail(), detail(), market_id="NEW-USDT-SWAP"),
        contract(detail(sz="1"), market_id="BTC-USD-SWAP"),
        contract(market_id=7),
        {"instId": "CNPY-USDT-SWAP", "details": "none"},
        "noise",
    )
    said = parse(message, markets)
    assert [(order.market_id, order.ordinal) for order in said.liquidations] == [
        ("CNPY-USDT-SWAP", 0),
        ("CNPY-USDT-SWAP", 1),
        ("BTC-USD-SWAP", 0),
    ]
    assert dict(said.dropped) == {"bad_quantity": 1, "bad_record": 4, "unknown_market": 2}


def test_answers_are_told_apart(markets: MarketTable) -> None:
    (request,) = OKX.endpoints[0].subscribe(markets)
    arg = orjson.loads(request.text)["args"][0]
    assert parse({"event": "subscribe", "arg": arg, "connId": "x"}, markets).acknowledged == 1
    assert parse("pong", markets) == parse(b"pong", markets) == NOTHING
    assert parse("ping", markets).reply == "pong"
    assert OKX.heartbeat is not None and OKX.heartbeat.text() == "ping"
    error = {"event": "error", "code": "60012", "msg": "Illegal request"}
    assert parse(error, markets).error == "Illegal request (code 60012)"
    assert not parse({"arg": {"channel": "trades"}, "data": []}, markets).understood
