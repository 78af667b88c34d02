"""What a run left behind, as plain records; the ledger compares them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

# venue, market, side, trade time, price and quantity: floats that went through text compare
# equal when rounded.
Key = tuple[str, str, str, int, float, float]

# Frames of the second in which the exchange started are not all noted.
_FIRST_FRAMES_MS = 2_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    A frame on its way to one connection.

    :param who: the sidecar behind the connection
    :param ended_ms: when the connection was over, None if it never was
    :param whole: False if the frame was damaged
    """

    at_ms: int
    who: str
    ended_ms: int | None
    whole: bool = True


@dataclass(slots=True)
class Order:
    """
    An order that happened on the exchange.

    :param count: equal orders in the frame
    """

    key: Key
    coin: str
    usd: float
    count: int = 1
    first_sent_ms: int | None = None
    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def venue(self) -> str:
        """Where it happened."""
        return self.key[0]

    @property
    def side(self) -> str:
        """The side that was wiped out."""
        return self.key[2]

    @property
    def event_ms(self) -> int:
        """When it happened."""
        return self.key[3]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of ``liquidations``."""

    key: Key
    coin: str
    usd: float
    received_ms: int
    minute_ms: int | None


@dataclass(frozen=True, slots=True)
class Span:
    """
    A fault that happened, in the machine's time.

    :param why_not: why it could not be had, empty if it was
    """

    kind: str
    target: str
    from_ms: int
    to_ms: int
    amount: float = 0.0
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """An open trade at the end of a loop."""

    trade_id: int
    pair: str
    short: bool
    tag: str
    open_rate: float
    stop: float


@dataclass(frozen=True, slots=True)
class Loop:
    """
    One loop of the bot, in the machine's time.

    :param exchange_ms: of it, how long the exchange took to answer
    :param starved_ms: of the rest, how long others had the machine
    """

    pid: int
    begin_ms: int
    end_ms: int
    positions: tuple[Position, ...] = ()
    exchange_ms: int = 0
    starved_ms: int = 0


@dataclass(frozen=True, slots=True)
class Truth:
    """
    :param prices: by symbol, time and price, ascending
    :param from_ms: what happened from then on is in it
    """

    orders: Mapping[Key, Order]
    prices: Mapping[str, Sequence[tuple[int, float]]]
    from_ms: int = 0


def key_of(
    venue: str, market_id: str, side: str, event_ms: int, price: float, quantity: float
) -> Key:
    """:return: what identifies an order"""
    return venue, market_id, side, event_ms, _rounded(price), _rounded(quantity)


def _rounded(value: float) -> float:
    return float(f"{value:.9g}")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError:
                continue  # a process was killed while it wrote


def read_truth(path: Path) -> Truth:
    """:return: what the exchange's log says"""
    lines = list(_lines(path))
    ended = {line["client"]: line["at"] for line in lines if line["kind"] == "close"}
    owner = {line["client"]: line["who"] for line in lines if line["kind"] == "open"}
    orders: dict[Key, Order] = {}
    prices: dict[str, list[tuple[int, float]]] = {}
    for line in lines:
        if line["kind"] == "prices":
            for symbol, price in line["of"].items():
                prices.setdefault(symbol, []).append((line["at"], price))
        elif line["kind"] == "made":
            for order in _orders(line["venue"], line["orders"]):
                orders[order.key] = order
        elif line["kind"] == "sent":
            ways = [Delivery(line["at"], owner[n], ended.get(n), line["whole"]) for n in line["to"]]
            for made in _orders(line["venue"], line["orders"]):
                known = orders[made.key]
                known.deliveries += ways
                if known.first_sent_ms is None:
                    known.first_sent_ms = line["at"]
    from_ms = next((line["at"] for line in lines if line["kind"] == "start"), 0)
    return Truth(orders, prices, from_ms + _FIRST_FRAMES_MS)


def _orders(venue: str, raw: Iterable[Sequence[Any]]) -> list[Order]:
    made: dict[Key, Order] = {}
    for event_ms, market_id, coin, side, price, quantity in raw:
        key = key_of(venue, market_id, side, event_ms, price, quantity)
        if key in made:
            made[key].count += 1
        else:
            made[key] = Order(key, coin, price * quantity)
    return list(made.values())


def read_loops(path: Path, wall_minus_monotonic_s: float) -> list[Loop]:
    """
    :param wall_minus_monotonic_s: turns the machine's monotonic clock into its wall clock
    """
    return [
        Loop(
            line["pid"],
            round((line["begin_s"] + wall_minus_monotonic_s) * 1000),
            round((line["end_s"] + wall_minus_monotonic_s) * 1000),
            tuple(
                Position(t["id"], t["pair"], t["short"], t["tag"] or "", t["open_rate"], t["stop"])
                for t in line["trades"]
                if t["filled"]
            ),
            round(line["exchange_s"] * 1000),
            round(line["starved_s"] * 1000),
        )
        for line in _lines(path)
    ]


def symbol_of(pair: str) -> str:
    """
    >>> symbol_of("BTC/USDT:USDT")
    'BTCUSDT'
    """
    return pair.partition(":")[0].replace("/", "")
