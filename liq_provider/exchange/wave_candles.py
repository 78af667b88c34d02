"""The candles that a wave is compared with: finished ones, or one that is about to be."""

import asyncio
import logging
from concurrent.futures import Executor

from ccxt.base.errors import BaseError

from liq_provider.core.arrays import FloatArray
from liq_provider.core.candle_columns import no_candles
from liq_provider.exchange.bot_exchange import BotExchange, last_close_ms

logger = logging.getLogger(__name__)

_RETRY_S = 1.0


class WaveCandles:
    """
    :param exchange: where candles come from
    :param count: how many are wanted
    :param executor: threads for the exchange's REST API
    :param ahead: threads for what is asked early, so that it holds up nothing that is due
    """

    def __init__(
        self,
        exchange: BotExchange,
        timeframe: str,
        timeframe_ms: int,
        count: int,
        executor: Executor,
        ahead: Executor,
    ) -> None:
        self.error: str | None = None
        self._exchange = exchange
        self._timeframe = timeframe
        self._timeframe_ms = timeframe_ms
        self._count = count
        self._executor = executor
        self._ahead = ahead
        self._known: dict[str, tuple[int, FloatArray]] = {}

    async def closed(self, pair: str, close_ms: int) -> FloatArray:
        """:return: up to the newest that ended by ``close_ms``; none if they cannot be had"""
        return await self._closed(pair, close_ms, self._executor)

    async def expected(self, pair: str, close_ms: int) -> FloatArray:
        """
        What ``closed`` would say at ``close_ms`` if price stood still until then. A guess, good
        for asking early; no decision is made on it.

        :param close_ms: close of the running minute
        """
        wanted_ms = last_close_ms(close_ms, self._timeframe_ms)
        # The minute's own candle is a guess even when the close has just passed: exchanges go
        # on with it for a moment.
        if wanted_ms < close_ms:
            return await self._closed(pair, close_ms, self._ahead)
        _, candles = await self._ask(pair, wanted_ms, self._ahead)
        return candles

    def forget(self, close_ms: int) -> None:
        """Let go of what no decision at or after ``close_ms`` needs."""
        stale_ms = close_ms - 2 * self._timeframe_ms
        self._known = {pair: kept for pair, kept in self._known.items() if kept[0] >= stale_ms}

    async def _closed(self, pair: str, close_ms: int, executor: Executor) -> FloatArray:
        wanted_ms = last_close_ms(close_ms, self._timeframe_ms)
        known = self._known.get(pair)
        if known is not None and known[0] == wanted_ms:
            return known[1]
        for attempt in range(2):
            newest_ms, candles = await self._ask(pair, wanted_ms, executor)
            if newest_ms == wanted_ms:
                self._known[pair] = (newest_ms, candles)
                return candles
            if attempt == 0:
                await asyncio.sleep(_RETRY_S)
        return no_candles()

    async def _ask(self, pair: str, until_ms: int, executor: Executor) -> tuple[int, FloatArray]:
        """:return: as ``BotExchange.closed``; nothing if it fails"""
        try:
            return await asyncio.get_running_loop().run_in_executor(
                executor, self._exchange.closed, pair, self._timeframe, self._count, until_ms
            )
        except BaseError as error:
            self.error = f"candles of {pair}: {error}"
            logger.warning("Candles of %s: %s", pair, error)
            return 0, no_candles()
