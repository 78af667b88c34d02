"""Judges the waves of a settled minute, whoever the judge is, each state of each wave once."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from liq_provider.config.settings import Settings
from liq_provider.core.arrays import FloatArray
from liq_provider.errors import ModelFailure
from liq_provider.judge.asked_judge import AskedJudge
from liq_provider.judge.case_source import CaseSource
from liq_provider.judge.early_look import EarlyLook
from liq_provider.judge.matrix_judge import MatrixJudge, matrix_instead, unjudged, with_failure
from liq_provider.judge.questions import Questions
from liq_provider.judge.verdict import Facts, Verdict, aligned_word
from liq_provider.judge.verdict_log import VerdictLog
from liq_provider.judge.wave_records import (
    Objection,
    Ruling,
    WaveRecord,
    WaveRecords,
    state_of,
    wave_of,
)
from liq_provider.measure.minute_results import Anomaly, Settled
from liq_provider.news.desk import NOT_ASKED, NewsSet
from liq_provider.store.verdict_minutes import Confirmed
from liq_provider.store.verdicts import Written
from liq_provider.store.vetoes import AGAINST_BEFORE, CONTRADICTORY, DOUBTED

logger = logging.getLogger(__name__)

_REFUSED = "the wave was refused before"
_HEARD_ELSEWHERE = {Written.AGAINST: Objection.VETO, Written.DOUBTED: Objection.DOUBT}


@dataclass(slots=True)
class JudgeStats:
    """
    :param name: of the judge
    :param judged: verdicts made since the start
    :param without_candles: waves that could not be compared with price
    :param failed: waves of settled minutes that an error left without a verdict
    :param last: the latest verdict in words
    :param error: the latest, of whatever kind
    """

    name: str
    judged: int = 0
    without_candles: int = 0
    failed: int = 0
    last: str | None = None
    error: str | None = None


class WaveJudge:
    """
    :param asked: who judges
    :param log: where verdicts go
    :param recorded: verdicts of the last day, so that a restart asks nothing again
    """

    def __init__(
        self,
        asked: AskedJudge,
        log: VerdictLog,
        cases: CaseSource,
        settings: Settings,
        now_ms: Callable[[], int],
        recorded: Sequence[Mapping[str, object]] = (),
    ) -> None:
        self.stats = JudgeStats(asked.name)
        self.asked = asked
        self.questions = Questions(asked, now_ms, settings.verdict_life_ms)
        self._matrix = MatrixJudge()
        self._log = log
        self._cases = cases
        self._settings = settings
        self._now_ms = now_ms
        self._records = WaveRecords(self.stats.name, recorded)
        self._ahead = EarlyLook(self.questions, cases, self._records, now_ms)

    async def foresee(self, running: Sequence[Anomaly], pairs: Mapping[str, str]) -> None:
        """
        Begin to ask about waves of the running minute, so that the answer is there in time.

        :param running: what the minute shows so far, with the close that it will have
        :param pairs: the pair that stands for each coin
        """
        await self._ahead.look(_strongest_first(running), pairs)
        self.stats.error = self._ahead.error or self.stats.error

    async def judge(self, settled: Settled) -> list[Verdict]:
        """:return: the new verdicts; a failure is logged and leaves that wave unjudged"""
        # If there is too little time or budget for all, the strongest are judged.
        anomalies = _strongest_first(settled.anomalies)
        self._begin(settled.close_ms, anomalies)
        tasks = [self._judge_one(one, settled.pairs[one.base_asset]) for one in anomalies]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        verdicts = []
        for anomaly, result in zip(anomalies, results, strict=True):
            if isinstance(result, Verdict):
                verdicts.append(result)
            elif isinstance(result, Exception):
                self.stats.failed += 1
                self.stats.error = f"{anomaly.base_asset}: {result}"
                logger.error("Judging %s failed: %s", anomaly.base_asset, result)
            elif isinstance(result, BaseException):
                raise result
        return verdicts

    async def close(self) -> None:
        """Give up what is still being asked, and finish writing."""
        await self.questions.close()
        await self._log.close()

    def _begin(self, close_ms: int, anomalies: Sequence[Anomaly]) -> None:
        given_up = self._records.settled(close_ms, {wave_of(anomaly) for anomaly in anomalies})
        self._cases.candles.forget(close_ms)
        self._ahead.settled(close_ms)
        self.questions.early.unconfirmed += given_up

    async def _judge_one(self, anomaly: Anomaly, pair: str) -> Verdict | None:
        record = self._records.of(wave_of(anomaly))
        with record.state_sought():
            facts, candles = await self._cases.settled(anomaly, pair)
            # Without candles no entry is possible, so nobody else need be asked.
            judge = self._matrix if facts.aligned is None else self.asked
            news = NOT_ASKED
            if judge.reads_news:
                news = await self._cases.news(facts.base_asset)
            state = state_of(facts, news)
            ruling = record.ruling(state, reads_news=judge.reads_news)
            if ruling is Ruling.OPEN:
                record.begin(state, judge.name)
        problem = self._cases.candles.error
        if problem is not None:
            self.stats.error = problem
        expires_at = anomaly.close_ms + self._settings.verdict_life_ms
        verdict = None
        if ruling is Ruling.REFUSED:
            verdict = self._refused(record, facts, expires_at, state[2])
        elif ruling is Ruling.OPEN:
            verdict = await self._verdict(judge, record, facts, candles, news, expires_at)
        # Only of the state that was confirmed, and by who judges it now: what was said of
        # another, or by another, must not outlive it.
        strength, aligned, news_key = state
        said_by = record.judges[state] if verdict is None else verdict.judge
        confirmed = Confirmed(
            *wave_of(facts),
            *(strength, aligned_word(aligned), news_key, said_by),
            close_ms=anomaly.close_ms,
            expires_at=expires_at,
        )
        try:
            written = await self._log.put(verdict, confirmed)
            if verdict is not None and written in _HEARD_ELSEWHERE:
                record.heard_elsewhere(_HEARD_ELSEWHERE[written])
                verdict = self._refused(record, verdict.facts, expires_at, news_key)
                written = await self._log.put(verdict, replace(confirmed, judge=verdict.judge))
        except BaseException:
            if verdict is not None:
                record.give_up(state)
            raise
        if verdict is None or written is not Written.NEW:
            return None
        self._note(facts, verdict)
        return verdict

    async def _verdict(
        self,
        judge: AskedJudge,
        record: WaveRecord,
        facts: Facts,
        candles: FloatArray,
        news: NewsSet,
        expires_at: int,
    ) -> Verdict:
        state = state_of(facts, news)
        try:
            if judge is self._matrix:
                answer = await judge.judge(facts, candles, news)
            else:
                answer = await self.questions.answer(record, facts, candles, news)
        except ModelFailure as failure:
            record.give_up(state)
            return self._unheard(record, facts, failure, expires_at, news.key)
        except BaseException:
            record.give_up(state)
            raise
        verdict = answer.verdict(facts, judge.name, self._now_ms(), expires_at)
        if record.overrules(verdict):
            return self._refused(record, facts, expires_at, news.key)
        record.heard(verdict.row())
        return verdict

    def _refused(self, record: WaveRecord, facts: Facts, expires_at: int, news_key: str) -> Verdict:
        """
        :param facts: with what failed, if the judge was to be heard
        """
        against = record.objection is Objection.VETO
        kind = AGAINST_BEFORE if against else facts.details.get("failure", DOUBTED)
        return self._unjudged(facts, ModelFailure(kind, ""), expires_at, news_key, _REFUSED)

    def _unheard(
        self,
        record: WaveRecord,
        facts: Facts,
        failure: ModelFailure,
        expires_at: int,
        news_key: str,
    ) -> Verdict:
        if failure.kind == AGAINST_BEFORE:
            record.heard_elsewhere(Objection.VETO)
        if failure.kind == CONTRADICTORY:
            torn = "what contradicts itself may hold a veto"
            verdict = self._unjudged(facts, failure, expires_at, news_key, torn)
            record.heard(verdict.row())
            return verdict
        if record.objection:
            return self._refused(record, with_failure(facts, failure), expires_at, news_key)
        if self._settings.on_llm_unavailable == "matrix":
            called = self.asked.called
            return matrix_instead(facts, failure, self._now_ms, expires_at, news_key, called)
        return self._unjudged(facts, failure, expires_at, news_key)

    def _unjudged(
        self,
        facts: Facts,
        why: ModelFailure,
        expires_at: int,
        news_key: str,
        refusal: str | None = None,
    ) -> Verdict:
        called = self.asked.called
        return unjudged(facts, why, self._now_ms, expires_at, news_key, called, refusal)

    def _note(self, facts: Facts, verdict: Verdict) -> None:
        self.stats.judged += 1
        self.stats.without_candles += facts.aligned is None
        self.stats.last = (
            f"{facts.symbol} {facts.direction}: {verdict.action.value} "
            f"({verdict.confidence.word}), {verdict.action_reason}"
        )
        logger.info("Verdict %s [%s; %s]", self.stats.last, verdict.liq_note, verdict.trend_note)


def _strongest_first(anomalies: Sequence[Anomaly]) -> list[Anomaly]:
    return sorted(anomalies, key=lambda anomaly: (-anomaly.strength, -anomaly.z))
