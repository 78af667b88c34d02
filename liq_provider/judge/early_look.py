"""
Asking early: while a minute runs, news, candles and the judge are asked about the waves that it
shows so far, so that the answer is there when the minute is settled.

Nothing said here is a verdict. It takes at most half of what the judge may be asked, so that
waves that show only at the close find room; the matrix is not asked early at all.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from liq_provider.judge.case_source import CaseSource
from liq_provider.judge.questions import Questions
from liq_provider.judge.wave_records import Ruling, WaveRecords, state_of, wave_of
from liq_provider.measure.minute_results import Anomaly

logger = logging.getLogger(__name__)


class EarlyLook:
    """
    :param questions: to the judge
    :param records: of the waves; they tell what need not be asked any more
    """

    def __init__(
        self,
        questions: Questions,
        cases: CaseSource,
        records: WaveRecords,
        now_ms: Callable[[], int],
    ) -> None:
        self.error: str | None = None
        self._questions = questions
        self._cases = cases
        self._records = records
        self._now_ms = now_ms
        self._settled_ms = 0
        self._looking = 0

    async def look(self, running: Sequence[Anomaly], pairs: Mapping[str, str]) -> None:
        """
        :param running: what the minute shows so far, the strongest first, with the close that
            it will have
        :param pairs: the pair that stands for each coin
        """
        chosen: list[Anomaly] = []
        room = self._questions.room() - self._looking
        for anomaly in running:
            # What finds no room now is looked at when it changes, or asked about at the close.
            record = self._records.of(wave_of(anomaly))
            if len(chosen) < room and record.look(anomaly, self._now_ms()):
                chosen.append(anomaly)
        self._looking += len(chosen)
        tasks = [self._look_at(anomaly, pairs[anomaly.base_asset]) for anomaly in chosen]
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                self.error = str(result)
                self._questions.early.failed += 1
                logger.error("Looking ahead failed: %s", result)
            elif isinstance(result, BaseException):
                raise result

    def settled(self, close_ms: int) -> None:
        """A minute was settled; what is still being looked at in it is overtaken."""
        self._settled_ms = close_ms

    async def _look_at(self, anomaly: Anomaly, pair: str) -> None:
        try:
            facts, candles, news = await self._cases.expected(anomaly, pair)
        finally:
            self._looking -= 1
        if anomaly.close_ms <= self._settled_ms or facts.aligned is None:
            return
        record = self._records.of(wave_of(facts))
        if record.ruling(state_of(facts, news), reads_news=True) is Ruling.OPEN:
            self._questions.begin(record, facts, candles, news)
