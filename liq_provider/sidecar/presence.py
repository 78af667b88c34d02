"""What a sidecar tells its store about itself, and is told there: that it is asked to end."""

import logging
from typing import Any

from liq_provider.config import simulated_marks
from liq_provider.config.settings import Settings
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import minute_of
from liq_provider.errors import StoreError
from liq_provider.sidecar.process_mark import ProcessMark
from liq_provider.store import sidecar_runs
from liq_provider.store.simulated_spans import note_simulated
from liq_provider.store.writer import Writer

logger = logging.getLogger(__name__)


class Presence:
    """
    All of it runs in the store's thread.

    :param own_run: which run of the sidecar this is
    :param started_ms: since when it hears its feeds
    """

    def __init__(self, writer: Writer, settings: Settings, own_run: str, started_ms: int) -> None:
        self._writer = writer
        self._settings = settings
        self._own_run = own_run
        self._mark = ProcessMark.mine(own_run).write()
        self._started_ms = started_ms

    def tell(self, status: dict[str, Any], now_ms: int) -> bool:
        """
        Say that it is there, and how it is.

        :return: whether somebody asked this sidecar to end
        :raises StoreError: the store does not take it
        """
        self._writer.put_state("sidecar", status, now_ms)
        # Ahead by a while: what comes before the next time is to be marked as well.
        span = Interval(self._started_ms, minute_of(now_ms) + 2 * MINUTE_MS)
        for venue in simulated_marks.fed_from_here(self._settings):
            note_simulated(self._writer.engine, venue, span, now_ms)
        return sidecar_runs.note(self._writer.engine, self._own_run, self._mark)

    def leave(self, is_open: bool) -> None:
        """
        It is not there any more, and gives its connections back.

        :param is_open: whether the store can be told
        """
        try:
            if is_open:
                sidecar_runs.leave(self._writer.engine, self._own_run)
        except StoreError as error:
            logger.debug("At the end: %s", error)
        finally:
            # For good: who still measures a minute must not open it anew.
            self._writer.shut()
