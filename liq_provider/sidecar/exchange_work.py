"""What the sidecar asks exchanges for now and then: the time, and what they list."""

import asyncio
import gc
import logging
import re
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from typing import Any

from ccxt.base.errors import BaseError

from liq_provider.config.settings import Settings
from liq_provider.core.clock import ExchangeClock
from liq_provider.core.markets import Market, MarketTable
from liq_provider.errors import StoreError
from liq_provider.exchange.bot_exchange import BotExchange, load_venue_markets
from liq_provider.sidecar.minute_loop import VenueFeed
from liq_provider.store.writer import Writer

logger = logging.getLogger(__name__)

_CLOCK_S = 300.0
_CLOCK_RETRY_S = 15.0
_MARKETS_S = 3_600.0
_MARKETS_RETRY_S = 60.0
_MARKETS_REFUSED_S = 300.0
_KEEP_RETRY_S = 5.0

# As ccxt writes it: exchange, method, address, status, reason.
_REFUSED = re.compile(r" (403|451) ")


class ExchangeWork:
    """
    :param exchange: that the bot trades on; its time is the time
    :param set_pairs: is given the pair that stands for each coin there
    :param venues: whose market lists the feeds need
    :param writing: the store's single thread
    :param asking: threads for REST APIs
    """

    def __init__(
        self,
        exchange: BotExchange,
        clock: ExchangeClock,
        set_pairs: Callable[[dict[str, str]], None],
        venues: Mapping[str, VenueFeed],
        settings: Settings,
        writer: Writer,
        writing: Executor,
        asking: Executor,
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._set_pairs = set_pairs
        self._venues = venues
        self._settings = settings
        self._writer = writer
        self._writing = writing
        self._asking = asking
        self._clock_error: str | None = None
        # The lists that the feeds go by, and those of them that the store does not have yet.
        self._lists: dict[str, list[Market]] = {}
        self._unkept: dict[str, list[Market]] = {}

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """:return: what runs until it is cancelled"""
        markets = [self._markets_loop(name) for name in self._venues]
        return [self._clock_loop(), self._pairs_loop(), *markets]

    async def measure_clock(self) -> None:
        """Ask the exchange for its time; a failure is logged once."""
        _, error = await self._ask(self._clock.measure, self._exchange.time_ms)
        if error is not None and self._clock_error is None:
            logger.warning("The time of %s: %s", self._exchange.name, error)
        self._clock_error = error
        skew_ms = self._clock.skew_ms
        if skew_ms is not None and abs(skew_ms) > self._settings.max_skew_ms:
            logger.error(
                "This machine's clock is %+.1f s off the exchange's; no entries until it is set "
                "(max_skew_ms)",
                skew_ms / 1000,
            )

    async def _clock_loop(self) -> None:
        while True:
            # Without a measurement nobody trades.
            unknown = self._clock.skew_ms is None
            await asyncio.sleep(_CLOCK_RETRY_S if unknown else _CLOCK_S)
            await self.measure_clock()

    async def _pairs_loop(self) -> None:
        told = False
        while True:
            pairs, error = await self._ask(self._exchange.pairs_by_coin)
            if pairs:
                self._set_pairs(pairs)
                spare_from_collection()
            elif not told:
                logger.warning("Market list of %s: %s", self._exchange.name, error or "it is empty")
            told = not pairs
            await asyncio.sleep(_MARKETS_S if pairs else _MARKETS_RETRY_S)

    async def _markets_loop(self, name: str) -> None:
        venue, settings = self._venues[name], getattr(self._settings.venues, name)
        while True:
            markets, error = await self._ask(load_venue_markets, name, settings)
            if markets:
                self.use_markets(name, markets)
                spare_from_collection()
                error = await self._keep_markets(name, markets)
            elif error is None:
                error = "the list is empty"
            if error is not None and venue.markets_error is None:
                logger.warning("Market list of %s: %s", name, error)
            venue.markets_error = error
            await asyncio.sleep(markets_wait_s(error))

    def use_markets(self, name: str, markets: list[Market]) -> None:
        """Have a venue's feed go by this list."""
        venue = self._venues[name]
        venue.feed.update_markets(MarketTable(name, markets))
        venue.markets = len(markets)
        self._lists[name] = markets

    async def keep_markets_anew(self) -> None:
        """The store became another one: give it the lists, as soon as it takes them."""
        self._unkept = self._lists | self._unkept
        await self.keep_markets()
        while self._unkept:
            await asyncio.sleep(_KEEP_RETRY_S)
            await self.keep_markets()

    async def keep_markets(self) -> None:
        """The store was opened: keep what came before it."""
        for name, markets in list(self._unkept.items()):
            if self._unkept.get(name) is not markets:
                continue  # a newer one came meanwhile
            error = await self._keep_markets(name, markets)
            if error is not None:
                logger.warning("Market list of %s: %s", name, error)

    async def _keep_markets(self, name: str, markets: list[Market]) -> str | None:
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

    async def _ask(self, call: Callable[..., Any], *arguments: Any) -> tuple[Any, str | None]:
        """:return: what the exchange answered, or None and the reason"""
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._asking, call, *arguments), None
        except BaseError as error:
            return None, str(error)
        except Exception as error:
            # ccxt stumbles over answers that it does not expect in many ways.
            logger.exception("An answer of an exchange was not understood")
            return None, repr(error)


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
        return _MARKETS_S
    return _MARKETS_REFUSED_S if _REFUSED.search(error) else _MARKETS_RETRY_S
