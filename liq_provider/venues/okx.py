"""OKX perpetual swaps: at most one frame per contract and second, quantities in contracts."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import orjson

from liq_provider.core.coverage import Interval
from liq_provider.core.durations import HOUR_MS
from liq_provider.core.liquidation import Liquidation, PositionSide
from liq_provider.core.markets import Market, MarketTable
from liq_provider.errors import FeedError
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
    coin_price,
    dumps,
    market_in_contracts,
    one_topic,
    order_side,
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
from liq_provider.venues.rest_history import Fetch, RestHistory, newest_first, refused
from liq_provider.venues.row_readers import (
    Columns,
    RecordedFrame,
    RowReader,
    TardisRow,
    TardisRows,
)

_NAME = "okx"
_CHANNEL = "liquidation-orders"
_ARG = {"channel": _CHANNEL, "instType": "SWAP"}
_POSITIONS: dict[str, PositionSide] = {"long": "long", "short": "short"}
_CLOSES: dict[str, PositionSide] = {"sell": "long", "buy": "short"}


# -- what it is asked and sends ------------------------------------------------------------


def subscribe(markets: MarketTable) -> list[Request]:
    """One request for all swaps."""
    return [Request(dumps({"op": "subscribe", "args": [_ARG]}))]


def parse(frame: Frame, markets: MarketTable, received_ms: int) -> Parsed:
    """Read a list of contracts with their orders, or an answer."""
    message = decode(frame)
    if message is None:
        return _text(frame)
    if message.__class__ is not dict:
        return NOT_UNDERSTOOD
    if "event" in message:
        return _answer(message)
    channel, data = message.get("arg"), message.get("data")
    if channel.__class__ is not dict or channel.get("channel") != _CHANNEL:
        return NOT_UNDERSTOOD
    if data.__class__ is not list:
        return DAMAGED
    return collect([row for contract in data for row in _rows_of(contract, markets, received_ms)])


def _rows_of(
    contract: Any, markets: MarketTable, received_ms: int
) -> Sequence[Liquidation | Refused]:
    stated = contract if contract.__class__ is dict else {}
    details, market_id = stated.get("details"), stated.get("instId")
    if details.__class__ is not list or market_id.__class__ is not str:
        return (NOT_READABLE,)
    market = markets.get(market_id)
    if market is None:
        return (UNKNOWN_MARKET,) * len(details)
    return [_record(detail, market, received_ms) for detail in details]


def _record(detail: Any, market: Market, received_ms: int) -> Liquidation | Refused:
    if detail.__class__ is not dict:
        return NOT_READABLE
    side = _position_side(detail)
    if side is None:
        return Refused("bad_side", market.base_asset)
    return build(
        market,
        side,
        number(detail.get("bkPx")),
        number(detail.get("sz")),
        milliseconds(detail.get("ts")),
        received_ms,
    )


def _position_side(detail: dict[str, Any]) -> PositionSide | None:
    position = detail.get("posSide")
    # What the order closes. Accounts in one-way mode say "net" of their position.
    closed = _CLOSES.get(str(detail.get("side")))
    if position in ("net", "", None, closed):
        return closed
    # No sale closes a short: which of the two words is right is anybody's guess.
    return None if closed else _POSITIONS.get(str(position))


def _text(frame: Frame) -> Parsed:
    if frame in ("pong", b"pong"):
        return NOTHING
    if frame in ("ping", b"ping"):
        return Parsed(reply="pong")
    return DAMAGED


def _answer(message: dict[str, Any]) -> Parsed:
    event = message.get("event")
    if event == "subscribe":
        return ACKNOWLEDGED
    if event in ("error", "notice"):
        return Parsed(error=f"{message.get('msg')} (code {message.get('code')})")
    if event in ("unsubscribe", "channel-conn-count"):
        return NOTHING
    return NOT_UNDERSTOOD


# -- its markets and addresses -------------------------------------------------------------


def _shipped(base: str, contract_size: float) -> Market:
    return Market(_NAME, f"{base}-USDT-SWAP", f"{base}/USDT:USDT", base, contract_size)


_SHIPPED = (_shipped("BTC", 0.01), _shipped("ETH", 0.1), _shipped("SOL", 1), _shipped("DOGE", 1000))

_ADDRESSES = Addresses(
    owner=r"(.*\.)?(okx|okex)\.(com|cab)",
    feeds=(Place(r"ws[a-z]*\.okx\.com", "/ws/v5/public"),),
    rest_url="https://www.okx.com",
    apis=(Place(r"(www|my|eea|us|app|aws)\.okx\.com", ""),),
    instead=(
        (Place(r".*okex\.com"), "is OKX's old name, which is shut down"),
        (Place(r".*okx\.com", "/ws/v5/(private|business)"), "is OKX's channel for other things"),
        (Place(r".*okx\.com", "/ws/v3.*"), "is an old OKX interface that is shut down"),
    ),
    test_hosts=(r"ws[a-z]*pap\.okx\.com",),
    # With this the usual host serves the demo.
    test_queries=(("brokerid", "9999"),),
)


# -- its history and files -----------------------------------------------------------------

_PAGE = 100


def _history(
    market: Market, gap: Interval, now_ms: int, fetch: Fetch
) -> tuple[list[Liquidation], int]:
    return newest_first(gap, lambda before_ms: _page(market, before_ms, now_ms, fetch))


def _page(market: Market, before_ms: int, now_ms: int, fetch: Fetch) -> list[Liquidation]:
    answer = fetch(
        "/api/v5/public/liquidation-orders",
        {
            "instType": "SWAP",
            "uly": market.market_id.removesuffix("-SWAP"),
            "state": "filled",
            "after": str(before_ms),
            "limit": str(_PAGE),
        },
    )
    if not isinstance(answer, dict) or answer.get("code") != "0":
        raise refused(market, answer, "msg")
    contracts = answer.get("data")
    if not isinstance(contracts, list):
        raise FeedError(f"okx: the history of {market.market_id} was not understood")
    own = [
        row for row in contracts if isinstance(row, dict) and row.get("instId") == market.market_id
    ]
    if not own:
        return []
    return understood(parse(_frame_of(*own), MarketTable(_NAME, [market]), now_ms), market)


def _frame_of(*contracts: Any) -> bytes:
    return orjson.dumps({"arg": _ARG, "data": contracts})


def _detail_frame(market_id: str, detail: dict[str, str]) -> bytes:
    return _frame_of({"instId": market_id, "instType": "SWAP", "details": [detail]})


def _row(row: dict[str, str], market_id: str) -> RecordedFrame:
    market_id = row.pop("instId")
    return RecordedFrame(_detail_frame(market_id, row), market_id)


def _rest_answer(answer: Any) -> Iterable[RecordedFrame | str]:
    contracts = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(contracts, list):
        said = answer.get("msg") if isinstance(answer, dict) else None
        yield f"no answer with data, but {said!r}" if said else "no answer with data"
        return
    for contract in contracts:
        market_id = contract.get("instId") if isinstance(contract, dict) else None
        yield RecordedFrame(_frame_of(contract), str(market_id or ""))


# Answers of the REST history as JSON, or rows with the side of the order, contracts and price.
_REST_ROWS = RowReader(
    name="okx-rest",
    columns=("ts", "instId", "side", "sz", "bkPx"),
    header=frozenset({"instId", "side", "sz", "bkPx"}),
    row=_row,
    json_suffixes=frozenset({".json", ".jsonl"}),
    answer=_rest_answer,
    keys=(b'"instId"', b'"details"', b'"bkPx"'),
    per_market=True,
    at_once=Columns(words=("instId", "side", "posSide"), time="ts", price=("bkPx",), amount="sz"),
)


def _tardis(row: TardisRow) -> Frame:
    detail = {"side": row.order_side, "sz": row.amount, "bkPx": row.price, "ts": row.event_ms}
    return _detail_frame(row.market_id, detail)


# -- how the simulator plays it ------------------------------------------------------------

_LOOK_BACK_MS = 6 * HOUR_MS
_SNAPSHOT_BACK_MS, _SNAPSHOT_AGE_MS = HOUR_MS, 120_000


def _market(contract: Contract) -> Market:
    return market_in_contracts(_NAME, f"{contract.coin}-{contract.quote}-SWAP", contract)


def _encode(
    emit_ms: int, market_id: str, contract: Contract, orders: Sequence[ForcedOrder]
) -> Frame:
    details = [
        {
            "bkLoss": "0",
            "bkPx": coin_price(order, contract),
            "ccy": "",
            "posSide": order.position_side,
            "side": order_side(order).lower(),
            "sz": contract.contracts(order.quantity),
            "ts": str(order.event_ms),
        }
        for order in orders
    ]
    return dumps({"arg": _ARG, "data": [{"details": details, **_instrument_names(market_id)}]})


def _instrument_names(market_id: str) -> dict[str, str]:
    family = market_id.removesuffix("-SWAP")
    return {"instFamily": family, "instId": market_id, "instType": "SWAP", "uly": family}


def _answer_to(caller: Caller, frame: Frame) -> Iterable[Frame]:
    if frame in ("ping", b"ping"):
        yield "pong"
        return
    message = as_dict(frame)
    op, args = message.get("op"), message.get("args")
    if op not in ("subscribe", "unsubscribe") or not isinstance(args, list):
        yield _error(caller, "60012", f"Invalid request: {str(frame)[:200]}")
        return
    for arg in args:
        channel = arg.get("channel") if isinstance(arg, dict) else None
        if channel != _CHANNEL or arg.get("instType") != "SWAP":
            yield _error(caller, "60018", f"Wrong URL or channel:{channel} doesn't exist")
            return
        yield dumps({"event": op, "arg": arg, "connId": caller.conn_id})
        if op == "subscribe":
            caller.topics.add(channel)
            # The first message can be an order from long before the subscription.
            now_ms = caller.venue.now_ms()
            past = caller.venue.frames(now_ms - _SNAPSHOT_BACK_MS, now_ms - _SNAPSHOT_AGE_MS)
            yield from past[-1:]
        else:
            caller.topics.discard(channel)


def _error(caller: Caller, code: str, reason: str) -> str:
    return dumps({"event": "error", "code": code, "msg": reason, "connId": caller.conn_id})


def _rest(*entries: object) -> object:
    return {"code": "0", "msg": "", "data": entries}


def _time(venue: PlayedVenue, query: Query) -> object:
    return _rest({"ts": str(venue.now_ms())})


def _liquidations(venue: PlayedVenue, query: Query) -> object:
    """What was on the stream, heard or not; newest first, a page at a time."""
    family, now_ms = query.get("uly", ""), venue.now_ms()
    after_ms = int(query.get("after") or now_ms)
    limit = min(int(query.get("limit") or _PAGE), _PAGE)
    details: list[dict[str, str]] = []
    for frame in venue.frames(max(after_ms - _LOOK_BACK_MS, 0), min(now_ms, after_ms + 2_000)):
        for contract in orjson.loads(frame)["data"]:
            if contract["instFamily"] == family:
                details += [d for d in contract["details"] if int(d["ts"]) < after_ms]
    if not details:
        return _rest()
    details.sort(key=lambda detail: -int(detail["ts"]))
    return _rest({"details": details[:limit], **_instrument_names(f"{family}-SWAP")})


def _instruments(venue: PlayedVenue, query: Query) -> object:
    kind = query.get("instType", "")
    if kind not in ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"):
        return {"code": "51000", "msg": "Parameter instType error", "data": []}
    return _rest(*(_instrument(*entry) for entry in (venue.listed() if kind == "SWAP" else ())))


def _instrument(market_id: str, contract: Contract) -> dict[str, object]:
    return {
        **dict.fromkeys(("alias", "baseCcy", "expTime", "optType", "quoteCcy", "stk"), ""),
        "category": "1",
        "ctMult": "1",
        "ctType": "linear",
        "ctVal": contract.ct_val,
        "ctValCcy": contract.coin,
        "lever": "50",
        "listTime": str(LISTED_MS),
        "lotSz": "0.01",
        "minSz": "0.01",
        "settleCcy": contract.quote,
        "state": "live",
        "tickSz": plain(Decimal(contract.tick) / contract.multiplier),
        **_instrument_names(market_id),
    }


_DIALECT = Dialect(
    bucket_ms=1_000,
    delay_ms=100,
    market=_market,
    encode=_encode,
    answer=_answer_to,
    topic=one_topic(_CHANNEL),
    idle_s=30.0,
    share=0.2,
    rest={
        "/api/v5/public/time": _time,
        "/api/v5/public/instruments": _instruments,
        "/api/v5/public/liquidation-orders": _liquidations,
    },
    rest_prefix="/api/v5/",
    ccxt_paths={"rest": ""},
)


VENUE = Venue(
    name=_NAME,
    title="OKX",
    default_on=True,
    evidence="documented",
    sampled="one message per contract and second",
    price_kind="bankruptcy",
    # It closes connections that were quiet for 30 s.
    heartbeat=Heartbeat(25.0, lambda: "ping"),
    endpoints=(Endpoint(url="wss://ws.okx.com:8443/ws/v5/public", subscribe=subscribe),),
    session=Stateless(parse),
    markets=MarketSpec("okx", shipped=_SHIPPED),
    addresses=_ADDRESSES,
    history=RestHistory(_history),
    tardis=(TardisRows("okex-swap", _tardis, "contracts"),),
    readers=(_REST_ROWS,),
    dialect=_DIALECT,
)
