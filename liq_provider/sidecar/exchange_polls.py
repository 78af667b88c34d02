"""What the bot's exchange is asked for now and then: the time, and which pairs it lists."""

import asyncio
import logging
from collections.abc import Coroutine
from concurrent.futures import Executor
from typing import Any

from liq_provider.core.clock import ExchangeClock, clock_off_words
from liq_provider.exchange.asking import ask
from liq_provider.exchange.bot_exchange import BotExchange
from liq_provider.sidecar.market_lists import MARKETS_RETRY_S, MARKETS_S, spare_from_collection
from liq_provider.sidecar.pair_of_coin import PairOfCoin

logger = logging.getLogger(__name__)

_CLOCK_S = 300.0
_CLOCK_RETRY_S = 15.0


class ExchangePolls:
    """
    :param exchange: that the bot trades on; its time is the time
    :param clock: is corrected by it
    :param names: is given the pair that stands for each coin there
    :param max_skew_ms: what the machine's clock may be off the exchange's
    :param asking: threads for REST APIs
    """

    def __init__(
        self,
        exchange: BotExchange,
        clock: ExchangeClock,
        names: PairOfCoin,
        max_skew_ms: float,
        asking: Executor,
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._names = names
        self._max_skew_ms = max_skew_ms
        self._asking = asking
        self._clock_error: str | None = None

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """:return: what runs until it is cancelled"""
        return [self._clock_loop(), self._pairs_loop()]

    async def measure_clock(self) -> None:
        """Ask the exchange for its time; a failure is logged once."""
        _, error = await ask(self._asking, self._clock.measure, self._exchange.time_ms)
        if error is not None and self._clock_error is None:
            logger.warning("The time of %s: %s", self._exchange.name, error)
        self._clock_error = error
        off = clock_off_words(self._clock.skew_ms, self._max_skew_ms)
        if off is not None:
            logger.error("This machine's %s; no entries until it is set", off)

    async def _clock_loop(self) -> None:
        while True:
            # Without a measurement nobody trades.
            unknown = self._clock.skew_ms is None
            await asyncio.sleep(_CLOCK_RETRY_S if unknown else _CLOCK_S)
            await self.measure_clock()

    async def _pairs_loop(self) -> None:
        told = False
        while True:
            pairs, error = await ask(self._asking, self._exchange.pairs_by_coin)
            if pairs:
                self._names.update(pairs)
                spare_from_collection()
            elif not told:
                logger.warning("Market list of %s: %s", self._exchange.name, error or "it is empty")
            told = not pairs
            await asyncio.sleep(MARKETS_S if pairs else MARKETS_RETRY_S)
