"""
Judging waves: candles, facts, news, verdict, each state of a wave once.

``foresee`` begins while a minute is running, so that a model has answered when ``judge`` is
called with the settled minute; only what that minute shows becomes a verdict.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from liq_provider.enrich.candles import Candles
from liq_provider.enrich.news import NewsDesk, NewsSet
from liq_provider.enrich.news.desk import NOT_ASKED
from liq_provider.errors import ModelFailure
from liq_provider.judge.model import ModelJudge
from liq_provider.judge.questions import Questions, State, Wave, state_of, wave_of
from liq_provider.judge.rules import judge_by_matrix, make_facts, unjudged
from liq_provider.judge.verdict import Facts, Verdict, aligned_word
from liq_provider.pipeline import Anomaly
from liq_provider.rolling import FloatArray
from liq_provider.settings import Settings
from liq_provider.settling import Settled
from liq_provider.store.writer import Writer
from liq_provider.wave import Strength

logger = logging.getLogger(__name__)

_DAY_MS = 24 * 3_600_000
# Price moves within a minute; whether the candles will agree is looked at again this often.
_LOOK_AGAIN_MS = 15_000


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
    :param candles: of the exchange that is traded on
    :param store_executor: the store's single thread
    :param model: None: the matrix judges
    :param desk: where the model's news comes from
    """

    def __init__(
        self,
        writer: Writer,
        candles: Candles,
        settings: Settings,
        now_ms: Callable[[], int],
        store_executor: Executor,
        model: ModelJudge | None = None,
        desk: NewsDesk | None = None,
    ) -> None:
        self.stats = JudgeStats("matrix" if model is None else model.name)
        self.questions = None if model is None else Questions(model)
        self._desk = desk
        self._writer = writer
        self._candles = candles
        self._settings = settings
        self._now_ms = now_ms
        self._store_executor = store_executor
        self._judged: dict[Wave, set[State]] = {}
        self._settled_ms = 0
        self._foreseen: dict[Wave, tuple[int, Strength, int]] = {}

    async def foresee(self, running: Sequence[Anomaly], pairs: Mapping[str, str]) -> None:
        """
        Get news and candles for waves of the running minute, and begin to ask the model.

        :param running: what the minute shows so far, with the close that it will have
        :param pairs: the pair that stands for each coin
        """
        if self.questions is None:
            return
        tasks = [
            self._foresee_one(self.questions, found, pairs[found.base_asset])
            for found in _strongest_first(running)
            if self._is_new(found)
        ]
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                self.stats.error = str(result)
                logger.error("Looking ahead failed: %s", result)
            elif isinstance(result, BaseException):
                raise result

    async def _foresee_one(self, questions: Questions, found: Anomaly, pair: str) -> None:
        closes, news = await asyncio.gather(
            self._candles.expected(pair, found.close_ms), self._news(found.base_asset)
        )
        if found.close_ms <= self._settled_ms:
            return  # overtaken: the settled minute asks for itself
        facts = self._facts(found, pair, closes)
        judged = self._judged.get(wave_of(facts), ())
        if facts.aligned is not None and state_of(facts, news) not in judged:
            questions.begin(facts, closes, news)

    def _is_new(self, found: Anomaly) -> bool:
        wave, now_ms = (found.base_asset, found.direction, found.wave_start_ms), self._now_ms()
        close_ms, strength, at_ms = self._foreseen.get(wave, (0, Strength.NONE, 0))
        same = (close_ms, strength) == (found.close_ms, found.strength)
        if same and now_ms - at_ms < _LOOK_AGAIN_MS:
            return False
        self._foreseen[wave] = (found.close_ms, found.strength, now_ms)
        return True

    async def judge(self, settled: Settled) -> list[Verdict]:
        """:return: the new verdicts; a failure is logged and leaves that wave unjudged"""
        self._settled_ms = settled.close_ms
        self._forget(settled.close_ms)
        # If there is too little time or budget for all, the strongest are judged.
        anomalies = _strongest_first(settled.anomalies)
        if self.questions is not None:
            waves: set[Wave] = {
                (item.base_asset, item.direction, item.wave_start_ms) for item in anomalies
            }
            self.questions.confirmed(settled.close_ms, waves)
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

    async def close(self) -> None:
        """Give up what is still being asked."""
        if self.questions is not None:
            await self.questions.close()

    async def _judge_one(self, found: Anomaly, pair: str) -> Verdict | None:
        loop = asyncio.get_running_loop()
        expires_at = found.close_ms + self._settings.settle_ms + self._settings.max_entry_delay_ms
        closes = await self._candles.closed(pair, found.close_ms)
        if self._candles.error is not None:
            self.stats.error = self._candles.error
        facts = self._facts(found, pair, closes)
        state, verdict = await self._verdict(facts, closes, expires_at)
        try:
            if verdict is not None:
                await loop.run_in_executor(
                    self._store_executor, self._writer.put_verdict, verdict.row()
                )
            # Only of the state that was confirmed: what was said of another must not outlive it.
            await loop.run_in_executor(
                self._store_executor,
                self._writer.extend_verdicts,
                *wave_of(facts),
                (state[0], aligned_word(state[1]), state[2]),
                expires_at,
                self._now_ms(),
            )
        except BaseException:
            if verdict is not None:
                self._judged[wave_of(facts)].discard(state)
            raise
        if verdict is not None:
            self._note(facts, verdict)
        return verdict

    async def _verdict(
        self, facts: Facts, closes: FloatArray, expires_at: int
    ) -> tuple[State, Verdict | None]:
        """:return: the state, and None if it was judged before or is being judged"""
        judged = self._judged.setdefault(wave_of(facts), set())
        # Without candles no entry is possible, so no model is asked.
        if self.questions is None or facts.aligned is None:
            state: State = (facts.strength.word, facts.aligned, "")
            if not _enter_once(judged, state):
                return state, None
            return state, judge_by_matrix(facts, self._now_ms, expires_at)
        news = await self._news(facts.base_asset)
        state = state_of(facts, news)
        if not _enter_once(judged, state):
            return state, None
        try:
            answer = await self.questions.answer(facts, closes, news, expires_at)
        except ModelFailure as failure:
            # Asked again when the wave is confirmed again.
            judged.discard(state)
            return state, self._without_model(facts, failure, expires_at)
        except BaseException:
            judged.discard(state)
            raise
        return state, answer.verdict(facts, self.stats.name, self._now_ms(), expires_at)

    def _facts(self, found: Anomaly, pair: str, closes: FloatArray) -> Facts:
        return make_facts(found, pair, closes, self._settings.trend_candles, self._settings.trend_k)

    async def _news(self, base_asset: str) -> NewsSet:
        return await self._desk.get(base_asset) if self._desk else NOT_ASKED

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

    def _forget(self, close_ms: int) -> None:
        oldest_ms = close_ms - _DAY_MS
        self._judged = {wave: done for wave, done in self._judged.items() if wave[2] >= oldest_ms}
        self._foreseen = {w: seen for w, seen in self._foreseen.items() if seen[0] >= close_ms}
        self._candles.forget(close_ms)
        if self.questions is not None:
            self.questions.forget(oldest_ms)


def _strongest_first(found: Sequence[Anomaly]) -> list[Anomaly]:
    return sorted(found, key=lambda item: (-item.strength, -item.z))


def _enter_once(judged: set[State], state: State) -> bool:
    if state in judged:
        return False
    judged.add(state)
    return True
