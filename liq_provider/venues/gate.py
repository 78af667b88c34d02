"""
Gate USDT perpetuals: ``futures.public_liquidates``, batched per second, quantities in contracts.

The sign of ``size`` is that of the order. The REST history (``liq_orders``) has the opposite
sign, and times in seconds; see ``order_of_history``.
"""

import time
from collections.abc import Mapping
from typing import Any

import orjson

from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import MarketTable
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

_CHANNEL = "futures.public_liquidates"
_SECONDS_UNTIL = 100_000_000_000


class Gate:
    """One subscription for all contracts."""

    name = "gate"
    url = "wss://fx-ws.gateio.ws/v4/ws/usdt"
    sampled = False
    by_market = False
    heartbeat_s = 15.0
    max_age_s = 0.0

    def subscriptions(self, markets: MarketTable) -> list[str]:
        """One request for all contracts."""
        return [_request(_CHANNEL, event="subscribe", payload=["!all"])]

    def heartbeat(self) -> str:
        """Gate's own ping; its answer proves that everything before it has come."""
        return _request("futures.ping")

    def parse(self, frame: str | bytes, markets: MarketTable, received_ms: int) -> Parsed:
        """Read a batch of orders, or an answer."""
        message = decode(frame)
        if message is None:
            return DAMAGED
        if message.__class__ is not dict:
            return NOT_UNDERSTOOD
        channel, event = message.get("channel"), message.get("event")
        if channel == "futures.pong":
            return ALIVE
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
        return collect([_record(item, markets, received_ms) for item in result])


def _request(channel: str, **more: Any) -> str:
    return orjson.dumps({"time": int(time.time()), "channel": channel, **more}).decode()


def _record(item: Any, markets: MarketTable, received_ms: int) -> Liquidation | Refused:
    if item.__class__ is not dict or item.get("contract").__class__ is not str:
        return NOT_READABLE
    market = markets.get(item["contract"])
    if market is None:
        return UNKNOWN_MARKET
    size = _signed(item.get("size"))
    if not size:
        return Refused("bad_quantity", market.base_asset)
    return build(
        market,
        # A sale closes a long.
        "long" if size < 0 else "short",
        number(item.get("price")),
        abs(size),
        _time_ms(item.get("time_ms") or item.get("time")),
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
    found = number(value)
    return milliseconds(int(found * 1000) if found < _SECONDS_UNTIL else int(found))


def order_of_history(row: Mapping[str, Any]) -> dict[str, Any]:
    """
    :param row: of ``liq_orders``
    :return: the same order as the stream would have sent it
    """
    size = _signed(row.get("size"))
    price = row.get("fill_price") or row.get("order_price") or row.get("price")
    return {
        "contract": row.get("contract"),
        "size": -size,
        "price": price,
        "time": row.get("time_ms") or row.get("time"),
    }
