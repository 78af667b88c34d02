"""
An exchange that does not exist, odd on purpose: everything is compressed, markets have numbers,
amounts are in the quote, times are seconds with a fraction, and an answer says how much of what
follows is of the past. It asks its clients whether they are there. What is settled in the coin is
streamed elsewhere, in contracts of ten dollars, and three markets are all that a connection takes.
Its paths are those of OKX and Gate.
"""

import gzip
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import orjson

from liq_provider.core.coins import base_asset_of
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import HOUR_MS, MINUTE_MS
from liq_provider.core.liquidation import Liquidation, PositionSide
from liq_provider.core.markets import Market, MarketTable
from liq_provider.errors import FeedError
from liq_provider.venues.base import (
    Endpoint,
    Heartbeat,
    MarketSpec,
    Parsed,
    Request,
    Venue,
)
from liq_provider.venues.dialect import (
    LISTED_MS,
    Caller,
    Contract,
    Dialect,
    ForcedOrder,
    Ping,
    PlayedVenue,
    Query,
    as_dict,
    market_in_base,
)
from liq_provider.venues.fields import (
    DAMAGED,
    NOT_READABLE,
    NOT_UNDERSTOOD,
    NOTHING,
    UNKNOWN_MARKET,
    Refused,
    Unit,
    build,
    collect,
    milliseconds,
    number,
)
from liq_provider.venues.frame import Frame
from liq_provider.venues.places import Addresses, Place
from liq_provider.venues.rest_history import Fetch, RestHistory, after_oldest
from liq_provider.venues.row_readers import RecordedFrame, RowReader, TardisRow, TardisRows

_NAME = "example"
_SIDES: dict[str, PositionSide] = {"l": "long", "s": "short"}
_IN_ONE_REQUEST = 2
_CONTRACT_USD = 10.0
_SETTLED_IN_COIN = ("ETH", "SOL")


def _packed(message: Any) -> bytes:
    return gzip.compress(orjson.dumps(message), mtime=0)


def _unpacked(frame: Frame) -> Any:
    try:
        return orjson.loads(gzip.decompress(frame if isinstance(frame, bytes) else frame.encode()))
    except (OSError, EOFError, zlib.error, UnicodeEncodeError, orjson.JSONDecodeError):
        return None


class PastCounter:
    """Counts down what is of the past."""

    def __init__(self) -> None:
        self._past = 0

    def parse(self, frame: Frame, markets: MarketTable, received_ms: int) -> Parsed:
        message = _unpacked(frame)
        if message is None:
            return DAMAGED
        if not isinstance(message, dict):
            return NOT_UNDERSTOOD
        if "ping" in message:
            return Parsed(reply=_packed({"pong": message["ping"]}))
        if "pong" in message:
            return NOTHING
        if "err" in message:
            return Parsed(error=str(message["err"]))
        if "ok" in message:
            self._past += int(message.get("past") or 0)
            return Parsed(acknowledged=1)
        if "trade" in message:
            return Parsed(life=True)
        rows = message.get("rows")
        if not isinstance(rows, list):
            return DAMAGED if "m" in message else NOT_UNDERSTOOD
        past, self._past = self._past > 0, max(self._past - 1, 0)
        market = markets.get(str(message.get("m")))
        said = collect([_record(row, market, received_ms) for row in rows])
        return Parsed(said.liquidations, dropped=said.dropped, unread=said.unread, past=past)


def _record(row: Any, market: Market | None, received_ms: int) -> Liquidation | Refused:
    if not isinstance(row, list) or len(row) != 4:
        return NOT_READABLE
    if market is None:
        return UNKNOWN_MARKET
    side, price, amount, time_s = row
    if side not in ("l", "s"):
        return Refused("bad_side", market.base_asset)
    event_ms = milliseconds(round(number(time_s) * 1000))
    unit: Unit = "quote" if market.linear else "contracts"
    return build(market, _SIDES[side], number(price), number(amount), event_ms, received_ms, unit)


def _subscribe(markets: MarketTable) -> list[Request]:
    ids = sorted(int(market.market_id) for market in markets)
    return [
        Request(_packed({"sub": ids[n : n + _IN_ONE_REQUEST]}), pause_s=0.05)
        for n in range(0, len(ids), _IN_ONE_REQUEST)
    ]


def _listing(fetch: Fetch) -> list[Market]:
    return [
        Market(
            *(_NAME, str(row["id"]), row["pair"], base_asset_of(row["base"])),
            contract_size=row["size"],
            linear=row["linear"],
            listed_ms=LISTED_MS,
        )
        for row in fetch("/api/v4/markets", {})
    ]


def _settled_in_dollars(market: Market) -> bool:
    return market.linear


def _settled_in_coin(market: Market) -> bool:
    return not market.linear


def _history(
    market: Market, gap: Interval, now_ms: int, fetch: Fetch
) -> tuple[list[Liquidation], int]:
    answer = fetch(f"/api/v4/past/{market.market_id}", {})
    if not isinstance(answer, list):
        raise FeedError(f"{_NAME}: the history of {market.market_id} is refused")
    said = collect([_record(row, market, now_ms) for row in answer])
    orders = [order for order in said.liquidations if order.event_ms < gap.end_ms]
    if any(order.event_ms <= gap.start_ms for order in orders):
        return orders, gap.start_ms
    return orders, after_oldest(orders, gap)


def _row(row: dict[str, str], market_id: str) -> RecordedFrame | str:
    if not row["market"].isdecimal():
        return "market is no number"
    values = [row["side"], row["price"], row["usd"], row["time"]]
    return RecordedFrame(_packed({"m": int(row["market"]), "rows": [values]}), row["market"])


def _tardis(row: TardisRow) -> Frame:
    side = "l" if row.order_side == "sell" else "s"
    values = [side, row.price, row.amount, int(row.event_ms) / 1000]
    return _packed({"m": int(row.market_id), "rows": [values]})


# -- how the simulator plays it


def _market(contract: Contract) -> Market:
    market = market_in_base(_NAME, str(zlib.crc32(contract.symbol.encode())), contract)
    if contract.coin not in _SETTLED_IN_COIN:
        return market
    pair = f"{contract.coin}/USD:{contract.coin}"
    return replace(market, pair=pair, contract_size=_CONTRACT_USD, linear=False)


def _rows(contract: Contract, orders: Sequence[ForcedOrder]) -> list[list[Any]]:
    counted = _CONTRACT_USD if contract.coin in _SETTLED_IN_COIN else 1.0
    return [
        [
            *(order.position_side[0], order.price, order.quantity * order.price / counted),
            order.event_ms / 1000,
        ]
        for order in orders
    ]


def _encode(
    emit_ms: int, market_id: str, contract: Contract, orders: Sequence[ForcedOrder]
) -> Frame:
    return _packed({"m": int(market_id), "rows": _rows(contract, orders)})


def _answer(caller: Caller, frame: Frame) -> Iterable[Frame]:
    message = as_dict(orjson.dumps(_unpacked(frame)))
    wanted = message.get("sub")
    if "pong" in message:
        return
    if "ping" in message:
        yield _packed({"pong": message["ping"]})
    elif not isinstance(wanted, list) or not all(caller.venue.lists(str(m)) for m in wanted):
        yield _packed({"err": "Error: no such market"})
    else:
        caller.topics.update(map(str, wanted))
        now_ms = caller.venue.now_ms()
        past = caller.venue.frames(now_ms - HOUR_MS, now_ms - MINUTE_MS)[-1:]
        yield _packed({"ok": len(wanted), "past": len(past)})
        yield from past


def _topic(market_id: str) -> str:
    return market_id


def _markets(venue: PlayedVenue, query: Query) -> object:
    return [_listed(contract) for _, contract in venue.listed()]


def _listed(contract: Contract) -> dict[str, object]:
    market = _market(contract)
    return {
        "id": int(market.market_id),
        "pair": market.pair,
        "base": contract.base,
        "size": market.contract_size,
        "linear": market.linear,
    }


def _ping(now_ms: int) -> Frame:
    return _packed({"ping": now_ms})


def _past(venue: PlayedVenue, query: Query) -> object:
    frames = map(_unpacked, venue.frames(venue.now_ms() - 6 * HOUR_MS, venue.now_ms()))
    return [
        row for frame in frames if str(frame["m"]) == query.get("market") for row in frame["rows"]
    ]


VENUE = Venue(
    name=_NAME,
    title="Example",
    evidence="argued",
    price_kind="mark",
    sampled="what it likes",
    latency_ms=300,
    heartbeat=Heartbeat(20.0, lambda: _packed({"ping": 1})),
    quiet_alone_s=7_200.0,
    quiet_beside_s=1_800.0,
    endpoints=(
        Endpoint(
            url="wss://stream.exchange.example/ws/v5/public",
            subscribe=_subscribe,
            headers={"X-Example-Version": "2"},
            by_market=True,
            serves=_settled_in_dollars,
            most_markets=3,
        ),
        Endpoint(
            url="wss://coin.exchange.example/ws/v5/public-coin",
            subscribe=_subscribe,
            by_market=True,
            serves=_settled_in_coin,
        ),
    ),
    session=PastCounter,
    markets=MarketSpec(listing=_listing),
    addresses=Addresses(
        owner=r"(.*\.)?exchange\.example",
        feeds=(
            Place(r"stream\.exchange\.example", "/ws/v5/public"),
            Place(r"coin\.exchange\.example", "/ws/v5/public-coin"),
        ),
        rest_url="https://api.exchange.example",
        apis=(Place(r"api\.exchange\.example", ""),),
        test_hosts=(r"play\.exchange\.example",),
    ),
    history=RestHistory(_history, pause_s=0.25),
    tardis=(TardisRows("example-dollars", _tardis), TardisRows("example-coins", _tardis)),
    readers=(
        RowReader(
            name="example-csv",
            columns=("market", "side", "price", "usd", "time"),
            header=frozenset({"market", "side", "usd"}),
            row=_row,
            per_market=True,
        ),
    ),
    dialect=Dialect(
        bucket_ms=200,
        delay_ms=20,
        market=_market,
        encode=_encode,
        answer=_answer,
        topic=_topic,
        prefix="/example",
        ping=Ping(_ping, every_s=2.0, patience_s=30.0),
        idle_s=60.0,
        rest={"/api/v4/markets": _markets, "/api/v4/past/{market}": _past},
        rest_prefix="/api/v4/",
    ),
)
