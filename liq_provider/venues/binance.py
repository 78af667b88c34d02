"""
Binance USD-M futures: ``!forceOrder@arr``, at most the largest order per symbol and second.

The address ``/ws/`` without ``/market`` still connects and has been silent since 2026-04-23.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson

from liq_provider.core.coins import base_asset_of
from liq_provider.core.durations import DAY_S
from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import Market, MarketTable
from liq_provider.venues.base import Endpoint, MarketSpec, Parsed, Stateless, Venue
from liq_provider.venues.dialect import (
    Caller,
    Contract,
    Dialect,
    ForcedOrder,
    Query,
    SocketPath,
    as_dict,
    bankruptcy_price,
    dumps,
    market_in_base,
    one_topic,
    order_side,
    plain,
)
from liq_provider.venues.fields import (
    ACKNOWLEDGED,
    COIN_M,
    DAMAGED,
    NOT_READABLE,
    NOT_UNDERSTOOD,
    NOTHING,
    UNKNOWN_KIND,
    UNKNOWN_MARKET,
    Refused,
    build,
    collect,
    decode,
    milliseconds,
    number,
    refused_for,
)
from liq_provider.venues.frame import Frame
from liq_provider.venues.places import Addresses, Place
from liq_provider.venues.row_readers import (
    Columns,
    DayName,
    RecordedFrame,
    RowReader,
    TardisRow,
    TardisRows,
)

_NAME = "binance"
_EVENT = "forceOrder"
_STREAM = "!forceOrder@arr"

# "st" tells the product lines apart that share the stream since 2026-06-30.
_USD_M = (1, "1", None)
_COIN_M = (2, "2")


# -- what it sends -------------------------------------------------------------------------


def parse(frame: Frame, markets: MarketTable, received_ms: int) -> Parsed:
    """Read a bare event, one wrapped in ``{"stream", "data"}``, a list, or an answer."""
    message = decode(frame)
    if message is None:
        return DAMAGED
    ours = False
    if message.__class__ is dict:
        data = message.get("data")
        if data is not None:
            ours = _EVENT in str(message.get("stream"))
            message = data
    if message.__class__ is dict:
        order = _order_of(message)
        if order is None:
            return DAMAGED if ours or message.get("e") == _EVENT else _answer(message)
        return collect((_record(message, order, markets, received_ms),))
    if message.__class__ is list and message:
        return _read_list(message, markets, received_ms)
    return DAMAGED if ours else NOT_UNDERSTOOD


def _order_of(event: dict[str, Any]) -> dict[str, Any] | None:
    """The order in an event, or the event itself if it is a bare order from a recording."""
    order = event.get("o")
    if order.__class__ is dict:
        return order
    return event if "s" in event and "S" in event and "T" in event else None


def _read_list(events: list[Any], markets: MarketTable, received_ms: int) -> Parsed:
    records: list[Liquidation | Refused] = []
    for event in events:
        order = _order_of(event) if event.__class__ is dict else None
        if order is not None:
            records.append(_record(event, order, markets, received_ms))
        elif event.__class__ is dict and event.get("e") not in (None, _EVENT):
            records.append(UNKNOWN_KIND)
        else:
            records.append(NOT_READABLE)
    return collect(records)


def _record(
    event: dict[str, Any], order: dict[str, Any], markets: MarketTable, received_ms: int
) -> Liquidation | Refused:
    product = order.get("st", event.get("st"))
    if product in _COIN_M:
        return COIN_M
    market_id = order.get("s")
    if market_id.__class__ is not str:
        return NOT_READABLE
    market = markets.get(market_id)
    if product not in _USD_M:
        return refused_for(market)  # a product line that is newer than we are
    if market is None:
        return UNKNOWN_MARKET
    if not market.linear:
        return COIN_M  # a frame without "st": its quantity is in contracts
    side = order.get("S")
    if side != "SELL" and side != "BUY":
        return Refused("bad_side", market.base_asset)
    # The average fill price is missing in some recordings; the order's own price is about
    # one percent off and better than nothing.
    price = number(order.get("ap")) or number(order.get("p"))
    return build(
        market,
        "long" if side == "SELL" else "short",
        price,
        number(order.get("z")),
        milliseconds(order.get("T")),
        received_ms,
    )


def _answer(message: dict[str, Any]) -> Parsed:
    error = message.get("error", message if "code" in message and "msg" in message else None)
    if error is not None:
        detail = error if isinstance(error, dict) else {"msg": error}
        return Parsed(error=f"{detail.get('msg')} (code {detail.get('code')})")
    if "result" in message and "id" in message:
        return ACKNOWLEDGED if message["result"] is None else NOTHING
    return NOT_UNDERSTOOD


# -- its markets and addresses -------------------------------------------------------------

_SYMBOL = re.compile(r"^([A-Z0-9\u4e00-\u9fff]+?)(USDT|USDC)")


def _by_name(market_id: str) -> Market | None:
    """Quantities are in coins, so that a symbol tells all there is to know."""
    match = _SYMBOL.fullmatch(market_id)
    if match is None:
        return None
    base, quote = match.groups()
    return Market(_NAME, market_id, f"{base}/{quote}:{quote}", base_asset_of(base))


def _names_the_stream(path: str, query: str) -> bool:
    """The streams are part of the address; only one of them is about all coins."""
    streams = path.rpartition("/ws/")[2].split("/")
    for name, value in parse_qsl(query):
        streams += value.split("/") if name == "streams" else []
    return _STREAM in streams


_FSTREAM = r"fstream[a-z0-9-]*\.binance\.com"

_ADDRESSES = Addresses(
    owner=r"(.*\.)?binance\.(com|us|vision|je|info)",
    feeds=(Place(_FSTREAM, "/market/(ws/.*|stream)"),),
    names_feed=_names_the_stream,
    rest_url="https://fapi.binance.com",
    apis=(Place(r"fapi[0-9]?\.binance\.com", ""),),
    instead=(
        (
            Place(_FSTREAM, "/(ws|stream)(/.*)?"),
            "is the old address without /market: it connects, acknowledges, and has been silent "
            "since April 2026",
        ),
        (
            Place(_FSTREAM, "/market/.*"),
            f"does not name {_STREAM}, the stream of all liquidations",
        ),
        (Place(r"dstream.*\.binance\.com|dapi.*\.binance\.com"), "is Binance's COIN-M"),
        (
            Place(
                r"(stream|ws-api|data-stream|data-api|api[0-9]?|api-gcp)\.binance\.(com|vision|us)"
            ),
            "is Binance's spot market",
        ),
        (Place(r"(nbstream|eapi|vstream)\.binance\.com"), "is Binance's options"),
        (Place(r"(papi|ws-fapi|ws-dapi)\.binance\.com"), "is for orders, not for market data"),
    ),
    test_hosts=(r"(.*\.)?binancefuture\.com",),
)


# -- files of its orders -------------------------------------------------------------------


def _row(row: dict[str, str], market_id: str) -> RecordedFrame:
    return RecordedFrame(orjson.dumps(row), row["s"])


def _line(raw: Any) -> Iterable[RecordedFrame | str]:
    order = raw.get("o", raw) if isinstance(raw, dict) else None
    yield "not a JSON object" if order is None else RecordedFrame(orjson.dumps(raw))


def _is_event(first: Mapping[str, Any]) -> bool:
    event = first.get("data", first)
    inner = event.get("o") if isinstance(event, dict) else None
    # A bare order has an "o" of its own, which is the order's type.
    order = inner if isinstance(inner, dict) else event
    return isinstance(order, dict) and {"s", "S", "z"} <= order.keys()


_ORDERS = RowReader(
    name="binance-forceorder",
    columns=("s", "S", "p", "ap", "z", "T"),
    header=frozenset({"s", "S", "z", "T"}),
    row=_row,
    json_suffixes=frozenset({".jsonl"}),
    answer=_line,
    recognise=_is_event,
    # "data" would make it another kind of message.
    at_once=Columns(words=("s", "S", "st", "data"), time="T", price=("ap", "p"), amount="z"),
)


def _snapshot_row(row: dict[str, str], market_id: str) -> RecordedFrame:
    order = {
        "s": market_id,
        "S": row["side"],
        "p": row["price"],
        "ap": row["average_price"],
        "z": row["accumulated_fill_quantity"],
        "T": row["time"],
    }
    return RecordedFrame(orjson.dumps(order), market_id)


def _no_coin_m(market_id: str) -> str | None:
    if "USD_" not in market_id:
        return None
    return f"{market_id} is a COIN-M contract; LiqTrend records USD-M only"


# Binance's public daily files: the symbol stands in the file's name only.
_SNAPSHOT = RowReader(
    name="liquidation-snapshot",
    columns=("time", "side", "price", "average_price", "accumulated_fill_quantity"),
    header=frozenset({"time", "side", "accumulated_fill_quantity"}),
    row=_snapshot_row,
    day_name=DayName(
        re.compile(
            r"^(?P<market>[A-Z0-9_]+)-liquidationSnapshot-(?P<day>\d{4}-\d{2}-\d{2})"
            r"(?i:\.(zip|csv)(\.[a-z0-9]+)?)$"
        ),
        "BTCUSDT-liquidationSnapshot-2024-03-01.zip",
        _no_coin_m,
    ),
    at_once=Columns(
        words=("side",),
        time="time",
        price=("average_price", "price"),
        amount="accumulated_fill_quantity",
    ),
)


def _tardis(row: TardisRow) -> Frame:
    order = {
        "s": row.market_id,
        "S": row.order_side.upper(),
        "p": row.price,
        "ap": row.price,
        "z": row.amount,
        "T": row.event_ms,
    }
    return orjson.dumps(order)


# -- how the simulator plays it ------------------------------------------------------------


def _market(contract: Contract) -> Market:
    return market_in_base(_NAME, contract.symbol, contract)


def _encode(
    emit_ms: int, market_id: str, contract: Contract, orders: Sequence[ForcedOrder]
) -> Frame:
    order = orders[0]
    quantity = plain(order.quantity)
    # The last of several fills, which is what careless readers take for the whole order.
    last = plain(round(order.quantity * 0.3, contract.step_digits) or order.quantity)
    body = {
        "s": market_id,
        "S": order_side(order),
        "o": "LIMIT",
        "f": "IOC",
        "q": quantity,
        "p": bankruptcy_price(order, contract),
        "ap": plain(order.price),
        "X": "FILLED",
        "l": last,
        "z": quantity,
        "T": order.event_ms,
        "ps": contract.symbol,
        "st": 1,
    }
    return dumps({"e": _EVENT, "E": emit_ms, "o": body})


def _answer_to(caller: Caller, frame: Frame) -> Iterable[Frame]:
    message = as_dict(frame)
    method, params = message.get("method"), message.get("params")
    if method in ("SUBSCRIBE", "UNSUBSCRIBE") and isinstance(params, list):
        topics = caller.topics
        change = topics.update if method == "SUBSCRIBE" else topics.difference_update
        change(map(str, params))
        yield dumps({"result": None, "id": message.get("id")})
        return
    yield dumps({"error": {"code": 2, "msg": "Invalid request"}, "id": message.get("id")})


def _in_the_path(asked: Query) -> Iterable[str]:
    return unquote(asked["streams"]).split("/")


def _in_the_query(asked: Query) -> Iterable[str]:
    return asked.get("streams", "").split("/")


def _wrapped(frame: Frame) -> Frame:
    return f'{{"stream":"{_STREAM}","data":{frame!s}}}'


# Every address ccxt has, so that nothing can leave the machine. A test compares the names with
# the installed ccxt's.
_CCXT_PATHS = {
    **{f"sapi{v}": f"/sapi/v{v[1:] or 1}" for v in ("", "V2", "V3", "V4")},
    **{f"fapiPublic{v}": f"/fapi/v{v[1:] or 1}" for v in ("", "V2", "V3")},
    **{f"fapiPrivate{v}": f"/fapi/v{v[1:] or 1}" for v in ("", "V2", "V3")},
    **{f"papi{v}": f"/papi/v{v[1:] or 1}" for v in ("", "V2")},
    **dict.fromkeys(("dapiPublic", "dapiPrivate"), "/dapi/v1"),
    "dapiPrivateV2": "/dapi/v2",
    **dict.fromkeys(("eapiPublic", "eapiPrivate"), "/eapi/v1"),
    **dict.fromkeys(("dapiData", "fapiData"), "/futures/data"),
    **dict.fromkeys(("public", "private"), "/api/v3"),
    "v1": "/api/v1",
}

# Its REST is the simulator's own: Freqtrade asks for far more of it than anybody here does.
_DIALECT = Dialect(
    bucket_ms=1_000,
    delay_ms=150,
    market=_market,
    encode=_encode,
    answer=_answer_to,
    topic=one_topic(_STREAM),
    one_each=True,
    socket_paths=(
        SocketPath("/market/ws/{streams}", _in_the_path),
        SocketPath("/market/stream", _in_the_query, _wrapped),
        # The addresses without ``/market`` connect, acknowledge, and never speak.
        SocketPath("/ws/{streams}", dead=True),
        SocketPath("/stream", dead=True),
    ),
    share=0.5,
    rest_prefix="/fapi/",
    ccxt_paths=_CCXT_PATHS,
)


VENUE = Venue(
    name=_NAME,
    title="Binance",
    default_on=True,
    evidence="documented",
    sampled="one liquidation per symbol and second, the largest",
    price_kind="fill",
    latency_ms=1_100,
    max_age_s=DAY_S,
    endpoints=(Endpoint(url=f"wss://fstream.binance.com/market/ws/{_STREAM}"),),
    session=Stateless(parse),
    markets=MarketSpec("binance", ("linear",), rule=_by_name),
    addresses=_ADDRESSES,
    tardis=(TardisRows("binance-futures", _tardis, "contracts"),),
    readers=(_ORDERS, _SNAPSHOT),
    dialect=_DIALECT,
)
