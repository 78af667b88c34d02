"""Gate's batches: contracts, the sign of the order, seconds or milliseconds."""

from typing import Any

import orjson
import pytest

from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import Market, MarketTable
from liq_provider.venues import VENUES
from liq_provider.venues.fields import NOTHING, Refused
from liq_provider.venues.gate import record_of_row

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
    (order,) = parse(markets, item(size=size)).liquidations
    assert order.position_side == side


@pytest.mark.parametrize("time", [EVENT_MS, str(EVENT_MS), 1_789_669_898, 1_789_669_898.0])
def test_times_are_told_apart_by_their_size(markets: MarketTable, time: Any) -> None:
    (order,) = parse(markets, item(time=time)).liquidations
    assert order.event_ms // 1000 == EVENT_MS // 1000


def test_equal_orders_of_a_batch_count_twice(markets: MarketTable) -> None:
    orders = parse(markets, item(), item(), item(size=5)).liquidations
    assert [order.ordinal for order in orders] == [0, 1, 0]


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
    assert GATE.parse(pong, markets, RECEIVED_MS) == NOTHING
    said = parse(markets, event="subscribe", error={"code": 2, "message": "invalid argument"})
    assert said.error == "invalid argument (code 2)"
    assert not parse(markets, channel="futures.trades").understood


def test_it_asks_for_all_contracts_at_once(markets: MarketTable) -> None:
    (request,) = GATE.endpoints[0].subscribe(markets)
    said = orjson.loads(request.text)
    assert (said["channel"], said["payload"]) == ("futures.public_liquidates", ["!all"])
    assert GATE.heartbeat is not None
    assert orjson.loads(GATE.heartbeat.text())["channel"] == "futures.ping"


def test_sizes_below_one_contract_are_asked_for_and_read(markets: MarketTable) -> None:
    """Without the header at the handshake they come as 0, and others are cut."""
    assert GATE.endpoints[0].headers == {"X-Gate-Size-Decimal": "1"}
    orders = parse(markets, item(size="-0.5"), item(size="-124.5")).liquidations
    assert [order.quantity for order in orders] == [0.5 * 0.0001, 124.5 * 0.0001]


# Rows as Gate's REST history has them: the position as ``size``, the order as ``order_size``.
ROW = {
    "time": EVENT_MS // 1000,
    "contract": "BTC_USDT",
    "size": "-1835",
    "leverage": "20",
    "order_price": "50500",
    "fill_price": "50000",
    "order_size": "309",
    "left": "0",
}


@pytest.mark.parametrize(
    ("changes", "side", "contracts"),
    [
        ({}, "short", 309),
        ({"size": "2000", "order_size": "-165"}, "long", 165),
        ({"order_size": "309", "left": "9"}, "short", 300),
        ({"size": "-2.9", "order_size": "2.9"}, "short", 2.9),
    ],
)
def test_the_history_is_of_the_order_and_not_of_the_position(
    markets: MarketTable, changes: dict[str, Any], side: str, contracts: float
) -> None:
    (market,) = markets
    record = record_of_row(ROW | changes, market, RECEIVED_MS)
    assert isinstance(record, Liquidation)
    assert (record.position_side, record.price) == (side, 50_000.0)
    assert record.quantity == pytest.approx(contracts * 0.0001)


def test_what_was_not_executed_was_not_liquidated(markets: MarketTable) -> None:
    (market,) = markets
    assert record_of_row(ROW | {"left": "309"}, market, RECEIVED_MS) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"order_size": None}, "bad_quantity"),
        ({"order_size": "x"}, "bad_quantity"),
        ({"fill_price": "0", "order_price": "0"}, "bad_price"),
        ({"time": 0}, "bad_time"),
        ({"contract": "ETH_USDT"}, "unknown_market"),
    ],
)
def test_rows_that_say_too_little_are_refused(
    markets: MarketTable, changes: dict[str, Any], reason: str
) -> None:
    (market,) = markets
    record = record_of_row(ROW | changes, market, RECEIVED_MS)
    assert isinstance(record, Refused) and record.reason == reason


def test_an_order_a_frame_as_they_were_sent_before_2026_08_20_is_read(markets: MarketTable) -> None:
    alone = item(size=-20, time=EVENT_MS)
    assert parse(markets, result=alone) == parse(markets, alone)
    assert len(parse(markets, result=alone).liquidations) == 1
