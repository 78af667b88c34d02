"""Judging the anomalies of a settled minute: candles, facts, verdict, each wave state once."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from ccxt.base.errors import BaseError

from liq_provider.enrich.exchange import BotExchange, last_close_ms
from liq_provider.judge.rules import judge_by_matrix, make_facts
from liq_provider.judge.verdict import Facts, Verdict
from liq_provider.pipeline import Anomaly
from liq_provider.rolling import FloatArray
from liq_provider.settings import Settings
from liq_provider.settling import Settled
from liq_provider.store.writer import Writer

logger = logging.getLogger(__name__)

_RETRY_S = 1.0


@dataclass(slots=True)
class JudgeStats:
    """
    :param judged: verdicts made since the start
    :param without_candles: waves that could not be compared with price
    :param last: the latest verdict in words
    """

    judged: int = 0
    without_candles: int = 0
    last: str | None = None
    error: str | None = None


class Judging:
    """
    :param exchange: where candles come from
    :param timeframe_ms: the strategy's candles
    :param store_executor: the store's single thread
    :param candle_executor: threads for the exchange's REST API
    """

    def __init__(
        self,
        writer: Writer,
        exchange: BotExchange,
        settings: Settings,
        timeframe: str,
        timeframe_ms: int,
        now_ms: Callable[[], int],
        store_executor: Executor,
        candle_executor: Executor,
    ) -> None:
        self.stats = JudgeStats()
        self._writer = writer
        self._exchange = exchange
        self._settings = settings
        self._timeframe = timeframe
        self._timeframe_ms = timeframe_ms
        self._now_ms = now_ms
        self._store_executor = store_executor
        self._candle_executor = candle_executor
        self._closes: dict[str, tuple[int, FloatArray]] = {}
        self._judged: dict[tuple[str, str, int], set[tuple[str, bool | None]]] = {}

    async def judge(self, settled: Settled) -> list[Verdict]:
        """:return: the new verdicts; a failure is logged and leaves that wave unjudged"""
        self._forget(settled.close_ms)
        tasks = [
            self._judge_one(item, settled.pairs[item.base_asset]) for item in settled.anomalies
        ]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        verdicts = []
        for found, result in zip(settled.anomalies, results, strict=True):
            if isinstance(result, Verdict):
                verdicts.append(result)
            elif isinstance(result, Exception):
                self.stats.error = f"{found.base_asset}: {result}"
                logger.error("Judging %s failed: %s", found.base_asset, result)
            elif isinstance(result, BaseException):
                raise result
        return verdicts

    async def _judge_one(self, found: Anomaly, pair: str) -> Verdict | None:
        loop = asyncio.get_running_loop()
        expires_at = found.close_ms + self._settings.settle_ms + self._settings.max_entry_delay_ms
        wave = (found.base_asset, found.direction, found.wave_start_ms)
        await loop.run_in_executor(
            self._store_executor, self._writer.extend_verdicts, *wave, expires_at, self._now_ms()
        )
        closes = await self._closed_candles(pair, found.close_ms)
        settings = self._settings
        facts = make_facts(found, pair, closes, settings.trend_candles, settings.trend_k)
        state = (facts.strength.word, facts.aligned)
        if state in self._judged.setdefault(wave, set()):
            return None
        verdict = judge_by_matrix(facts, self._now_ms, expires_at)
        await loop.run_in_executor(self._store_executor, self._writer.put_verdict, verdict.row())
        self._judged[wave].add(state)
        self._note(facts, verdict)
        return verdict

    def _note(self, facts: Facts, verdict: Verdict) -> None:
        self.stats.judged += 1
        self.stats.without_candles += facts.aligned is None
        self.stats.last = (
            f"{facts.symbol} {facts.direction}: {verdict.action.value} "
            f"({verdict.confidence.word}), {verdict.action_reason}"
        )
        logger.info("Verdict %s [%s; %s]", self.stats.last, verdict.liq_note, verdict.trend_note)

    async def _closed_candles(self, pair: str, close_ms: int) -> FloatArray:
        """Closes up to the newest candle that ended by ``close_ms``; empty if they are not had."""
        wanted_ms = last_close_ms(close_ms, self._timeframe_ms)
        known = self._closes.get(pair)
        if known is not None and known[0] == wanted_ms:
            return known[1]
        for attempt in range(2):
            try:
                newest_ms, closes = await asyncio.get_running_loop().run_in_executor(
                    self._candle_executor,
                    self._exchange.closes,
                    pair,
                    self._timeframe,
                    self._settings.trend_candles + 1,
                    wanted_ms,
                )
            except BaseError as error:
                self.stats.error = f"candles of {pair}: {error}"
                logger.warning("Candles of %s: %s", pair, error)
                newest_ms, closes = 0, np.array([])
            if newest_ms == wanted_ms:
                self._closes[pair] = (newest_ms, closes)
                return closes
            if attempt == 0:
                await asyncio.sleep(_RETRY_S)
        return np.array([])

    def _forget(self, close_ms: int) -> None:
        oldest_ms = close_ms - 24 * 3_600_000
        self._judged = {wave: done for wave, done in self._judged.items() if wave[2] >= oldest_ms}
        stale_ms = close_ms - 2 * self._timeframe_ms
        self._closes = {pair: kept for pair, kept in self._closes.items() if kept[0] >= stale_ms}
