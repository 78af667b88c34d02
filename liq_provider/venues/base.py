"""What every exchange module provides: where to connect, what to say, how to read a frame."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import MarketTable


@dataclass(frozen=True, slots=True)
class Parsed:
    """
    What one frame said.

    :param liquidations: the liquidations in it, in the frame's order
    :param reply: text to send back (an answer to the venue's own ping), or None
    :param acknowledged: number of subscription requests that this frame confirms
    :param alive: the frame is an answer to our heartbeat
    :param error: the venue's error message for us, or None
    :param rejected: market ids that the error names: subscribing works without them
    :param dropped: how many records were left out, by reason (``"unknown_market"``, ...)
    :param unread: coins that something unreadable in the frame may have been about, as
        ``Doubts`` names them; such a liquidation may be missing
    :param understood: False if the frame fits no known shape; it is then kept as a sample. A
        well-formed message of an unknown kind leaves nothing unread
    """

    liquidations: Sequence[Liquidation] = ()
    reply: str | None = None
    acknowledged: int = 0
    alive: bool = False
    error: str | None = None
    rejected: Sequence[str] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    unread: Collection[str] = ()
    understood: bool = True


class Venue(Protocol):
    """
    One exchange. Implementations are stateless and do no I/O.

    :param name: our name of the venue, as used in settings and in the store
    :param url: the public production address
    :param sampled: the venue publishes only some of its liquidations; totals are a lower bound
    :param by_market: it delivers only the markets that its subscriptions name
    :param heartbeat_s: seconds between our text heartbeats; 0 if websocket pings suffice
    :param max_age_s: the venue closes connections of this age; we roll over before; 0 for none
    """

    name: str
    url: str
    sampled: bool
    by_market: bool
    heartbeat_s: float
    max_age_s: float

    def subscriptions(self, markets: MarketTable) -> list[str]:
        """:return: the texts to send after connecting, already split to the venue's limits"""
        ...

    def heartbeat(self) -> str:
        """:return: the text to send every ``heartbeat_s`` seconds"""
        ...

    def parse(self, frame: str | bytes, markets: MarketTable, received_ms: int) -> Parsed:
        """
        Read one frame. Never raises: a frame that fits no shape has ``understood=False``.

        :param received_ms: corrected receive time, stamped on every liquidation
        """
        ...


def number_repeats(
    liquidations: Iterator[Liquidation] | Sequence[Liquidation],
) -> list[Liquidation]:
    """Give otherwise equal orders of one message the ordinals 0, 1, 2, ..."""
    seen: dict[Liquidation, int] = {}
    numbered = []
    for item in liquidations:
        count = seen.get(item, 0)
        seen[item] = count + 1
        numbered.append(item if count == 0 else _with_ordinal(item, count))
    return numbered


def _with_ordinal(item: Liquidation, ordinal: int) -> Liquidation:
    return Liquidation(
        item.venue,
        item.market_id,
        item.pair,
        item.base_asset,
        item.position_side,
        item.price,
        item.quantity,
        item.notional_usd,
        item.event_ms,
        item.received_ms,
        ordinal,
    )
