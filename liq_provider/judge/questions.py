"""
Questions to the model: one for each state of a wave, whoever needs the answer first.

A question may be asked while the wave's minute is still running. What comes back is an opinion
on a state, not a verdict; only the settled minute makes it one.
"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from liq_provider.core.arrays import FloatArray
from liq_provider.core.durations import DAY_MS, MINUTE_MS
from liq_provider.core.rate import Rate
from liq_provider.errors import ModelFailure
from liq_provider.judge.judgement import Judgement
from liq_provider.judge.model import ModelJudge
from liq_provider.judge.verdict import Facts
from liq_provider.news import NewsSet

Wave = tuple[str, str, int]  # coin, direction, close of its first minute
State = tuple[str, bool | None, str]  # strength, aligned, set of news
_KEPT_MS = DAY_MS

_Key = tuple[str, Wave, State]  # with the pair that was asked about


def wave_of(facts: Facts) -> Wave:
    """:return: what identifies the wave"""
    return facts.base_asset, facts.direction, facts.wave_start_ms


def state_of(facts: Facts, news: NewsSet) -> State:
    """:return: what a wave is judged once for"""
    return facts.strength.word, facts.aligned, news.key


@dataclass(frozen=True, slots=True)
class _Question:
    close_ms: int
    answer: "asyncio.Task[Judgement]"

    @property
    def useless(self) -> bool:
        """Ended without an answer, and without what may be a veto."""
        if not self.answer.done():
            return False
        if self.answer.cancelled():
            return True
        failure = self.answer.exception()
        return failure is not None and not _may_veto(failure)


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
    :param model: who answers
    """

    def __init__(self, model: ModelJudge, now_ms: Callable[[], int]) -> None:
        self.model = model
        self.early = EarlyStats()
        self._now_ms = now_ms
        self._asked: dict[_Key, _Question] = {}
        self._rate = Rate(model.ahead_per_minute, MINUTE_MS)

    def room(self) -> int:
        """:return: how many more questions may be asked ahead now"""
        running = sum(not question.answer.done() for question in self._asked.values())
        unused = self._rate.limit - self._rate.used(self._now_ms())
        return min(unused, self.model.ahead_at_once() - running)

    def begin(self, facts: Facts, candles: FloatArray, news: NewsSet) -> None:
        """
        Ask ahead, unless that was asked already; what failed is not asked again before the
        minute is settled.

        :param facts: of the running minute
        """
        key = facts.symbol, wave_of(facts), state_of(facts, news)
        known = self._asked.get(key)
        if known is None or known.close_ms < facts.close_ms:
            self.early.asked += 1
            self._rate.take(self._now_ms())
            self._ask(key, facts, candles, news, early=True)

    async def answer(
        self, facts: Facts, candles: FloatArray, news: NewsSet, until_ms: int | None = None
    ) -> Judgement:
        """
        :param facts: of a settled minute
        :param until_ms: later than this nobody can use the answer
        :return: the answer to a question that was asked ahead in this minute, or to one asked
            now
        :raises ModelFailure: no usable answer
        """
        key = facts.symbol, wave_of(facts), state_of(facts, news)
        known = self._asked.get(key)
        if known is not None and not known.useless and known.close_ms == facts.close_ms:
            try:
                found = await asyncio.shield(known.answer)
            except ModelFailure as failure:
                if _may_veto(failure):
                    raise
                # Asked once more, as if it had failed before.
            else:
                self.early.used += 1
                return found
        return await asyncio.shield(self._ask(key, facts, candles, news, until_ms).answer)

    def settled(self, close_ms: int, waves: set[Wave]) -> None:
        """
        A minute was settled: what was asked ahead about waves that it should have begun, and
        did not, is void, and not waited for.

        :param waves: that it shows
        """
        void = [key for key in self._asked if key[1][2] == close_ms and key[1] not in waves]
        for key in void:
            self._asked.pop(key).answer.cancel()
        self.early.unconfirmed += len(void)
        oldest_ms = close_ms - _KEPT_MS
        self._asked = {key: q for key, q in self._asked.items() if key[1][2] >= oldest_ms}

    async def close(self) -> None:
        """Give up what is still being asked."""
        waiting = [question.answer for question in self._asked.values()]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    def _ask(
        self,
        key: _Key,
        facts: Facts,
        candles: FloatArray,
        news: NewsSet,
        until_ms: int | None = None,
        *,
        early: bool = False,
    ) -> _Question:
        task = asyncio.create_task(self.model.judge(facts, candles, news, until_ms, early=early))
        # Nobody may be waiting for it; the failure is counted by the model judge.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._asked[key] = asked = _Question(facts.close_ms, task)
        return asked


def _may_veto(failure: BaseException) -> bool:
    """What contradicts itself may hold a veto, which another question could lose."""
    return isinstance(failure, ModelFailure) and failure.kind == "contradictory"
