"""
How the simulator plays an exchange: what it sends, what it answers, and what it lists.

Types and helpers alone. The simulator brings the orders, the markets and the connections; a
venue's file says how they are worded there.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

import orjson

from liq_provider.core.liquidation import PositionSide
from liq_provider.core.markets import Market
from liq_provider.venues.frame import Frame

Query = Mapping[str, str]

# Distance of the bankruptcy price from the fill, as a fraction.
_BANKRUPTCY_DISTANCE = 0.004

LISTED_MS = 1_569_398_400_000  # since when everything is listed


class ForcedOrder(Protocol):
    """A forced order before it is worded."""

    @property
    def position_side(self) -> PositionSide:
        """The side that is wiped out."""

    @property
    def quantity(self) -> float:
        """In base units."""

    @property
    def price(self) -> float:
        """The average fill price."""

    @property
    def event_ms(self) -> int:
        """The trade time that the frame states."""


class Contract(Protocol):
    """A perpetual swap that all simulated exchanges list, each under its own name."""

    @property
    def base(self) -> str:
        """Such as ``1000PEPE``."""

    @property
    def coin(self) -> str:
        """The base without its multiplier, such as ``PEPE``."""

    @property
    def multiplier(self) -> int:
        """Coins in one base unit."""

    @property
    def quote(self) -> str:
        """Quote and settle currency."""

    @property
    def symbol(self) -> str:
        """Base and quote in one word."""

    @property
    def pair(self) -> str:
        """Freqtrade's pair."""

    @property
    def price(self) -> float:
        """The price at the beginning, in quote per base."""

    @property
    def tick(self) -> str:
        """The price step."""

    @property
    def tick_digits(self) -> int:
        """Digits after the decimal point in prices."""

    @property
    def step(self) -> str:
        """The quantity step in base units."""

    @property
    def step_digits(self) -> int:
        """Digits after the decimal point in quantities."""

    @property
    def ct_val(self) -> str:
        """Coins in one contract, on exchanges that count contracts."""

    def contracts(self, quantity: float) -> str:
        """:return: a quantity in base units as a number of contracts, exactly"""


class PlayedVenue(Protocol):
    """One simulated exchange, as its own file sees it."""

    def now_ms(self) -> int:
        """:return: the simulator's time"""

    def listed(self) -> Collection[tuple[str, Contract]]:
        """:return: all markets with their names on this exchange"""

    def lists(self, market_id: str) -> bool:
        """:return: whether there is such a market"""

    def frames(self, from_ms: int, to_ms: int) -> Sequence[Frame]:
        """:return: what was sent to all in ``[from_ms, to_ms)``, heard or not, by time"""


class Caller(Protocol):
    """A client that is connected to a simulated exchange."""

    @property
    def topics(self) -> set[str]:
        """What it subscribed to."""

    @property
    def conn_id(self) -> str:
        """The connection's name in acknowledgements."""

    @property
    def venue(self) -> PlayedVenue:
        """The exchange that it is connected to."""


class RefusedQuery(Exception):
    """
    A simulated REST API does not answer this.

    :param status: of HTTP
    :param body: JSON value
    """

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body


def _no_topics(asked: Query) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class SocketPath:
    """
    A websocket address of a simulated exchange.

    :param path: ``{name}`` in it stands for anything without a slash
    :param topics: that the address itself subscribes to, by what it names
    :param wrap: what a frame becomes on its way
    :param dead: accepts everything and never sends a liquidation
    """

    path: str
    topics: Callable[[Query], Iterable[str]] = _no_topics
    wrap: Callable[[Frame], Frame] | None = None
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Ping:
    """
    What a venue asks its clients by itself.

    :param frame: is given the time
    :param every_s: seconds between two
    :param patience_s: a client that says nothing for so long is cut off
    """

    frame: Callable[[int], Frame]
    every_s: float
    patience_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """
    :param bucket_ms: the venue collects orders for this long
    :param delay_ms: and sends them this long after
    :param market: a contract as the venue lists it
    :param encode: a frame of one market's orders: is given the time of sending, the market's
        name, the contract and the orders
    :param topic: what a client has to subscribe to for a market
    :param one_each: each order has a frame of its own, and of a market's orders in one interval
        only the largest is sent, where the simulator is told to throttle
    :param prefix: of all its paths there, where another exchange has the same, such as ``/mine``
    :param socket_paths: websocket addresses; the paths of the venue's own if empty
    :param answer: to what a client sends
    :param ping: what it asks its clients by itself, if it does
    :param idle_s: a connection on which so long nothing was sent or received is closed
    :param share: of the quiet market's liquidations, in tenths of them; 0: only those that are
        ordered
    :param rest: answers by path, as far as anybody here asks; ``{name}`` in a path stands for
        anything without a slash, and is found in the query
    :param rest_prefix: of its REST paths, by which faults know them; empty if it has none
    :param ccxt_paths: ccxt's names of the venue's addresses, with their paths
    """

    bucket_ms: int
    delay_ms: int
    market: Callable[[Contract], Market]
    encode: Callable[[int, str, Contract, Sequence[ForcedOrder]], Frame]
    answer: Callable[[Caller, Frame], Iterable[Frame]]
    topic: Callable[[str], str]
    one_each: bool = False
    prefix: str = ""
    socket_paths: tuple[SocketPath, ...] = ()
    ping: Ping | None = None
    idle_s: float | None = None
    share: float = 0.0
    rest: Mapping[str, Callable[[PlayedVenue, Query], Any]] = field(default_factory=dict)
    rest_prefix: str = ""
    ccxt_paths: Mapping[str, str] = field(default_factory=dict)


# -- for the files of venues ---------------------------------------------------------------


def market_in_base(venue: str, market_id: str, contract: Contract) -> Market:
    """:return: a market that counts in base units, such as thousands of PEPE"""
    return Market(venue, market_id, contract.pair, contract.coin)


def market_in_contracts(venue: str, market_id: str, contract: Contract) -> Market:
    """:return: a market of the coin itself that counts in contracts"""
    pair = f"{contract.coin}/{contract.quote}:{contract.quote}"
    return Market(venue, market_id, pair, contract.coin, float(contract.ct_val))


def one_topic(topic: str) -> Callable[[str], str]:
    """:return: what a client has to subscribe to for whichever market"""
    return lambda market_id: topic


def order_side(order: ForcedOrder) -> str:
    """:return: the side of the order that closes the position"""
    return "SELL" if order.position_side == "long" else "BUY"


def bankruptcy_price(order: ForcedOrder, contract: Contract) -> str:
    """:return: the price at which the position's margin is gone, beyond the fill"""
    sign = -1 if order.position_side == "long" else 1
    price = round(order.price * (1 + sign * _BANKRUPTCY_DISTANCE), contract.tick_digits)
    return plain(price if price > 0 else order.price)


def coin_price(order: ForcedOrder, contract: Contract) -> str:
    """:return: the price of one coin, where PEPE is listed and not 1000PEPE"""
    if contract.multiplier == 1:
        return plain(order.price)
    return plain(round(order.price / contract.multiplier, contract.tick_digits + 4))


def plain(value: Decimal | float) -> str:
    """
    Write a number without an exponent.

    >>> plain(1e-07), plain(Decimal("2.50"))
    ('0.0000001', '2.5')
    """
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def as_dict(frame: Frame) -> dict[str, Any]:
    """:return: what a client said, empty if that was no JSON object"""
    try:
        message = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return {}
    return message if isinstance(message, dict) else {}


def dumps(value: object) -> str:
    """:return: JSON text"""
    return orjson.dumps(value).decode()
