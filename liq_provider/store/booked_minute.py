"""Which minute a liquidation counts in (design: settling)."""

from dataclasses import dataclass
from typing import Literal

from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation, minute_of

# An order cannot be from the future; a few seconds are the venue's and our clocks together.
FUTURE_MS = 5_000

Booked = Literal["event", "arrival", "late", "future"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """
    A liquidation on its way into the store.

    :param since_ms: start of the unbroken coverage that it arrived in; an older order is part
        of a snapshot of the past. 0 for imports
    """

    liquidation: Liquidation
    since_ms: int = 0


@dataclass(frozen=True, slots=True)
class BookingRules:
    """
    :param settle_ms: a minute is settled this long after its close
    :param max_late_ms: an order older than this on arrival counts in no minute
    """

    settle_ms: int = 2_000
    max_late_ms: int = MINUTE_MS

    def book(self, incoming: Incoming, watermark_ms: int) -> tuple[int | None, Booked]:
        """
        :param watermark_ms: close of the newest settled minute, 0 if none is settled
        :return: open of the minute it counts in, or None, and how that came about
        """
        minute_ms, booked = self._home(incoming)
        if minute_ms is None or minute_ms >= watermark_ms:
            return minute_ms, booked
        # The writer came to it only after its minute was settled; a spool that another sidecar
        # has overtaken may even come hours later.
        order = incoming.liquidation
        arrival = max(minute_of(order.received_ms), watermark_ms)
        if arrival - order.event_ms > self.max_late_ms:
            return None, "late"
        return arrival, "arrival"

    def owing_minute(self, incoming: Incoming, booked_ms: int | None) -> int | None:
        """
        :param booked_ms: open of the minute that it counts in, None for no minute
        :return: open of the minute that lacks it: the one in which it ought to count. None if
            it counts there, or in an earlier one, where another sidecar heard it
        """
        minute_ms, booked = self._home(incoming)
        if minute_ms is None:
            late = booked == "late" and booked_ms is None
            return minute_of(incoming.liquidation.event_ms) if late else None
        return None if booked_ms is not None and booked_ms <= minute_ms else minute_ms

    def _home(self, incoming: Incoming) -> tuple[int | None, Booked]:
        """Where it counts if the store takes it in time."""
        order = incoming.liquidation
        if order.event_ms > order.received_ms + FUTURE_MS:
            return None, "future"
        if order.event_ms < incoming.since_ms:
            return None, "late"
        if self._in_time(order):
            return minute_of(order.event_ms), "event"
        if order.received_ms - order.event_ms > self.max_late_ms:
            return None, "late"
        return minute_of(order.received_ms), "arrival"

    def _in_time(self, order: Liquidation) -> bool:
        return order.received_ms <= minute_of(order.event_ms) + MINUTE_MS + self.settle_ms
