"""The Liquidation record: one forced order of one position, in one set of units."""

from dataclasses import dataclass
from typing import Literal

from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.moments import EARLIEST_MS, LATEST_MS

PositionSide = Literal["long", "short"]


@dataclass(frozen=True, slots=True)
class Liquidation:
    """
    One forced order.

    :param venue: name of the exchange feed, as in ``registry.VENUES``
    :param market_id: the exchange's own symbol, such as ``1000PEPEUSDT``
    :param pair: Freqtrade's pair, such as ``1000PEPE/USDT:USDT``
    :param base_asset: the coin itself, such as ``PEPE``; what is summed over venues
    :param position_side: the side that was LIQUIDATED, not the side of the order
    :param price: fill price (bankruptcy price where the exchange gives only that)
    :param quantity: in units of the market's base (``1000PEPE``, not ``PEPE``)
    :param notional_usd: quote value; quotes other than USD and its stablecoins are not recorded
    :param event_ms: the exchange's trade time
    :param received_ms: when we had it, on a clock corrected to the exchange's
    :param ordinal: 0, 1, ... among otherwise equal orders of one message, so that two equal
        orders in a message count twice and the same order in two messages counts once. Where the
        venue has an id for each order, a large number that stands for it
    """

    venue: str
    market_id: str
    pair: str
    base_asset: str
    position_side: PositionSide
    price: float
    quantity: float
    notional_usd: float
    event_ms: int
    received_ms: int
    ordinal: int = 0


def minute_of(ms: int) -> int:
    """Open time of the minute that holds ``ms``, in milliseconds."""
    return ms - ms % MINUTE_MS


def minutes_of(order: Liquidation) -> set[int]:
    """
    :return: those in which an order may count: in which it happened, and in which it came; none
        of a time that is none
    """
    known_ms = (order.event_ms, order.received_ms)
    return {minute_of(at_ms) for at_ms in known_ms if EARLIEST_MS <= at_ms <= LATEST_MS}


def minute_from(ms: int) -> int:
    """Open time of the first minute that begins at ``ms`` or later, in milliseconds."""
    return -minute_of(-ms)
