"""The sidecar's status, told every second to the page and now and then to the store."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from liq_provider.errors import StoreError
from liq_provider.sidecar.neighbours import Neighbours
from liq_provider.sidecar.page_protocol import Page
from liq_provider.sidecar.presence import Presence

logger = logging.getLogger(__name__)

_EVERY_S = 1.0
_STORED_EVERY_S = 5.0


class StatusLoop:
    """
    :param status: makes it; also tells its time, ``now_ms``
    :param neighbours: are looked for before
    :param presence: tells the store
    :param writing: the store's single thread
    :param stop: is set when the sidecar is to end
    """

    def __init__(
        self,
        status: Callable[[], dict[str, Any]],
        neighbours: Neighbours,
        page: Page,
        presence: Presence,
        writing: Executor,
        stop: asyncio.Event,
    ) -> None:
        self._status = status
        self._neighbours = neighbours
        self._page = page
        self._presence = presence
        self._writing = writing
        self._stop = stop
        self._telling: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Work until it is cancelled."""
        stored_s = 0.0
        while True:
            await self._neighbours.look(_EVERY_S)
            if self._neighbours.is_time_to_end():
                self._stop.set()
            self._page.take_status(self._status())
            if time.monotonic() - stored_s >= _STORED_EVERY_S:
                stored_s = time.monotonic()
                self.tell_store()
            await asyncio.sleep(_EVERY_S)

    def tell_store(self) -> asyncio.Future[None]:
        """Only one at a time: the store may not come back from the last one."""
        if self._telling is None or self._telling.done():
            self._telling = asyncio.ensure_future(self._tell())
        return self._telling

    async def _tell(self) -> None:
        status = self._status()
        loop = asyncio.get_running_loop()
        try:
            asked = await loop.run_in_executor(
                self._writing, self._presence.tell, status, status["now_ms"]
            )
        except StoreError as error:
            logger.debug("Status: %s", error)
            return
        if asked and not self._stop.is_set():
            logger.info("Asked to end, through the store")
            self._stop.set()
