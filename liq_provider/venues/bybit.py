"""Bybit linear perpetuals: the complete tape, one topic per symbol, every 500 ms."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from liq_provider.core.coins import base_asset_of
from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import Market, MarketTable
from liq_provider.venues.base import (
    Endpoint,
    Heartbeat,
    MarketSpec,
    Parsed,
    Request,
    Stateless,
    Venue,
)
from liq_provider.venues.dialect import (
    LISTED_MS,
    Caller,
    Contract,
    Dialect,
    ForcedOrder,
    PlayedVenue,
    Query,
    as_dict,
    dumps,
    market_in_base,
    plain,
)
from liq_provider.venues.fields import (
    ACKNOWLEDGED,
    DAMAGED,
    NOT_READABLE,
    NOT_UNDERSTOOD,
    NOTHING,
    UNKNOWN_MARKET,
    Refused,
    build,
    collect,
    decode,
    milliseconds,
    number,
)
from liq_provider.venues.frame import Frame
from liq_provider.venues.places import Addresses, Place
from liq_provider.venues.row_readers import TardisRow, TardisRows

_NAME = "bybit"
_TOPIC = "allLiquidation."

# Bybit refuses requests whose args are longer.
_MAX_ARGS_CHARS = 21_000


# -- what it is asked and sends ------------------------------------------------------------


def subscribe(markets: MarketTable) -> list[Request]:
    """There is no wildcard: every linear market is named, in as few requests as allowed."""
    requests: list[Request] = []
    topics: list[str] = []
    size = 2
    for market_id in sorted(market.market_id for market in markets if market.linear):
        topic = _TOPIC + market_id
        length = len(topic.encode()) + 3  # quotes and comma
        if topics and size + length > _MAX_ARGS_CHARS:
            requests.append(_request(topics))
            topics, size = [], 2
        topics.append(topic)
        size += length
    if topics:
        requests.append(_request(topics))
    return requests


def _request(topics: list[str]) -> Request:
    return Request(dumps({"op": "subscribe", "args": topics}))


def parse(frame: Frame, markets: MarketTable, received_ms: int) -> Parsed:
    """Read one topic's list of positions, or an answer."""
    message = decode(frame)
    if message is None:
        return DAMAGED
    if message.__class__ is not dict:
        return NOT_UNDERSTOOD
    topic = message.get("topic")
    if topic.__class__ is not str:
        return _answer(message)
    data = message.get("data")
    if not topic.startswith(_TOPIC):
        return NOT_UNDERSTOOD
    if data.__class__ is not list:
        return DAMAGED
    return collect([_record(position, markets, received_ms) for position in data])


def _record(position: Any, markets: MarketTable, received_ms: int) -> Liquidation | Refused:
    if position.__class__ is not dict:
        return NOT_READABLE
    market_id = position.get("s")
    if market_id.__class__ is not str:
        return NOT_READABLE
    market = markets.get(market_id)
    if market is None:
        return UNKNOWN_MARKET
    side = position.get("S")
    # The side of the POSITION, unlike Binance: Buy means that a long was liquidated.
    if side != "Buy" and side != "Sell":
        return Refused("bad_side", market.base_asset)
    return build(
        market,
        "long" if side == "Buy" else "short",
        number(position.get("p")),
        number(position.get("v")),
        milliseconds(position.get("T")),
        received_ms,
    )


def _answer(message: dict[str, Any]) -> Parsed:
    operation = message.get("op")
    text = message.get("ret_msg")
    if message.get("success") is False:
        return Parsed(error=str(text or "refused without a reason"), rejected=_rejected(text))
    if operation == "subscribe":
        return ACKNOWLEDGED
    if operation == "pong" or (operation == "ping" and text == "pong"):
        return NOTHING
    return NOTHING if operation == "unsubscribe" else NOT_UNDERSTOOD


def _rejected(text: Any) -> tuple[str, ...]:
    """
    One symbol that was delisted makes Bybit refuse the whole request, naming the topic:
    ``error:handler not found,topic:allLiquidation.XYZUSDT``.
    """
    if not isinstance(text, str) or "already subscribed" in text:
        return ()
    words = text.replace(",", " ").replace(":", " ").replace("[", " ").replace("]", " ").split()
    return tuple(word.removeprefix(_TOPIC) for word in words if word.startswith(_TOPIC))


# -- its markets and addresses -------------------------------------------------------------

# USDC perpetuals are written as BTCPERP; BTCUSDC is a spot symbol.
_SYMBOL = re.compile(r"^([A-Z0-9\u4e00-\u9fff]+?)USDT")


def _by_name(market_id: str) -> Market | None:
    """Quantities are in coins, so that a symbol tells all there is to know."""
    match = _SYMBOL.fullmatch(market_id)
    if match is None:
        return None
    base = match[1]
    return Market(_NAME, market_id, f"{base}/USDT:USDT", base_asset_of(base))


_HOSTS = r"(bybit\.[a-z]+|bytick\.com|bybit-tr\.com|bybitgeorgia\.ge)"

_ADDRESSES = Addresses(
    owner=rf"(.*\.)?{_HOSTS}",
    feeds=(Place(rf"stream\.{_HOSTS}", "/v5/public/linear"),),
    rest_url="https://api.bybit.com",
    apis=(Place(rf"api\.{_HOSTS}", ""),),
    instead=(
        (Place(rf".*{_HOSTS}", "/v5/public/inverse"), "is Bybit's inverse (coin-margined) market"),
        (Place(rf".*{_HOSTS}", "/v5/public/spot"), "is Bybit's spot market"),
        (Place(rf".*{_HOSTS}", "/v5/public/option"), "is Bybit's options"),
        (
            Place(rf".*{_HOSTS}", "/(realtime.*|(contract|spot|option)/.*|perpetual.*)"),
            "is an old Bybit interface that is shut down",
        ),
    ),
)


# -- files of its orders -------------------------------------------------------------------


def _tardis(row: TardisRow) -> Frame:
    position: dict[str, str | int] = {
        "T": milliseconds(row.event_ms),
        "s": row.market_id,
        # Its own frames name the side of the position.
        "S": "Buy" if row.order_side == "sell" else "Sell",
        "v": row.amount,
        "p": row.price,
    }
    return orjson.dumps({"topic": _TOPIC + row.market_id, "type": "snapshot", "data": [position]})


# -- how the simulator plays it ------------------------------------------------------------


def _market(contract: Contract) -> Market:
    return market_in_base(_NAME, contract.symbol, contract)


def _topic(market_id: str) -> str:
    return _TOPIC + market_id


def _encode(
    emit_ms: int, market_id: str, contract: Contract, orders: Sequence[ForcedOrder]
) -> Frame:
    items = [
        {
            "T": order.event_ms,
            "s": market_id,
            "S": "Buy" if order.position_side == "long" else "Sell",
            "v": plain(order.quantity),
            "p": plain(order.price),
        }
        for order in orders
    ]
    return dumps({"topic": _topic(market_id), "type": "snapshot", "ts": emit_ms, "data": items})


def _answer_to(caller: Caller, frame: Frame) -> Iterable[Frame]:
    message = as_dict(frame)
    op, req_id = message.get("op"), str(message.get("req_id", ""))
    if op == "ping":
        yield _reply(caller, "ping", req_id, "pong", True)
        return
    args = message.get("args")
    if op not in ("subscribe", "unsubscribe") or not isinstance(args, list):
        yield _reply(caller, str(op), req_id, "error:invalid op", False)
        return
    reason = _refusal(caller, list(map(str, args)), len(orjson.dumps(args)))
    if not reason:
        topics = caller.topics
        change = topics.update if op == "subscribe" else topics.difference_update
        change(map(str, args))
    yield _reply(caller, op, req_id, reason, not reason)


def _refusal(caller: Caller, topics: list[str], chars: int) -> str:
    if chars > _MAX_ARGS_CHARS:
        return f"error:args size exceeds {_MAX_ARGS_CHARS}"
    for topic in topics:
        if not topic.startswith(_TOPIC) or not caller.venue.lists(topic.removeprefix(_TOPIC)):
            # The real exchange refuses the whole request for one unknown topic.
            return f"error:handler not found,topic:{topic}"
    return ""


def _reply(caller: Caller, op: str, req_id: str, reason: str, success: bool) -> str:
    answer = {"success": success, "ret_msg": reason, "conn_id": caller.conn_id}
    return dumps({**answer, "req_id": req_id, "op": op})


def _time(venue: PlayedVenue, query: Query) -> object:
    now_ms = venue.now_ms()
    result = {"timeSecond": str(now_ms // 1000), "timeNano": str(now_ms * 1_000_000)}
    return _rest(venue, result)


def _instruments(venue: PlayedVenue, query: Query) -> object:
    category = query.get("category", "")
    if category not in ("linear", "inverse", "spot", "option"):
        return _rest(venue, {}, 10_001, "params error: category")
    # ccxt asks again for PreLaunch contracts; there are none, nor other categories.
    wanted = category == "linear" and query.get("status", "Trading") == "Trading"
    listed = [_instrument(*entry) for entry in (venue.listed() if wanted else ())]
    return _rest(venue, {"category": category, "list": listed, "nextPageCursor": ""})


def _rest(venue: PlayedVenue, result: object, code: int = 0, message: str = "OK") -> object:
    return {
        "retCode": code,
        "retMsg": message,
        "result": result,
        "retExtInfo": {},
        "time": venue.now_ms(),
    }


def _instrument(market_id: str, contract: Contract) -> dict[str, object]:
    return {
        "symbol": market_id,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": contract.base,
        "quoteCoin": contract.quote,
        "settleCoin": contract.quote,
        "launchTime": str(LISTED_MS),
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(contract.tick_digits),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "50.00", "leverageStep": "0.01"},
        "priceFilter": {
            "minPrice": contract.tick,
            "maxPrice": plain(contract.price * 1_000),
            "tickSize": contract.tick,
        },
        "lotSizeFilter": {
            "maxOrderQty": "10000000",
            "minOrderQty": contract.step,
            "qtyStep": contract.step,
            "minNotionalValue": "5",
        },
        "unifiedMarginTrade": True,
        "fundingInterval": 480,
        "isPreListing": False,
    }


_DIALECT = Dialect(
    bucket_ms=500,
    delay_ms=50,
    market=_market,
    encode=_encode,
    answer=_answer_to,
    topic=_topic,
    share=0.3,
    rest={"/v5/market/time": _time, "/v5/market/instruments-info": _instruments},
    rest_prefix="/v5/market/",
    ccxt_paths=dict.fromkeys(("spot", "futures", "v2", "public", "private"), ""),
)


VENUE = Venue(
    name=_NAME,
    title="Bybit",
    default_on=True,
    evidence="documented",
    price_kind="bankruptcy",  # the fill is not published
    latency_ms=600,
    # It closes connections that send nothing for a while.
    heartbeat=Heartbeat(20.0, lambda: '{"op":"ping"}'),
    endpoints=(
        Endpoint(
            url="wss://stream.bybit.com/v5/public/linear", subscribe=subscribe, by_market=True
        ),
    ),
    session=Stateless(parse),
    markets=MarketSpec("bybit", ("linear",), rule=_by_name),
    addresses=_ADDRESSES,
    tardis=(TardisRows("bybit", _tardis, "contracts"),),
    dialect=_DIALECT,
)
