"""Bybit frames as they were recorded, and what else may come."""

from typing import Any

import orjson
import pytest

from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import Market, MarketTable
from liq_provider.venues import VENUES
from liq_provider.venues.fields import NOTHING

RECEIVED_MS = 1_789_670_094_600
BYBIT = VENUES["bybit"]

LIVE = (
    '{"topic":"allLiquidation.ICPUSDT","type":"snapshot","ts":1789670094412,'
    '"data":[{"T":1789670094099,"s":"ICPUSDT","S":"Buy","v":"19.7","p":"2.585"}]}'
)


@pytest.fixture
def markets() -> MarketTable:
    return BYBIT.table(
        [
            Market("bybit", "ICPUSDT", "ICP/USDT:USDT", "ICP"),
            Market("bybit", "BTCPERP", "BTC/USDC:USDC", "BTC"),
            Market("bybit", "BTCUSD", "BTC/USD:BTC", "BTC", linear=False),
        ],
    )


def item(**changes: Any) -> dict[str, Any]:
    return {"T": 1_789_670_094_099, "s": "ICPUSDT", "S": "Buy", "v": "19.7", "p": "2.585"} | changes


def parse(message: Any, markets: MarketTable) -> Any:
    frame = message if isinstance(message, str | bytes) else orjson.dumps(message)
    return BYBIT.parse(frame, markets, RECEIVED_MS)


def frame_of(*items: Any) -> dict[str, Any]:
    return {"topic": "allLiquidation.ICPUSDT", "type": "snapshot", "ts": 1, "data": list(items)}


def test_live_frame(markets: MarketTable) -> None:
    assert list(parse(LIVE, markets).liquidations) == [
        Liquidation(
            venue="bybit",
            market_id="ICPUSDT",
            pair="ICP/USDT:USDT",
            base_asset="ICP",
            position_side="long",
            price=2.585,
            quantity=19.7,
            notional_usd=pytest.approx(50.9245),
            event_ms=1_789_670_094_099,
            received_ms=RECEIVED_MS,
        )
    ]


def test_side_is_that_of_the_position(markets: MarketTable) -> None:
    said = parse(frame_of(item(S="Buy"), item(S="Sell")), markets)
    assert [order.position_side for order in said.liquidations] == ["long", "short"]


def test_inverse_quantities_are_dollars(markets: MarketTable) -> None:
    (order,) = parse(frame_of(item(s="BTCUSD", v="5000", p="50000")), markets).liquidations
    assert order.notional_usd == 5000
    assert order.quantity == pytest.approx(0.1)


def test_several_items_good_and_bad(markets: MarketTable) -> None:
    said = parse(
        frame_of(
            item(),
            item(),
            item(v="1"),
            item(v="nan"),
            item(p="0"),
            item(S="long"),
            item(T=1_789_670_094),
            item(s="BTCUSDT-26SEP26"),
            item(s=None),
            None,
        ),
        markets,
    )
    assert [(order.quantity, order.ordinal) for order in said.liquidations] == [
        (19.7, 0),
        (19.7, 1),
        (1.0, 0),
    ]
    assert dict(said.dropped) == {
        "bad_quantity": 1,
        "bad_price": 1,
        "bad_side": 1,
        "bad_time": 1,
        "unknown_market": 1,
        "bad_record": 2,
    }


def test_subscriptions_name_every_linear_market_within_the_limit() -> None:
    ids = [f"COIN{number:04d}USDT" for number in range(2_000)]
    table = MarketTable("bybit", [Market("bybit", name, "", "") for name in ids])
    requests = [orjson.loads(request.text) for request in BYBIT.endpoints[0].subscribe(table)]
    assert all(len(orjson.dumps(request["args"])) <= 21_000 for request in requests)
    topics = [topic for request in requests for topic in request["args"]]
    assert topics == [f"allLiquidation.{name}" for name in ids]
    assert len(requests) == 3


def test_inverse_markets_are_not_on_the_linear_address(markets: MarketTable) -> None:
    (request,) = BYBIT.endpoints[0].subscribe(markets)
    assert orjson.loads(request.text) == {
        "op": "subscribe",
        "args": ["allLiquidation.BTCPERP", "allLiquidation.ICPUSDT"],
    }
    assert BYBIT.endpoints[0].subscribe(BYBIT.table()) == []


def test_answers_are_told_apart(markets: MarketTable) -> None:
    base = {"success": True, "ret_msg": "", "conn_id": "x"}
    assert parse(base | {"op": "subscribe"}, markets).acknowledged == 1
    assert parse(base | {"op": "ping", "ret_msg": "pong"}, markets) == NOTHING
    assert parse({"op": "pong", "args": ["1789670094412"]}, markets) == NOTHING
    assert BYBIT.heartbeat is not None
    assert orjson.loads(BYBIT.heartbeat.text()) == {"op": "ping"}


@pytest.mark.parametrize(
    ("message", "rejected"),
    [
        ("error:handler not found,topic:allLiquidation.GONEUSDT", ("GONEUSDT",)),
        ("error:already subscribed,topic:allLiquidation.ICPUSDT", ()),
        ("Request not authorized", ()),
        (None, ()),
    ],
)
def test_refused_topics_are_named(
    message: str | None, rejected: tuple[str, ...], markets: MarketTable
) -> None:
    said = parse({"success": False, "ret_msg": message, "op": "subscribe"}, markets)
    assert said.error and said.acknowledged == 0
    assert said.rejected == rejected


def test_the_removed_topic_is_not_understood(markets: MarketTable) -> None:
    old = {"topic": "liquidation.ICPUSDT", "data": {"symbol": "ICPUSDT", "side": "Buy"}}
    assert not parse(old, markets).understood
