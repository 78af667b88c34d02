"""Forced orders before they are dressed in a venue's dialect."""

from dataclasses import dataclass

from liq_provider.core.liquidation import PositionSide


@dataclass(frozen=True, slots=True)
class Order:
    """
    One forced order.

    :param venue: where it happened
    :param symbol: the market's name inside the simulator, such as ``BTCUSDT``
    :param position_side: the side that is wiped out
    :param quantity: in base units
    :param price: average fill price
    :param event_ms: trade time that the frame states
    :param publish_ms: trade time that decides when the frame is sent; later than ``event_ms``
        only for orders that are injected as stragglers
    """

    venue: str
    symbol: str
    position_side: PositionSide
    quantity: float
    price: float
    event_ms: int
    publish_ms: int

    @property
    def notional_usd(self) -> float:
        """:return: value in quote currency"""
        return self.quantity * self.price


@dataclass(frozen=True, slots=True)
class Draft:
    """
    An order that has no price yet: it takes the market's at its time.

    :param notional_usd: value in quote currency, before rounding to the quantity step
    """

    event_ms: int
    symbol: str
    venue: str
    position_side: PositionSide
    notional_usd: float
