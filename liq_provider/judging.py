"""Judging the anomalies of a settled minute: candles, facts, verdict, each wave state once."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from ccxt.base.errors import BaseError

from liq_provider.enrich.exchange import BotExchange, last_close_ms
from liq_provider.enrich.news import NewsDesk
from liq_provider.enrich.news.desk import NOT_ASKED
from liq_provider.errors import ModelFailure
from liq_provider.judge.model import ModelJudge
from liq_provider.judge.rules import judge_by_matrix, make_facts, unjudged
from liq_provider.judge.verdict import Facts, Verdict
from liq_provider.pipeline import Anomaly
from liq_provider.rolling import FloatArray
from liq_provider.settings import Settings
from liq_provider.settling import Settled
from liq_provider.store.writer import Writer

logger = logging.getLogger(__name__)

_RETRY_S = 1.0

_Wave = tuple[str, str, int]
_State = tuple[str, bool | None, str]  # strength, aligned, set of news


@dataclass(slots=True)
class JudgeStats:
    """
    :param name: of the judge
    :param judged: verdicts made since the start
    :param without_candles: waves that could not be compared with price
    :param last: the latest verdict in words
    """

    name: str = "matrix"
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
    :param model: None: the matrix judges
    :param desk: where the model's news comes from
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
        model: ModelJudge | None = None,
        desk: NewsDesk | None = None,
    ) -> None:
        self.stats = JudgeStats("matrix" if model is None else model.name)
        self._model = model
        self._desk = desk
        self._writer = writer
        self._exchange = exchange
        self._settings = settings
        self._timeframe = timeframe
        self._timeframe_ms = timeframe_ms
        self._now_ms = now_ms
        self._store_executor = store_executor
        self._candle_executor = candle_executor
        self._closes: dict[str, tuple[int, FloatArray]] = {}
        self._judged: dict[_Wave, set[_State]] = {}

    async def judge(self, settled: Settled) -> list[Verdict]:
        """:return: the new verdicts; a failure is logged and leaves that wave unjudged"""
        self._forget(settled.close_ms)
        # If there is too little time or budget for all, the strongest are judged.
        anomalies = sorted(settled.anomalies, key=lambda item: (-item.strength, -item.z))
        tasks = [self._judge_one(item, settled.pairs[item.base_asset]) for item in anomalies]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        verdicts = []
        for found, result in zip(anomalies, results, strict=True):
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
        verdict = await self._verdict(facts, closes, wave, expires_at)
        if verdict is not None:
            await loop.run_in_executor(
                self._store_executor, self._writer.put_verdict, verdict.row()
            )
            self._note(facts, verdict)
        return verdict

    async def _verdict(
        self, facts: Facts, closes: FloatArray, wave: _Wave, expires_at: int
    ) -> Verdict | None:
        """:return: None if this state of the wave was judged before, or is being judged"""
        judged = self._judged.setdefault(wave, set())
        # Without candles no entry is possible, so no model is asked.
        if self._model is None or facts.aligned is None:
            if not _enter_once(judged, (facts.strength.word, facts.aligned, "")):
                return None
            return judge_by_matrix(facts, self._now_ms, expires_at)
        news = await self._desk.get(facts.base_asset) if self._desk else NOT_ASKED
        state = (facts.strength.word, facts.aligned, news.key)
        if not _enter_once(judged, state):
            return None
        try:
            answer = await self._model.judge(facts, closes, news)
        except ModelFailure as failure:
            # Asked again when the wave is confirmed again.
            judged.discard(state)
            return self._without_model(facts, failure, expires_at)
        except BaseException:
            judged.discard(state)
            raise
        return answer.verdict(facts, self._model.name, self._now_ms(), expires_at)

    def _without_model(self, facts: Facts, failure: ModelFailure, expires_at: int) -> Verdict:
        # What contradicts itself may hold a veto, which the matrix would not know of.
        vetoed = failure.kind == "contradictory"
        if self._settings.on_llm_unavailable == "matrix" and not vetoed:
            return judge_by_matrix(facts, self._now_ms, expires_at, failure.kind)
        return unjudged(facts, failure.kind, self._now_ms, expires_at)

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


def _enter_once(judged: set[_State], state: _State) -> bool:
    if state in judged:
        return False
    judged.add(state)
    return True
