"""The venues' market lists: asked for, gone by, and kept in the store for the next start."""

import asyncio
import gc
import logging
import re
from collections.abc import Coroutine, Mapping
from concurrent.futures import Executor
from typing import Any

from liq_provider.config.settings import Settings
from liq_provider.core.clock import ExchangeClock
from liq_provider.core.durations import HOUR_S
from liq_provider.core.markets import Market
from liq_provider.errors import StoreError
from liq_provider.exchange.asking import ask
from liq_provider.exchange.venue_rest import load_venue_markets
from liq_provider.sidecar.venue_feeds import VenueFeed
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer

logger = logging.getLogger(__name__)

MARKETS_S = HOUR_S
MARKETS_RETRY_S = 60.0
_MARKETS_REFUSED_S = 300.0
_KEEP_RETRY_S = 5.0

# As ccxt writes it: exchange, method, address, status, reason.
_REFUSED = re.compile(r" (403|451) ")


class MarketLists:
    """
    :param venues: whose feeds go by these lists
    :param writing: the store's single thread
    :param asking: threads for REST APIs
    """

    def __init__(
        self,
        venues: Mapping[str, VenueFeed],
        settings: Settings,
        clock: ExchangeClock,
        reader: Reader,
        writer: Writer,
        writing: Executor,
        asking: Executor,
    ) -> None:
        self._venues = venues
        self._settings = settings
        self._clock = clock
        self._reader = reader
        self._writer = writer
        self._writing = writing
        self._asking = asking
        # The lists that the feeds go by, and those of them that the store does not have yet.
        self._lists: dict[str, list[Market]] = {}
        self._unkept: dict[str, list[Market]] = {}

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """:return: what runs until it is cancelled"""
        return [self._loop(name) for name in self._venues]

    async def store_opened(self) -> None:
        """
        Go by the lists of the last run until the exchanges have sent theirs, and keep what came
        before the store was there.

        :raises StoreError: the lists of the last run cannot be read
        """
        loop = asyncio.get_running_loop()
        for name, venue in self._venues.items():
            kept = await loop.run_in_executor(self._writing, self._reader.markets, name)
            if kept and not venue.markets:
                self._use(name, kept)
        await self._keep_all()

    async def keep_anew(self) -> None:
        """The store became another one: give it the lists, as soon as it takes them."""
        # Who lists what is asked for once an hour only.
        self._unkept = self._lists | self._unkept
        await self._keep_all()
        while self._unkept:
            await asyncio.sleep(_KEEP_RETRY_S)
            await self._keep_all()

    async def _loop(self, name: str) -> None:
        venue, settings = self._venues[name], self._settings.venues.of(name)
        while True:
            markets, error = await ask(self._asking, load_venue_markets, name, settings)
            if markets:
                self._use(name, markets)
                spare_from_collection()
                error = await self._keep(name, markets)
            elif error is None:
                error = "the list is empty"
            if error is not None and venue.markets_error is None:
                logger.warning("Market list of %s: %s", name, error)
            venue.markets_error = error
            await asyncio.sleep(markets_wait_s(error))

    def _use(self, name: str, markets: list[Market]) -> None:
        self._venues[name].use_markets(markets)
        self._lists[name] = markets

    async def _keep_all(self) -> None:
        for name, markets in list(self._unkept.items()):
            if self._unkept.get(name) is not markets:
                continue  # a newer one came meanwhile
            error = await self._keep(name, markets)
            if error is not None:
                logger.warning("Market list of %s: %s", name, error)

    async def _keep(self, name: str, markets: list[Market]) -> str | None:
        """:return: why the store did not take it, None if it did or is not open yet"""
        self._unkept[name] = markets
        if not self._writer.opened:
            return None
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._writing, self._writer.put_markets, name, markets, self._clock.now_ms()
            )
        except StoreError as error:
            return str(error)
        if self._unkept.get(name) is markets:
            del self._unkept[name]
        return None


def spare_from_collection() -> None:
    """
    What is in memory now, libraries and market lists, stays as long as the process. A full
    garbage collection that walked through it would hold up the feeds for a tenth of a second.
    """
    gc.freeze()


def markets_wait_s(error: str | None) -> float:
    """
    :param error: of the last attempt, None if it brought a list
    :return: when a market list is asked for again
    """
    if error is None:
        return MARKETS_S
    return _MARKETS_REFUSED_S if _REFUSED.search(error) else MARKETS_RETRY_S
