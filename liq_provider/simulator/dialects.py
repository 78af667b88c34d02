"""How each venue words its forced orders, and when it sends them.

Binance: at most one order, the largest, per symbol and second; sides of the ORDER.
Bybit: everything, every 500 ms, one frame per topic; sides of the POSITION.
OKX: one frame per contract and second with several details; contracts instead of coins.
Gate: everything of a second in one batch per contract; contracts, the sign tells the side.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from liq_provider.simulator.orders import Order
from liq_provider.simulator.symbols import SymbolSpec, plain

# Distance of the bankruptcy price from the fill, as a fraction.
BANKRUPTCY_DISTANCE = 0.004


@dataclass(frozen=True, slots=True)
class Frame:
    """
    One websocket message.

    :param emit_ms: when the venue sends it
    :param topic: what a client must have subscribed to
    """

    venue: str
    emit_ms: int
    topic: str
    text: str


Group = Sequence[Order]
Encoder = Callable[[int, Group, SymbolSpec], str]


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    :param bucket_ms: the venue collects orders for this long
    :param delay_ms: and sends them this long after
    :param topic: prefix of the topic; followed by the symbol where topics are per symbol
    """

    bucket_ms: int
    delay_ms: int
    topic: str
    per_symbol: bool
    encode: Encoder


def order_side(order: Order) -> str:
    """:return: the side of the order that closes the position"""
    return "SELL" if order.position_side == "long" else "BUY"


def bankruptcy_price(order: Order, spec: SymbolSpec) -> str:
    """:return: the price at which the position's margin is gone, beyond the fill"""
    sign = -1 if order.position_side == "long" else 1
    price = round(order.price * (1 + sign * BANKRUPTCY_DISTANCE), spec.tick_digits)
    return plain(price if price > 0 else order.price)


def _coin_price(order: Order, spec: SymbolSpec) -> str:
    """Price of one coin: OKX lists PEPE where the others list 1000PEPE."""
    if spec.multiplier == 1:
        return plain(order.price)
    return plain(round(order.price / spec.multiplier, spec.tick_digits + 4))


def _binance(emit_ms: int, group: Group, spec: SymbolSpec) -> str:
    order = group[0]
    quantity = plain(order.quantity)
    # The last of several fills, which is what careless readers take for the whole order.
    last = plain(round(order.quantity * 0.3, spec.step_digits) or order.quantity)
    body = {
        "s": spec.id_on("binance"),
        "S": order_side(order),
        "o": "LIMIT",
        "f": "IOC",
        "q": quantity,
        "p": bankruptcy_price(order, spec),
        "ap": plain(order.price),
        "X": "FILLED",
        "l": last,
        "z": quantity,
        "T": order.event_ms,
        "ps": spec.symbol,
        "st": 1,
    }
    return orjson.dumps({"e": "forceOrder", "E": emit_ms, "o": body}).decode()


def _bybit(emit_ms: int, group: Group, spec: SymbolSpec) -> str:
    market_id = spec.id_on("bybit")
    data = [
        {
            "T": order.event_ms,
            "s": market_id,
            "S": "Buy" if order.position_side == "long" else "Sell",
            "v": plain(order.quantity),
            "p": plain(order.price),
        }
        for order in group
    ]
    frame = {
        "topic": f"allLiquidation.{market_id}",
        "type": "snapshot",
        "ts": emit_ms,
        "data": data,
    }
    return orjson.dumps(frame).decode()


def _okx(emit_ms: int, group: Group, spec: SymbolSpec) -> str:
    details = [
        {
            "bkLoss": "0",
            "bkPx": _coin_price(order, spec),
            "ccy": "",
            "posSide": order.position_side,
            "side": order_side(order).lower(),
            "sz": spec.contracts(order.quantity),
            "ts": str(order.event_ms),
        }
        for order in group
    ]
    market_id = spec.id_on("okx")
    family = market_id.removesuffix("-SWAP")
    item = {
        "details": details,
        "instFamily": family,
        "instId": market_id,
        "instType": "SWAP",
        "uly": family,
    }
    frame = {"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": [item]}
    return orjson.dumps(frame).decode()


def _gate(emit_ms: int, group: Group, spec: SymbolSpec) -> str:
    result = [
        {
            "contract": spec.id_on("gate"),
            "price": _coin_price(order, spec),
            # The sign of the order: a sale closes a long.
            "size": ("-" if order.position_side == "long" else "") + spec.contracts(order.quantity),
            "time": order.event_ms,
        }
        for order in group
    ]
    frame = {
        "time": emit_ms // 1000,
        "time_ms": emit_ms,
        "channel": "futures.public_liquidates",
        "event": "update",
        "result": result,
    }
    return orjson.dumps(frame).decode()


DIALECTS: Mapping[str, Dialect] = {
    "binance": Dialect(1_000, 150, "!forceOrder@arr", False, _binance),
    "bybit": Dialect(500, 50, "allLiquidation.", True, _bybit),
    "gate": Dialect(1_000, 80, "futures.public_liquidates", False, _gate),
    "okx": Dialect(1_000, 100, "liquidation-orders", False, _okx),
}


def bucket_frames(
    venue: str,
    bucket: int,
    orders: Sequence[Order],
    symbols: Mapping[str, SymbolSpec],
    throttle: bool,
) -> list[Frame]:
    """
    Word the orders that a venue collected in one interval.

    :param bucket: number of the interval since the epoch
    :param orders: the venue's orders in it, by time
    :param throttle: Binance keeps only the largest order per symbol
    """
    dialect = DIALECTS[venue]
    emit_ms = (bucket + 1) * dialect.bucket_ms + dialect.delay_ms
    by_symbol: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        by_symbol[order.symbol].append(order)
    frames = []
    for symbol, own in by_symbol.items():
        spec = symbols[symbol]
        topic = dialect.topic + (spec.id_on(venue) if dialect.per_symbol else "")
        for group in _groups(venue, own, throttle):
            frames.append(Frame(venue, emit_ms, topic, dialect.encode(emit_ms, group, spec)))
    return frames


def _groups(venue: str, orders: list[Order], throttle: bool) -> list[list[Order]]:
    if venue != "binance":
        return [orders]
    if throttle:
        return [[max(orders, key=lambda order: order.notional_usd)]]
    return [[order] for order in orders]
