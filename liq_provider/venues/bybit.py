"""Bybit linear perpetuals: the complete tape, one topic per symbol, every 500 ms."""

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

_TOPIC = "allLiquidation."

# Bybit refuses requests whose args are longer.
_MAX_ARGS_CHARS = 21_000


class Bybit:
    """The price is the bankruptcy price; Bybit does not publish the fill."""

    name = "bybit"
    url = "wss://stream.bybit.com/v5/public/linear"
    sampled = False
    by_market = True
    heartbeat_s = 20.0
    max_age_s = 0.0

    def subscriptions(self, markets: MarketTable) -> list[str]:
        """There is no wildcard: every linear market is named, in as few requests as allowed."""
        requests: list[str] = []
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

    def heartbeat(self) -> str:
        """Bybit closes connections that send nothing for a while."""
        return '{"op":"ping"}'

    def parse(self, frame: str | bytes, markets: MarketTable, received_ms: int) -> Parsed:
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
        return collect([_record(item, markets, received_ms) for item in data])


def _request(topics: list[str]) -> str:
    return orjson.dumps({"op": "subscribe", "args": topics}).decode()


def _record(item: Any, markets: MarketTable, received_ms: int) -> Liquidation | Refused:
    if item.__class__ is not dict:
        return NOT_READABLE
    market_id = item.get("s")
    if market_id.__class__ is not str:
        return NOT_READABLE
    market = markets.get(market_id)
    if market is None:
        return UNKNOWN_MARKET
    side = item.get("S")
    # The side of the POSITION, unlike Binance: Buy means that a long was liquidated.
    if side != "Buy" and side != "Sell":
        return Refused("bad_side", market.base_asset)
    return build(
        market,
        "long" if side == "Buy" else "short",
        number(item.get("p")),
        number(item.get("v")),
        milliseconds(item.get("T")),
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
        return ALIVE
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
