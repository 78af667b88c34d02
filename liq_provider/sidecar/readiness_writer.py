"""Who is ready, written down after every settled minute for all that ask the store."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor

from liq_provider.config.settings import Settings
from liq_provider.errors import StoreError
from liq_provider.measure.readiness import FeedFacts
from liq_provider.store.reader import Reader
from liq_provider.store.readiness_facts import assess
from liq_provider.store.writer import Writer

logger = logging.getLogger(__name__)


class ReadinessWriter:
    """
    :param feeds: tells the venues' feeds of this moment
    :param names: gives the pair that stands for a coin
    :param lively: is given how many segments of each coin's baseline are not empty
    :param reading: takes what reads the store; the minute's decisions do not wait for it
    :param writing: the store's single thread
    """

    def __init__(
        self,
        reader: Reader,
        writer: Writer,
        settings: Settings,
        feeds: Callable[[], Mapping[str, FeedFacts]],
        names: Callable[[], Mapping[str, str]],
        lively: Callable[[Mapping[str, int]], None],
        reading: Executor,
        writing: Executor,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._settings = settings
        self._feeds = feeds
        self._names = names
        self._lively = lively
        self._reading = reading
        self._writing = writing

    async def assess(self, close_ms: int, now_ms: int) -> None:
        """
        :param close_ms: close of the minute that was just settled
        """
        loop = asyncio.get_running_loop()
        try:
            assessed = await loop.run_in_executor(
                self._reading, assess, self._reader, self._settings, self._feeds(), close_ms
            )
            self._lively({coin: active_n for coin, (*_, active_n) in assessed.coins.items()})
            await loop.run_in_executor(
                self._writing,
                self._writer.put_readiness,
                assessed.report.as_json(),
                assessed.rows(self._names()),
                now_ms,
            )
        except StoreError as error:
            # Nobody trades on it, and who reads it sees by its close that it is old.
            logger.warning("Readiness: %s", error)
