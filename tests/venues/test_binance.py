"""Binance frames as they were recorded, and what else may come."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest

from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import Market, MarketTable
from liq_provider.venues import VENUES

RECEIVED_MS = 1_791_391_083_500
BINANCE = VENUES["binance"]
RECORDED = Path(__file__).parents[2].parent / "shared" / "recorded"

# As received on 2026-10-08.
LIVE = (
    '{"stream":"!forceOrder@arr","data":{"e":"forceOrder","E":1791391083124,"o":{"s":"ILVUSDT",'
    '"S":"SELL","o":"LIMIT","f":"IOC","q":"116.5","p":"3.80300","ap":"3.85642","X":"FILLED",'
    '"l":"25.2","z":"116.5","T":1791391082119,"ps":"ILVUSDT","st":1}}}'
)


@pytest.fixture
def markets() -> MarketTable:
    return BINANCE.table(
        [
            Market("binance", "ILVUSDT", "ILV/USDT:USDT", "ILV"),
            Market("binance", "BTCUSD_PERP", "BTC/USD:BTC", "BTC", 100.0, linear=False),
        ],
    )


def event(**changes: Any) -> dict[str, Any]:
    """The live event with other fields in the order; None removes one."""
    live = deepcopy(orjson.loads(LIVE)["data"])
    for key, value in changes.items():
        if value is None:
            live["o"].pop(key, None)
        else:
            live["o"][key] = value
    return live


def parse(message: Any, markets: MarketTable) -> Any:
    frame = message if isinstance(message, str | bytes) else orjson.dumps(message)
    return BINANCE.parse(frame, markets, RECEIVED_MS)


@pytest.mark.parametrize("form", ["wrapped", "bare", "bytes", "order only", "list"])
def test_live_frame_is_read_in_every_form(form: str, markets: MarketTable) -> None:
    message: Any = {
        "wrapped": LIVE,
        "bytes": LIVE.encode(),
        "bare": event(),
        "order only": event()["o"],
        "list": [event()],
    }[form]
    said = parse(message, markets)
    assert said.understood and not said.dropped
    assert list(said.liquidations) == [
        Liquidation(
            venue="binance",
            market_id="ILVUSDT",
            pair="ILV/USDT:USDT",
            base_asset="ILV",
            position_side="long",
            price=3.85642,
            quantity=116.5,
            notional_usd=pytest.approx(449.27293),
            event_ms=1_791_391_082_119,
            received_ms=RECEIVED_MS,
        )
    ]


def test_bought_back_position_was_a_short(markets: MarketTable) -> None:
    assert parse(event(S="BUY"), markets).liquidations[0].position_side == "short"


def test_whole_order_counts_not_its_last_fill(markets: MarketTable) -> None:
    order = parse(event(l="1", z="50", q="60"), markets).liquidations[0]
    assert order.quantity == 50
    assert order.notional_usd == pytest.approx(50 * 3.85642)


@pytest.mark.parametrize("average", [None, "0", "None", "", "0.0000", 0, "NaN"])
def test_order_price_stands_in_for_a_missing_average(average: Any, markets: MarketTable) -> None:
    order = parse(event(ap=average), markets).liquidations[0]
    assert order.price == 3.803


@pytest.mark.parametrize("where", ["inside", "beside"])
@pytest.mark.parametrize(("product", "kept"), [(1, True), ("1", True), (2, False), ("2", False)])
def test_coin_m_events_in_the_stream_are_left_out(
    where: str, product: Any, kept: bool, markets: MarketTable
) -> None:
    message = event(st=product if where == "inside" else None)
    if where == "beside":
        message["st"] = product
    said = parse(message, markets)
    assert len(said.liquidations) == int(kept)
    assert dict(said.dropped) == ({} if kept else {"coin_m": 1})


def test_old_frames_without_product_are_usd_m(markets: MarketTable) -> None:
    assert len(parse(event(st=None), markets).liquidations) == 1


def test_coin_m_symbol_without_product_is_not_booked_as_coins(markets: MarketTable) -> None:
    said = parse(event(st=None, s="BTCUSD_PERP"), markets)
    assert not said.liquidations and dict(said.dropped) == {"coin_m": 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"s": "BTCUSDT_260925"}, "unknown_market"),
        ({"s": "ETHBTC"}, "unknown_market"),
        ({"s": ["ILVUSDT"]}, "bad_record"),
        ({"st": 7}, "bad_record"),
        ({"S": "sell"}, "bad_side"),
        ({"S": None}, "bad_side"),
        ({"z": "0"}, "bad_quantity"),
        ({"z": "-5"}, "bad_quantity"),
        ({"z": "inf"}, "bad_quantity"),
        ({"z": None}, "bad_quantity"),
        ({"z": True}, "bad_quantity"),
        ({"z": {"v": 1}}, "bad_quantity"),
        ({"ap": "-1", "p": "x"}, "bad_price"),
        ({"ap": "nan", "p": "inf"}, "bad_price"),
        ({"z": "1e300"}, "bad_notional"),
        ({"T": 1_791_391_082}, "bad_time"),
        ({"T": 1_791_391_082_119_000}, "bad_time"),
        ({"T": -1}, "bad_time"),
        ({"T": "soon"}, "bad_time"),
        ({"T": False}, "bad_time"),
        ({"T": [1]}, "bad_time"),
    ],
)
def test_impossible_records_are_counted_by_reason(
    changes: dict[str, Any], reason: str, markets: MarketTable
) -> None:
    said = parse(event(**changes), markets)
    assert said.understood
    assert not said.liquidations
    assert dict(said.dropped) == {reason: 1}


def test_good_records_beside_bad_ones_are_kept(markets: MarketTable) -> None:
    said = parse([event(), event(z="x"), "noise", event(S="?"), event(z="1")], markets)
    assert [order.quantity for order in said.liquidations] == [116.5, 1.0]
    assert dict(said.dropped) == {"bad_quantity": 1, "bad_record": 1, "bad_side": 1}


def test_equal_orders_of_one_message_are_numbered(markets: MarketTable) -> None:
    said = parse([event(), event(), event(z="1")], markets)
    assert [order.ordinal for order in said.liquidations] == [0, 1, 0]


def test_new_listing_is_booked_before_the_market_list_knows_it(markets: MarketTable) -> None:
    order = parse(event(s="1000NEWUSDT"), markets).liquidations[0]
    assert (order.pair, order.base_asset) == ("1000NEW/USDT:USDT", "NEW")


def test_answers_are_told_apart(markets: MarketTable) -> None:
    assert parse({"result": None, "id": 1}, markets).acknowledged == 1
    assert (
        "bad method (code 2)"
        in parse({"error": {"code": 2, "msg": "bad method"}, "id": 1}, markets).error
    )
    assert parse({"code": 3, "msg": "too fast"}, markets).error == "too fast (code 3)"
    assert BINANCE.endpoints[0].subscribe(markets) == []


@pytest.mark.recorded
def test_recorded_orders_are_all_read(markets: MarketTable) -> None:
    path = RECORDED / "binance_forceorder_sample.jsonl"
    if not path.exists():
        pytest.skip(f"no recorded data at {path}")
    for line in path.read_bytes().splitlines():
        order = orjson.loads(line)
        wrapped = orjson.dumps({"e": "forceOrder", "E": order["T"] + 1000, "o": order})
        for frame in (line, wrapped):
            said = BINANCE.parse(frame, markets, order["T"] + 1000)
            assert said.understood and not said.dropped
            (one,) = said.liquidations
            assert one.notional_usd == pytest.approx(float(order["z"]) * float(order["ap"]))
            assert one.position_side == ("long" if order["S"] == "SELL" else "short")
            assert one.event_ms == order["T"]
