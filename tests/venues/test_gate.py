"""Gate's batches: contracts, the sign of the order, seconds or milliseconds."""

from typing import Any

import orjson
import pytest

from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import Market, MarketTable
from liq_provider.venues import VENUES
from liq_provider.venues.gate import order_of_history

RECEIVED_MS = 1_789_669_899_200
EVENT_MS = 1_789_669_898_955
GATE = VENUES["gate"]


@pytest.fixture
def markets() -> MarketTable:
    return MarketTable("gate", [Market("gate", "BTC_USDT", "BTC/USDT:USDT", "BTC", 0.0001)])


def item(**changes: Any) -> dict[str, Any]:
    return {"contract": "BTC_USDT", "price": "50000", "size": "-20", "time": EVENT_MS} | changes


def parse(markets: MarketTable, *items: Any, **changes: Any) -> Any:
    frame = {
        "time": EVENT_MS // 1000,
        "channel": "futures.public_liquidates",
        "event": "update",
        "result": list(items),
    }
    return GATE.parse(orjson.dumps(frame | changes), markets, RECEIVED_MS)


def test_a_sale_liquidates_a_long_in_contracts(markets: MarketTable) -> None:
    assert list(parse(markets, item()).liquidations) == [
        Liquidation(
            "gate",
            "BTC_USDT",
            "BTC/USDT:USDT",
            "BTC",
            "long",
            50_000.0,
            pytest.approx(0.002),
            pytest.approx(100.0),
            EVENT_MS,
            RECEIVED_MS,
        )
    ]


@pytest.mark.parametrize(
    ("size", "side"), [(-20, "long"), (20, "short"), ("20", "short"), ("-0.5", "long")]
)
def test_the_sign_is_that_of_the_order(markets: MarketTable, size: Any, side: str) -> None:
    (found,) = parse(markets, item(size=size)).liquidations
    assert found.position_side == side


@pytest.mark.parametrize("time", [EVENT_MS, str(EVENT_MS), 1_789_669_898, 1_789_669_898.0])
def test_times_are_told_apart_by_their_size(markets: MarketTable, time: Any) -> None:
    (found,) = parse(markets, item(time=time)).liquidations
    assert found.event_ms // 1000 == EVENT_MS // 1000


def test_equal_orders_of_a_batch_count_twice(markets: MarketTable) -> None:
    found = parse(markets, item(), item(), item(size=5)).liquidations
    assert [order.ordinal for order in found] == [0, 1, 0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"contract": "NEW_USDT"}, "unknown_market"),
        ({"contract": None}, "bad_record"),
        ({"size": 0}, "bad_quantity"),
        ({"size": "x"}, "bad_quantity"),
        ({"size": True}, "bad_quantity"),
        ({"price": "0"}, "bad_price"),
        ({"time": 0}, "bad_time"),
        ({"time": EVENT_MS * 1000}, "bad_time"),
    ],
)
def test_what_is_no_order_is_counted(
    markets: MarketTable, changes: dict[str, Any], reason: str
) -> None:
    said = parse(markets, item(**changes), item())
    assert said.dropped == {reason: 1}
    assert len(said.liquidations) == 1


def test_answers(markets: MarketTable) -> None:
    assert parse(markets, event="subscribe", result={"status": "success"}).acknowledged == 1
    pong = orjson.dumps({"time": 1, "channel": "futures.pong", "event": "", "result": None})
    assert GATE.parse(pong, markets, RECEIVED_MS).alive
    said = parse(markets, event="subscribe", error={"code": 2, "message": "invalid argument"})
    assert said.error == "invalid argument (code 2)"
    assert not parse(markets, channel="futures.trades").understood


def test_it_asks_for_all_contracts_at_once(markets: MarketTable) -> None:
    (request,) = GATE.subscriptions(markets)
    said = orjson.loads(request)
    assert (said["channel"], said["payload"]) == ("futures.public_liquidates", ["!all"])
    assert orjson.loads(GATE.heartbeat())["channel"] == "futures.ping"


def test_the_history_has_the_opposite_sign(markets: MarketTable) -> None:
    row = {"contract": "BTC_USDT", "size": "20", "fill_price": "50000", "time": EVENT_MS // 1000}
    (found,) = parse(markets, order_of_history(row)).liquidations
    assert found.position_side == "long"
