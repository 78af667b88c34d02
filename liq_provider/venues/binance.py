"""
Binance USD-M futures: ``!forceOrder@arr``, at most the largest order per symbol and second.

The address ``/ws/`` without ``/market`` still connects and has been silent since 2026-04-23.
"""

from typing import Any

from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import MarketTable
from liq_provider.venues.base import Parsed
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

_EVENT = "forceOrder"

# "st" tells the product lines apart that share the stream since 2026-06-30.
_USD_M = (1, "1", None)
_COIN_M = (2, "2")


class Binance:
    """The connection itself subscribes: the stream's name is part of the address."""

    name = "binance"
    url = "wss://fstream.binance.com/market/ws/!forceOrder@arr"
    sampled = True
    by_market = False
    heartbeat_s = 0.0
    max_age_s = 24 * 3600.0

    def subscriptions(self, markets: MarketTable) -> list[str]:
        """Nothing to say."""
        return []

    def heartbeat(self) -> str:
        """Nothing to say; websocket pings suffice."""
        return ""

    def parse(self, frame: str | bytes, markets: MarketTable, received_ms: int) -> Parsed:
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
