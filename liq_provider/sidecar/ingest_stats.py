"""What became of the liquidations that were received, in numbers and in the log."""

import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

logger = logging.getLogger(__name__)

_OVER_S = 60.0


@dataclass(slots=True)
class IngestStats:
    """
    :param stored: new liquidations in the store since the start
    :param duplicates: liquidations that the store had already
    :param booked: the new ones by how they were booked (event, arrival, late, future, small)
    :param spooled: waiting on disk
    :param lost: did not fit anywhere, or are no liquidations
    :param set_aside: of those, what is kept for somebody to look at
    :param error: why the store cannot be written, None if it can
    :param spool_error: why nothing can wait on disk, None if it can
    :param replaced: how often the store became another one while it was open
    """

    stored: int = 0
    duplicates: int = 0
    booked: Counter[str] = field(default_factory=Counter)
    spooled: int = 0
    lost: int = 0
    set_aside: int = 0
    error: str | None = None
    spool_error: str | None = None
    replaced: int = 0

    def report(self, in_memory: int) -> dict[str, Any]:
        """
        :param in_memory: liquidations that are neither stored nor on disk
        :return: for the status
        """
        return {
            "stored": self.stored,
            "duplicates": self.duplicates,
            "booked": dict(self.booked),
            "in_memory": in_memory,
            "spooled": self.spooled,
            "lost": self.lost,
            "set_aside": self.set_aside,
            "store_error": self.error,
            "spool_error": self.spool_error,
            "store_replaced": self.replaced,
        }


class Losses:
    """Says once that liquidations are being lost, and once that it is over."""

    def __init__(self) -> None:
        self._told = 0
        self._last_s: float | None = None

    def tell(self, lost: int) -> None:
        """
        :param lost: since the start
        """
        now_s = time.monotonic()
        if lost > self._told:
            if self._last_s is None:
                logger.error(
                    "Liquidations are being lost; `status` counts them, and their minutes are "
                    "unknown."
                )
            self._last_s = now_s
        elif self._last_s is not None and now_s - self._last_s > _OVER_S:
            logger.warning("No more liquidations are being lost; %d were.", lost)
            self._last_s = None
        self._told = lost
