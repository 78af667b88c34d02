"""
What the file of an exchange states about it: a ``VENUE`` of the class ``Venue``.

Everything else reads it from there, so nothing but that file knows an exchange by its name.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol
from urllib.parse import urlsplit

from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import CcxtRules, FetchTypes, Market, MarketTable, NamingRule
from liq_provider.venues.dialect import Dialect, SocketPath
from liq_provider.venues.frame import Frame
from liq_provider.venues.places import Addresses
from liq_provider.venues.rest_history import Fetch, RestHistory
from liq_provider.venues.row_readers import RowReader, TardisRows


@dataclass(frozen=True, slots=True)
class Parsed:
    """
    What one frame said.

    :param liquidations: the liquidations in it, in the frame's order
    :param reply: what to send back (an answer to the venue's own ping), or None
    :param acknowledged: number of subscription requests that this frame confirms
    :param error: the venue's error message for us, or None
    :param rejected: market ids that the error names: subscribing works without them
    :param dropped: how many records were left out, by reason (``"unknown_market"``, ...)
    :param unread: coins that something unreadable in the frame may have been about, as
        ``Doubts`` names them; such a liquidation may be missing
    :param understood: False if the frame fits no known shape; it is then kept as a sample. A
        well-formed message of an unknown kind leaves nothing unread
    :param past: its liquidations are a snapshot of the past, whatever their times say
    :param life: it proves that the address speaks although it holds no liquidation, as an
        ordinary trade does on a stream of trades. Answers to what we say prove nothing
    """

    liquidations: Sequence[Liquidation] = ()
    reply: Frame | None = None
    acknowledged: int = 0
    error: str | None = None
    rejected: Sequence[str] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    unread: Collection[str] = ()
    understood: bool = True
    past: bool = False
    life: bool = False


class Session(Protocol):
    """
    The reader of one connection. It may remember what the connection said before, such as the
    numbers of its channels; it does no I/O.
    """

    def parse(self, frame: Frame, markets: MarketTable, received_ms: int) -> Parsed:
        """
        Read one frame. Never raises: a frame that fits no shape has ``understood=False``.

        :param received_ms: corrected receive time, stamped on every liquidation
        """
        ...


@dataclass(frozen=True, slots=True)
class Stateless:
    """
    A session that has nothing to remember.

    :param parse: see ``Session.parse``
    """

    parse: Callable[[Frame, MarketTable, int], Parsed]

    def __call__(self) -> Session:
        """:return: itself: one reader serves all connections"""
        return self


@dataclass(frozen=True, slots=True)
class Request:
    """
    A subscription.

    :param text: what to send
    :param pause_s: to wait afterwards, where the venue counts requests
    :param acks: acknowledgements that it is answered with
    """

    text: Frame
    pause_s: float = 0.0
    acks: int = 1


def _nothing(markets: MarketTable) -> list[Request]:
    return []


def _any(market: Market) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """
    An address at which liquidations are streamed. Settings and simulator ask for it before any
    market is known, so it is stated; what depends on the markets is asked of it.

    :param url: the public production address
    :param subscribe: what to send after connecting, already split to the venue's limits; by
        default the address itself subscribes
    :param headers: of the handshake
    :param by_market: it delivers only the markets that its subscriptions name
    :param serves: which markets it is about, where others are streamed elsewhere
    :param most_markets: one connection may subscribe to so many; more have connections of their
        own. 0 for no limit
    """

    url: str
    subscribe: Callable[[MarketTable], list[Request]] = _nothing
    headers: Mapping[str, str] = field(default_factory=dict)
    by_market: bool = False
    serves: Callable[[Market], bool] = _any
    most_markets: int = 0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """
    What a venue wants to hear now and then besides websocket pings.

    :param every_s: seconds between two
    :param text: what to send now
    """

    every_s: float
    text: Callable[[], Frame]


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """
    Which markets the stream is about, and how they are called there.

    :param ccxt_id: ccxt's class
    :param fetch_types: what ccxt is to list, its option ``fetchMarkets.types``; some classes want a
        word for each kind, others whether each of them is wanted
    :param rules: how ccxt's list is read
    :param listing: asks the venue itself, at ``rest_url``, where ccxt does not know it
    :param rule: see ``MarketTable``
    :param shipped: few markets whose contract sizes were verified, to read history without a list
    """

    ccxt_id: str = ""
    fetch_types: FetchTypes = ("swap",)
    rules: CcxtRules = CcxtRules()  # noqa: RUF009 - it is frozen
    listing: Callable[[Fetch], list[Market]] | None = None
    rule: NamingRule | None = None
    shipped: tuple[Market, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """
    One exchange.

    :param name: as used in settings and in the store; the name of its file
    :param title: as people write it
    :param default_on: listened to unless the settings say otherwise
    :param evidence: what vouches for its side and amount: its documentation, somebody's
        measurement, or only an argument; ``status`` tells of the latter two
    :param sampled: it publishes only so much of its liquidations, in words that continue "at
        most"; totals are a lower bound. Empty if it publishes all
    :param price_kind: which price it states; ``status`` tells it
    :param latency_ms: how long after the trade a live feed has it; for files that do not say
    :param heartbeat: None if websocket pings suffice
    :param max_age_s: it closes connections of this age; we roll over before; 0 for none
    :param quiet_alone_s: no liquidation for so long is implausible even if all venues are quiet
    :param quiet_beside_s: likewise while the others are busy; 0 for as long as of any venue
    :param endpoints: where it streams; a minute is known if it was heard at all of them
    :param session: makes the reader of a connection
    :param markets: which markets
    :param addresses: its hosts, right ones and others
    :param history: its public REST history, None if it publishes none
    :param tardis: how Tardis' files name it, once for each kind of market it has there
    :param readers: kinds of files that hold its liquidations alone
    :param dialect: how the simulator plays it
    """

    name: str
    title: str
    default_on: bool = False
    evidence: Literal["documented", "measured", "argued"]
    sampled: str = ""
    price_kind: Literal["fill", "bankruptcy", "order", "mark"]
    latency_ms: int = 1_000
    heartbeat: Heartbeat | None = None
    max_age_s: float = 0.0
    quiet_alone_s: float = 1_800.0
    quiet_beside_s: float = 0.0
    endpoints: tuple[Endpoint, ...]
    session: Callable[[], Session]
    markets: MarketSpec
    addresses: Addresses
    history: RestHistory | None = None
    tardis: tuple[TardisRows, ...] = ()
    readers: tuple[RowReader, ...] = ()
    dialect: Dialect

    def parse(self, frame: Frame, markets: MarketTable, received_ms: int) -> Parsed:
        """:return: what a frame says by itself, to somebody who heard none before it"""
        return self.session().parse(frame, markets, received_ms)

    def urls(self, first: str | None = None) -> tuple[str, ...]:
        """
        :param first: the address to use instead of the first one's own; the others are looked
            for at its host then, under their own paths, behind whatever stands before its own
        :return: of each endpoint its address
        """
        own = tuple(endpoint.url for endpoint in self.endpoints)
        if first is None or first == own[0]:
            return own
        there, here = urlsplit(first), urlsplit(own[0])
        before = there.path.removesuffix(here.path) if there.path.endswith(here.path) else ""
        others = (urlsplit(url) for url in own[1:])
        moved = (there._replace(path=before + one.path, query=one.query) for one in others)
        return (first, *(parts.geturl() for parts in moved))

    @property
    def socket_paths(self) -> tuple[SocketPath, ...]:
        """Where the simulator streams it; the paths of its own addresses if it states none."""
        if self.dialect.socket_paths:
            return self.dialect.socket_paths
        paths = dict.fromkeys(urlsplit(endpoint.url).path for endpoint in self.endpoints)
        return tuple(map(SocketPath, paths))

    def table(self, markets: Iterable[Market] = ()) -> MarketTable:
        """:return: these markets, and those that the venue's naming rule tells"""
        return MarketTable(self.name, markets, self.markets.rule)
