"""OKX perpetual swaps: at most one frame per contract and second, quantities in contracts."""

from typing import Any

from liq_provider.liquidation import Liquidation, PositionSide
from liq_provider.markets import Market, MarketTable
from liq_provider.venues.base import Parsed
from liq_provider.venues.fields import (
    ACKNOWLEDGED,
    ALIVE,
    NOT_UNDERSTOOD,
    NOTHING,
    Reason,
    build,
    collect,
    decode,
    milliseconds,
    number,
)

_CHANNEL = "liquidation-orders"


class Okx:
    """The price is the bankruptcy price; the first frame can hold orders of the past."""

    name = "okx"
    url = "wss://ws.okx.com:8443/ws/v5/public"
    sampled = True
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
        if message.__class__ is not dict:
            return _text(frame)
        data = message.get("data")
        if data.__class__ is not list:
            return _answer(message)
        channel = message.get("arg")
        if channel.__class__ is not dict or channel.get("channel") != _CHANNEL:
            return NOT_UNDERSTOOD
        records: list[Liquidation | Reason] = []
        for item in data:
            _read_contract(item, markets, received_ms, records)
        return collect(records)


def _read_contract(
    item: Any, markets: MarketTable, received_ms: int, records: list[Liquidation | Reason]
) -> None:
    if item.__class__ is not dict:
        records.append("bad_record")
        return
    details = item.get("details")
    market_id = item.get("instId")
    if details.__class__ is not list or market_id.__class__ is not str:
        records.append("bad_record")
        return
    market = markets.get(market_id)
    for detail in details:
        if market is None:
            records.append("unknown_market")
        elif detail.__class__ is not dict:
            records.append("bad_record")
        else:
            records.append(_record(detail, market, received_ms))


def _record(detail: dict[str, Any], market: Market, received_ms: int) -> Liquidation | Reason:
    side = _position_side(detail)
    if side is None:
        return "bad_side"
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
    if position == "long":
        return "long"
    if position == "short":
        return "short"
    if position not in ("net", "", None):
        return None
    # Accounts in one-way mode say "net"; then the order that closes the position decides.
    order = detail.get("side")
    if order == "sell":
        return "long"
    return "short" if order == "buy" else None


def _text(frame: str | bytes) -> Parsed:
    if frame in ("pong", b"pong"):
        return ALIVE
    if frame in ("ping", b"ping"):
        return Parsed(reply="pong")
    return NOT_UNDERSTOOD


def _answer(message: dict[str, Any]) -> Parsed:
    event = message.get("event")
    if event == "subscribe":
        return ACKNOWLEDGED
    if event in ("error", "notice"):
        return Parsed(error=f"{message.get('msg')} (code {message.get('code')})")
    if event in ("unsubscribe", "channel-conn-count"):
        return NOTHING
    return NOT_UNDERSTOOD
