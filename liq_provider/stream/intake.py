"""What happens to a frame: read, counted, handed on. Nothing in here can end a feed."""

import logging
from collections.abc import Callable, Sequence

from liq_provider.core.doubts import ANY_COIN, Doubts
from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import MarketTable
from liq_provider.stream.feed_status import FeedRecord
from liq_provider.venues.base import Parsed, Session
from liq_provider.venues.frame import Frame

logger = logging.getLogger(__name__)

Sink = Callable[[Sequence[Liquidation], int], None]

_NOT_READ = Parsed()


class Intake:
    """
    :param sink: takes liquidations and the start of the unbroken connection they came by,
        in milliseconds
    :param record: where everything is counted
    :param doubts: is told what could not be read
    :param clock_ms: corrected time
    """

    def __init__(
        self,
        sink: Sink,
        record: FeedRecord,
        doubts: Doubts,
        clock_ms: Callable[[], int],
    ) -> None:
        self._sink = sink
        self._record = record
        self._doubts = doubts
        self._clock_ms = clock_ms

    def read(self, session: Session, frame: Frame, markets: MarketTable, now_ms: int) -> Parsed:
        """
        :param session: of the connection that it came by
        :return: what the frame says; nothing if our own code failed
        """
        record = self._record
        record.frames += 1
        record.last_frame_ms = now_ms
        try:
            said = session.parse(frame, markets, now_ms)
        except Exception as error:
            self.fault("parse", error)
            return _NOT_READ
        if said.dropped:
            record.dropped.update(said.dropped)
        if said.unread:
            self._doubts.unread(record.venue, said.unread, now_ms)
        if not said.understood:
            record.sample(frame)
        if said.error is not None:
            record.venue_error(said.error)
            logger.warning("%s says: %s", record.venue, said.error)
        return said

    def deliver(self, liquidations: Sequence[Liquidation], since_ms: int, now_ms: int) -> None:
        """
        :param since_ms: start of the unbroken connection; older orders are a snapshot
        """
        self._record.liquidations += len(liquidations)
        self._record.last_liquidation_ms = now_ms
        try:
            self._sink(liquidations, since_ms)
        except Exception as error:
            self.fault("sink", error)

    def fault(self, place: str, error: Exception) -> None:
        """Count an error of our own code; logged with its origin the first time."""
        kind = f"{place}: {type(error).__name__}"
        self._record.failures[kind] += 1
        self._record.last_error = f"{kind}: {error}"
        if self._record.failures[kind] == 1:
            logger.error("%s: %s failed", self._record.venue, place, exc_info=error)
        # Whatever was in hand may be lost.
        self._doubts.unread(self._record.venue, (ANY_COIN,), self._clock_ms())
