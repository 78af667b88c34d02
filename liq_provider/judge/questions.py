"""
Questions to the judge: one for each state of a wave, whoever needs the answer first.

Each is kept in the record of its wave. It may be asked while the wave's minute is still running;
what comes back is an opinion on a state, not a verdict. Only the settled minute makes it one.
"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from liq_provider.core.arrays import FloatArray
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.rate import Rate
from liq_provider.errors import ModelFailure
from liq_provider.judge.asked_judge import AskedJudge
from liq_provider.judge.guarded_answer import GuardedAnswer
from liq_provider.judge.verdict import Facts
from liq_provider.judge.wave_records import AskedQuestion, WaveRecord, may_veto, state_of
from liq_provider.news.desk import NewsSet


@dataclass(slots=True)
class EarlyStats:
    """
    :param asked: questions asked before the minute was settled
    :param used: those whose answer became a verdict
    :param unconfirmed: those whose wave the settled minute did not show
    :param failed: waves that an unforeseen error kept from being asked about early
    """

    asked: int = 0
    used: int = 0
    unconfirmed: int = 0
    failed: int = 0

    def report(self) -> dict[str, Any]:
        """:return: as plain JSON values"""
        return asdict(self)


class Questions:
    """
    :param life_ms: so long after a minute's close a question waits for its turn, and for what
        another sidecar hears: by default until T + 32 s. At the candle that closes at T an answer
        counts only until T + 30 s, see ``decisions``
    """

    def __init__(self, judge: AskedJudge, now_ms: Callable[[], int], life_ms: int) -> None:
        self.early = EarlyStats()
        self._judge = judge
        self._now_ms = now_ms
        self._life_ms = life_ms
        self._running: set[asyncio.Task[GuardedAnswer]] = set()
        self._rate = Rate(judge.ahead_per_minute, MINUTE_MS)

    def room(self) -> int:
        """:return: how many more questions may be asked ahead now"""
        running = sum(not task.cancelling() for task in self._running)
        unused = self._rate.limit - self._rate.used(self._now_ms())
        return min(unused, self._judge.ahead_at_once() - running)

    def begin(self, record: WaveRecord, facts: Facts, candles: FloatArray, news: NewsSet) -> None:
        """
        Ask ahead, unless that was asked already; what failed is not asked again before the
        minute is settled.

        :param facts: of the running minute
        """
        known = record.questions.get((facts.symbol, state_of(facts, news)))
        if known is None or known.close_ms < facts.close_ms:
            self.early.asked += 1
            self._rate.take(self._now_ms())
            self._ask(record, facts, candles, news, early=True)

    async def answer(
        self,
        record: WaveRecord,
        facts: Facts,
        candles: FloatArray,
        news: NewsSet,
    ) -> GuardedAnswer:
        """
        :param facts: of a settled minute
        :return: the answer to a question that was asked ahead in this minute, or to one asked
            now
        :raises ModelFailure: no usable answer
        """
        known = record.questions.get((facts.symbol, state_of(facts, news)))
        if known is not None and not known.useless and known.close_ms == facts.close_ms:
            try:
                answer = await asyncio.shield(known.answer)
            except ModelFailure as failure:
                if may_veto(failure):
                    raise
                # Asked once more, as if it had failed before.
            else:
                self.early.used += 1
                return answer
        return await asyncio.shield(self._ask(record, facts, candles, news).answer)

    async def close(self) -> None:
        """Give up what is still being asked."""
        waiting = list(self._running)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    def _ask(
        self,
        record: WaveRecord,
        facts: Facts,
        candles: FloatArray,
        news: NewsSet,
        *,
        early: bool = False,
    ) -> AskedQuestion:
        until_ms = facts.close_ms + self._life_ms
        task = asyncio.create_task(self._judge.judge(facts, candles, news, until_ms, early=early))
        self._running.add(task)
        task.add_done_callback(self._ended)
        asked = AskedQuestion(facts.close_ms, task)
        record.questions[facts.symbol, state_of(facts, news)] = asked
        return asked

    def _ended(self, task: "asyncio.Task[GuardedAnswer]") -> None:
        self._running.discard(task)
        # Nobody may be waiting for it; the failure is counted by the judge.
        if not task.cancelled():
            task.exception()
