"""OKX perpetual swaps: at most one frame per contract and second, quantities in contracts."""

from typing import Any, cast

from liq_provider.core.liquidation import Liquidation, PositionSide
from liq_provider.core.markets import Market, MarketTable
from liq_provider.venues.base import Parsed
from liq_provider.venues.fields import (
    ACKNOWLEDGED,
    ALIVE,
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

_CHANNEL = "liquidation-orders"
_CLOSES: dict[str, PositionSide] = {"sell": "long", "buy": "short"}


class Okx:
    """The price is the bankruptcy price; the first frame can hold orders of the past."""

    name = "okx"
    url = "wss://ws.okx.com:8443/ws/v5/public"
    sampled = True
    by_market = False
    heartbeat_s = 25.0
    max_age_s = 0.0

    def subscriptions(self, markets: MarketTable) -> list[str]:
        """One request for all swaps."""
        return [
            '{"op":"subscribe","args":[{"channel":"liquidation-orders","instType":"SWAP"}]}',
        ]

    def heartbeat(self) -> str:
        """OKX closes connections that were quiet for 30 s."""
        return "ping"

    def parse(self, frame: str | bytes, markets: MarketTable, received_ms: int) -> Parsed:
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
        records: list[Liquidation | Refused] = []
        for item in data:
            _read_contract(item, markets, received_ms, records)
        return collect(records)


def _read_contract(
    item: Any, markets: MarketTable, received_ms: int, records: list[Liquidation | Refused]
) -> None:
    if item.__class__ is not dict:
        records.append(NOT_READABLE)
        return
    details = item.get("details")
    market_id = item.get("instId")
    if details.__class__ is not list or market_id.__class__ is not str:
        records.append(NOT_READABLE)
        return
    market = markets.get(market_id)
    for detail in details:
        if market is None:
            records.append(UNKNOWN_MARKET)
        elif detail.__class__ is not dict:
            records.append(NOT_READABLE)
        else:
            records.append(_record(detail, market, received_ms))


def _record(detail: dict[str, Any], market: Market, received_ms: int) -> Liquidation | Refused:
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
    if position in ("net", "", None):
        return closed
    if position == closed or (closed is None and position in ("long", "short")):
        return cast(PositionSide, position)
    # No sale closes a short: which of the two words is right is anybody's guess.
    return None


def _text(frame: str | bytes) -> Parsed:
    if frame in ("pong", b"pong"):
        return ALIVE
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
