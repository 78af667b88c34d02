"""
Gate USDT perpetuals: ``futures.public_liquidates``, batched per second, quantities in contracts.

The sign of ``size`` is that of the order, its price the order's. Rows of the REST history state
the POSITION as ``size`` and the order as ``order_size``, what was paid, and whole seconds: an
order is the same if contract, side, quantity and second are.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from liq_provider.core.coverage import Interval
from liq_provider.core.durations import HOUR_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import CcxtMarket, CcxtRules, Market, MarketTable
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
    RefusedQuery,
    as_dict,
    coin_price,
    dumps,
    market_in_contracts,
    one_topic,
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
    understood,
)
from liq_provider.venues.frame import Frame
from liq_provider.venues.places import Addresses, Place
from liq_provider.venues.rest_history import Fetch, RestHistory, after_oldest, refused

_NAME = "gate"
_CHANNEL = "futures.public_liquidates"
_SECONDS_UNTIL = 100_000_000_000


# -- what it is asked and sends ------------------------------------------------------------


def subscribe(markets: MarketTable) -> list[Request]:
    """One request for all contracts."""
    return [Request(_said(_CHANNEL, event="subscribe", payload=["!all"]))]


def _heartbeat() -> str:
    """Its own ping; its answer proves that everything before it has come."""
    return _said("futures.ping")


def _said(channel: str, **more: Any) -> str:
    return dumps({"time": int(time.time()), "channel": channel, **more})


def parse(frame: Frame, markets: MarketTable, received_ms: int) -> Parsed:
    """Read a batch of orders, or an answer."""
    message = decode(frame)
    if message is None:
        return DAMAGED
    if message.__class__ is not dict:
        return NOT_UNDERSTOOD
    channel, event = message.get("channel"), message.get("event")
    if channel == "futures.pong":
        return NOTHING
    error = message.get("error")
    if error:
        said = error if isinstance(error, dict) else {"message": error}
        return Parsed(error=f"{said.get('message')} (code {said.get('code')})")
    if channel != _CHANNEL:
        return NOT_UNDERSTOOD
    if event == "subscribe":
        return ACKNOWLEDGED
    if event == "unsubscribe":
        return NOTHING
    if event != "update":
        return NOT_UNDERSTOOD
    result = message.get("result")
    if result.__class__ is dict:
        result = [result]  # one order a frame, until 2026-08-20
    if result.__class__ is not list:
        return DAMAGED
    return collect([_record(order, markets, received_ms) for order in result])


def _record(order: Any, markets: MarketTable, received_ms: int) -> Liquidation | Refused:
    if order.__class__ is not dict or order.get("contract").__class__ is not str:
        return NOT_READABLE
    market = markets.get(order["contract"])
    if market is None:
        return UNKNOWN_MARKET
    size = _signed(order.get("size"))
    if not size:
        return Refused("bad_quantity", market.base_asset)
    return build(
        market,
        # A sale closes a long.
        "long" if size < 0 else "short",
        number(order.get("price")),
        abs(size),
        _time_ms(order.get("time_ms") or order.get("time")),
        received_ms,
    )


def _signed(value: Any) -> float:
    """:return: the number with its sign, 0 if it is none"""
    if isinstance(value, bool):
        return 0.0
    text = str(value).strip() if isinstance(value, str | int | float) else ""
    return -number(text[1:]) if text.startswith("-") else number(text)


def _time_ms(value: Any) -> int:
    """Milliseconds since 2026-08-20, seconds before: told apart by their size."""
    stated = number(value)
    return milliseconds(int(stated * 1000) if stated < _SECONDS_UNTIL else int(stated))


# -- its markets and addresses -------------------------------------------------------------


def _settled_in_usdt(raw: CcxtMarket) -> bool:
    """The address is that of the contracts settled in USDT."""
    return bool(raw.get("linear"))


_ADDRESSES = Addresses(
    owner=r"(.*\.)?(gate|gateio|gateapi)\.(com|io|ws|live)",
    feeds=(Place(r"fx-ws\.(gateio\.ws|gate\.io|gate\.com)", "/v4/ws/usdt"),),
    rest_url="https://api.gateio.ws",
    apis=(Place(r"(fx-)?api\.(gateio\.ws|gate\.io|gate\.com)", ""),),
    instead=(
        (Place(r"fx-ws.*", "/v4/ws/btc"), "is Gate's coin-margined market"),
        (Place(r"fx-ws.*", "/v4/ws/usd1"), "is Gate's market settled in USD1"),
        (Place(r"fx-ws.*", "/v4/ws/delivery.*"), "is Gate's dated futures"),
        (
            Place(r"(api|ws)\.(gateio|gate)\.(ws|io|com)", "/(ws/)?v[34].*"),
            "is Gate's spot market",
        ),
    ),
)


# -- its history ---------------------------------------------------------------------------

_MOST_PAGES = 50
_PAGE = 1_000
_WINDOW_MS = HOUR_MS
# How far before a gap a row is looked for that proves its beginning.
_WINDOWS_BEFORE = 6


def _history(
    market: Market, gap: Interval, now_ms: int, fetch: Fetch
) -> tuple[list[Liquidation], int]:
    """Hour by hour backwards; a row before the gap proves that nothing of it was forgotten."""
    orders: list[Liquidation] = []
    end_ms, first_ms = gap.end_ms, gap.start_ms - _WINDOWS_BEFORE * _WINDOW_MS
    for _ in range(_MOST_PAGES):
        start_ms = max(end_ms - _WINDOW_MS, first_ms)
        page, full = _history_page(market, Interval(start_ms, end_ms), now_ms, fetch)
        orders += page
        if full:
            # More than a page in the window: only its newest are known.
            break
        if any(order.event_ms <= gap.start_ms for order in page):
            return orders, gap.start_ms
        end_ms = start_ms
        if end_ms <= first_ms:
            break
    return orders, after_oldest(orders, gap)


def _history_page(
    market: Market, window: Interval, now_ms: int, fetch: Fetch
) -> tuple[list[Liquidation], bool]:
    rows = fetch(
        "/api/v4/futures/usdt/liq_orders",
        {
            "contract": market.market_id,
            "from": str(window.start_ms // 1000),
            "to": str(window.end_ms // 1000),
            "limit": str(_PAGE),
        },
    )
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise refused(market, rows, "message")
    records = [record_of_row(row, market, now_ms) for row in rows]
    page = collect([record for record in records if record is not None])
    return understood(page, market), len(rows) >= _PAGE


def record_of_row(
    row: Mapping[str, Any], market: Market, received_ms: int
) -> Liquidation | Refused | None:
    """
    :param row: of ``liq_orders``
    :return: the order, less what of it was not executed; None if that is all of it
    """
    if row.get("contract") not in (None, market.market_id):
        return UNKNOWN_MARKET
    # ``size`` is the position, with the opposite sign, and often larger than the order.
    size = _signed(row.get("order_size"))
    if not size:
        return Refused("bad_quantity", market.base_asset)
    executed = abs(size) - abs(_signed(row.get("left")))
    if executed <= 0:
        return None
    price = number(row.get("fill_price")) or number(row.get("order_price"))
    return build(
        market,
        "long" if size < 0 else "short",
        price,
        executed,
        _time_ms(row.get("time_ms") or row.get("time")),
        received_ms,
    )


# -- how the simulator plays it ------------------------------------------------------------


def _market(contract: Contract) -> Market:
    return market_in_contracts(_NAME, f"{contract.coin}_{contract.quote}", contract)


def _encode(
    emit_ms: int, market_id: str, contract: Contract, orders: Sequence[ForcedOrder]
) -> Frame:
    result = [
        {
            "contract": market_id,
            "price": coin_price(order, contract),
            # The sign of the order: a sale closes a long.
            "size": ("-" if order.position_side == "long" else "")
            + contract.contracts(order.quantity),
            "time": order.event_ms,
        }
        for order in orders
    ]
    return dumps(
        {
            "time": emit_ms // 1000,
            "time_ms": emit_ms,
            "channel": _CHANNEL,
            "event": "update",
            "result": result,
        }
    )


def _answer_to(caller: Caller, frame: Frame) -> Iterable[Frame]:
    message = as_dict(frame)
    channel, event = str(message.get("channel")), message.get("event")
    answer = {"time": message.get("time"), "channel": channel, "event": event, "error": None}
    if channel == "futures.ping":
        yield dumps(answer | {"channel": "futures.pong", "event": "", "result": None})
        return
    if channel != _CHANNEL or message.get("payload") != ["!all"]:
        yield dumps(answer | {"error": {"code": 2, "message": "invalid argument"}})
        return
    change = caller.topics.add if event == "subscribe" else caller.topics.discard
    change(channel)
    yield dumps(answer | {"result": {"status": "success"}})


def _contracts(venue: PlayedVenue, query: Query) -> object:
    return [_contract(*entry) for entry in venue.listed()]


def _no_contracts(venue: PlayedVenue, query: Query) -> object:
    return []


def _contract(market_id: str, contract: Contract) -> dict[str, object]:
    return {
        "name": market_id,
        "type": "direct",
        "quanto_multiplier": contract.ct_val,
        "order_price_round": contract.tick,
        "mark_price_round": contract.tick,
        "leverage_min": "1",
        "leverage_max": "50",
        "maintenance_rate": "0.005",
        "order_size_min": 1,
        "order_size_max": 1_000_000,
        "taker_fee_rate": "0.0005",
        "maker_fee_rate": "0.0002",
        "in_delisting": False,
        "create_time": LISTED_MS // 1000,
    }


_FILLED_BETTER = 1.001
_POSITION_LARGER = 3


def _liquidations(venue: PlayedVenue, query: Query) -> object:
    """The same orders as rows: of larger positions, filled at another price, to the second."""
    name = query.get("contract", "")
    from_s, to_s = int(query["from"]), int(query["to"])
    if to_s - from_s > _WINDOW_MS // 1000:
        raise RefusedQuery(400, {"label": "INVALID_PARAM_VALUE", "message": "at most one hour"})
    rows: list[dict[str, Any]] = []
    until_ms = min(venue.now_ms(), (to_s + 3) * 1000)
    for frame in venue.frames(from_s * 1000, until_ms):
        for order in orjson.loads(frame)["result"]:
            if order["contract"] == name and from_s <= order["time"] // 1000 <= to_s:
                rows.append(_row_of(order))
    rows.sort(key=lambda row: -int(row["time"]))
    return rows[: int(query.get("limit") or 100)]


def _row_of(order: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "time": order["time"] // 1000,
        "contract": order["contract"],
        "size": plain(-_POSITION_LARGER * float(order["size"])),
        "order_size": order["size"],
        "left": 0,
        "order_price": order["price"],
        "fill_price": plain(float(order["price"]) * _FILLED_BETTER),
    }


_DIALECT = Dialect(
    bucket_ms=1_000,
    delay_ms=80,
    market=_market,
    encode=_encode,
    answer=_answer_to,
    topic=one_topic(_CHANNEL),
    rest={
        "/api/v4/futures/usdt/contracts": _contracts,
        "/api/v4/futures/btc/contracts": _no_contracts,
        "/api/v4/futures/usdt/liq_orders": _liquidations,
    },
    rest_prefix="/api/v4/",
    ccxt_paths={"rest": ""},
)


VENUE = Venue(
    name=_NAME,
    title="Gate",
    # Its baseline would change what the others say together.
    default_on=False,
    evidence="measured",
    price_kind="order",
    heartbeat=Heartbeat(15.0, _heartbeat),
    endpoints=(
        Endpoint(
            url="wss://fx-ws.gateio.ws/v4/ws/usdt",
            subscribe=subscribe,
            # Without it sizes are cut to whole contracts.
            headers={"X-Gate-Size-Decimal": "1"},
        ),
    ),
    session=Stateless(parse),
    markets=MarketSpec("gate", rules=CcxtRules(keep=_settled_in_usdt)),
    addresses=_ADDRESSES,
    history=RestHistory(_history, by_second=True),
    dialect=_DIALECT,
)
