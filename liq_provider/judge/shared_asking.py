"""
Questions that the sidecars of one store share: which are this one's to ask, and what others heard.

Everything that it needs to know is in the store; it is asked in the store's thread, with a
deadline. A store that cannot be reached leaves each sidecar to itself: it asks within what it knows
of the budget, and not at all if it never knew.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

from liq_provider.config.sections import LlmSettings
from liq_provider.errors import StoreBusy, StoreError
from liq_provider.judge.verdict import Facts, aligned_word
from liq_provider.store.shared_questions import Claim, Key, Question, SharedQuestions, Totals
from liq_provider.store.writer import Writer

logger = logging.getLogger(__name__)

# Beyond the judge's own deadline, for the store to write down what came of it.
LEASE_BEYOND_MS = 3_000

_PATIENCE_S = 5.0
_LOOK_S = 0.25
_BUSY_WAITS_S = (0.1, 0.4)

_T = TypeVar("_T")


class SharedAsking:
    """
    Belongs to one event loop.

    :param executor: the store's single thread
    :param now_ms: exchange time, which all sidecars share
    """

    def __init__(
        self, writer: Writer, executor: Executor, settings: LlmSettings, now_ms: Callable[[], int]
    ) -> None:
        asker = uuid.uuid4().hex
        # The engine of now: a store that was replaced gets another one.
        self._store = SharedQuestions(lambda: writer.engine, asker, settings.budget)
        self._executor = executor
        self._now_ms = now_ms
        self._lease_ms = round(settings.timeout_s * 1000) + LEASE_BEYOND_MS
        self._waiting: dict[Key, asyncio.Event] = {}
        self._looking: asyncio.Task[None] | None = None
        self._away = False

    async def claim(
        self, question: Question, call: dict[str, Any] | None, *, paid: bool = True
    ) -> Claim | None:
        """
        :param call: see ``SharedQuestions.claim``; so is ``paid``
        :return: None if the store cannot be reached
        """
        now_ms = self._now_ms()
        return await self._do(
            lambda: self._store.claim(question, call, now_ms, now_ms + self._lease_ms, paid=paid)
        )

    async def charge(self, call_id: str, tokens: int, usd: float | None) -> str | Totals | None:
        """:return: see ``SharedQuestions.charge``; None if the store cannot be reached"""
        return await self._do(lambda: self._store.charge(call_id, tokens, usd, self._now_ms()))

    async def finish(
        self,
        call: dict[str, Any],
        answer: str | None,
        *,
        tell: bool,
        paid: bool = True,
    ) -> Totals | None:
        """:return: see ``SharedQuestions.finish``; None if the store cannot be reached"""
        return await self._do(
            lambda: self._store.finish(call, answer, tell=tell, now_ms=self._now_ms(), paid=paid)
        )

    async def wait(self, question: Question, until_ms: int) -> None:
        """
        Wait until somebody else has asked, has given up, or his time is over.

        :param until_ms: or until then
        """
        event = self._waiting.setdefault(question.key, asyncio.Event())
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(max(0.0, (until_ms - self._now_ms()) / 1000)):
                await event.wait()
        except TimeoutError:
            pass

    async def _look(self) -> None:
        """One look for all that wait."""
        try:
            while self._waiting:
                await asyncio.sleep(_LOOK_S)
                keys = list(self._waiting)
                asked = await self._do(lambda keys=keys: self._store.asked(keys))  # type: ignore[misc]
                now_ms = self._now_ms()
                for key in keys:
                    if asked is None or asked.get(key, 0) <= now_ms:
                        self._waiting.pop(key).set()
        finally:
            self._looking = None

    async def _do(self, call: Callable[[], _T]) -> _T | None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                answer = await self._tried(call)
        except (StoreError, TimeoutError) as error:
            if not self._away:
                why = str(error) or "the store does not answer"
                logger.warning("Questions to the judge are not shared: %s", why)
            self._away = True
            return None
        if self._away:
            logger.info("Questions to the judge are shared again")
        self._away = False
        return answer

    async def _tried(self, call: Callable[[], _T]) -> _T:
        loop = asyncio.get_running_loop()
        for wait_s in _BUSY_WAITS_S:
            try:
                return await loop.run_in_executor(self._executor, call)
            except StoreBusy:
                await asyncio.sleep(wait_s)
        return await loop.run_in_executor(self._executor, call)


def question_of(facts: Facts, news_key: str, judge: str, *, early: bool) -> Question:
    """:return: what is asked about a wave, as all sidecars call it"""
    return Question(
        facts.base_asset,
        facts.direction,
        facts.wave_start_ms,
        facts.strength.word,
        aligned_word(facts.aligned),
        news_key,
        judge,
        facts.close_ms,
        early,
    )
