"""
Asking early: while a minute runs, news, candles and the model are asked about the waves that it
shows so far, so that the answer is there when the minute is settled.

Nothing said here is a verdict. It takes at most half of what the model may be asked, so that
waves that show only at the close find room.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from liq_provider.judge.evidence import Evidence
from liq_provider.judge.judged import Judged
from liq_provider.judge.questions import Questions, Wave, state_of, wave_of
from liq_provider.judge.vetoes import Vetoes
from liq_provider.measure.anomaly import Anomaly
from liq_provider.measure.waves import Strength

logger = logging.getLogger(__name__)

# Price moves within a minute; whether the candles will agree is looked at again this often.
_LOOK_AGAIN_MS = 15_000


class EarlyLook:
    """
    :param questions: to the model
    :param judged: what need not be asked any more
    :param vetoes: nor this
    """

    def __init__(
        self,
        questions: Questions,
        evidence: Evidence,
        judged: Judged,
        vetoes: Vetoes,
        now_ms: Callable[[], int],
    ) -> None:
        self.error: str | None = None
        self._questions = questions
        self._evidence = evidence
        self._judged = judged
        self._vetoes = vetoes
        self._now_ms = now_ms
        self._settled_ms = 0
        self._looking = 0
        self._seen: dict[Wave, tuple[int, Strength, int]] = {}

    async def look(self, running: Sequence[Anomaly], pairs: Mapping[str, str]) -> None:
        """
        :param running: what the minute shows so far, the strongest first, with the close that
            it will have
        :param pairs: the pair that stands for each coin
        """
        chosen: list[Anomaly] = []
        room = self._questions.room() - self._looking
        for found in running:
            # What finds no room now is looked at when it changes, or asked about at the close.
            if len(chosen) < room and self._is_new(found):
                chosen.append(found)
        self._looking += len(chosen)
        tasks = [self._look_at(found, pairs[found.base_asset]) for found in chosen]
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
        self._seen = {wave: seen for wave, seen in self._seen.items() if seen[0] >= close_ms}

    async def _look_at(self, found: Anomaly, pair: str) -> None:
        try:
            facts, candles, news = await self._evidence.expected(found, pair)
        finally:
            self._looking -= 1
        if found.close_ms <= self._settled_ms or facts.aligned is None:
            return
        wave = wave_of(facts)
        if not (self._vetoes.by_news(wave) or self._judged.knows(wave, state_of(facts, news))):
            self._questions.begin(facts, candles, news)

    def _is_new(self, found: Anomaly) -> bool:
        wave, now_ms = (found.base_asset, found.direction, found.wave_start_ms), self._now_ms()
        close_ms, strength, at_ms = self._seen.get(wave, (0, Strength.NONE, 0))
        same = (close_ms, strength) == (found.close_ms, found.strength)
        if same and now_ms - at_ms < _LOOK_AGAIN_MS:
            return False
        self._seen[wave] = (found.close_ms, found.strength, now_ms)
        return True
