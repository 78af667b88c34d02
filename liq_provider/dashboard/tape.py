"""The tape: liquidations as they come, numbered so that every viewer gets each of them once."""

from collections import deque
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any

from liq_provider.core.liquidation import Liquidation

KEPT = 500


class Tape:
    """Written by the feeds' thread, read by the web server's."""

    def __init__(self) -> None:
        self._items: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._lock = Lock()
        self._last = 0

    @property
    def last(self) -> int:
        """Number of the newest item, 0 if there was none."""
        return self._last

    def put(self, orders: Iterable[Liquidation]) -> None:
        """Take what a feed delivered; never blocks for long."""
        with self._lock:
            for order in orders:
                self._add(
                    order.venue, order.pair, order.position_side, order.notional_usd, order.price,
                    order.event_ms,
                )  # fmt: skip

    def remember(self, rows: Sequence[dict[str, Any]]) -> None:
        """
        What was stored before this start; ignored once something has come.

        :param rows: of the table ``liquidations``, oldest first
        """
        with self._lock:
            if self._items:
                return
            for row in rows:
                self._add(
                    row["venue"], row["pair"], row["position_side"], row["notional_usd"],
                    row["price"], row["event_ms"],
                )  # fmt: skip

    def since(self, number: int) -> list[dict[str, Any]]:
        """:return: items after that one, oldest first, as far as they are kept"""
        with self._lock:
            return [order for order in self._items if order["id"] > number]

    def _add(
        self, venue: str, pair: str, side: str, usd: float, price: float, event_ms: int
    ) -> None:
        self._last += 1
        self._items.append(
            {
                "id": self._last,
                "venue": venue,
                "pair": pair,
                "side": side,
                "usd": round(usd, 2),
                "price": price,
                "ms": event_ms,
            }
        )
