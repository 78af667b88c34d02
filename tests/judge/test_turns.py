"""Whose turn it is: nobody is blamed for the questions before him, and nobody waits for nothing."""

import asyncio
import time
from typing import Any

from liq_provider.config.sections import LlmSettings
from liq_provider.errors import ModelFailure
from liq_provider.judge.guard import Guarded
from liq_provider.judge.guarded_answer import GuardedAnswer
from liq_provider.judge.matrix import Action, Confidence, News
from liq_provider.judge.question_record import QuestionRecord
from liq_provider.judge.shared_asking import question_of
from liq_provider.judge.turns import Turns
from liq_provider.news.desk import NOT_ASKED
from tests.judge.facts import NOW, facts

YES = Guarded(News.NOT_ASKED, Action.ENTER, Confidence.MEDIUM, 0, ())
ASKED = question_of(facts(), "none", "m@v1", early=False)


class SlowJudge:
    """Takes so long to answer, in its turn."""

    def __init__(self, seconds: float, **llm: Any) -> None:
        self.seconds = seconds
        self.asked = 0
        settings = LlmSettings.model_validate({"concurrency": 1, "breaker_failures": 1} | llm)
        self.turns = Turns("The judge", settings, lambda: NOW, None, paid=False)

    async def ask(self, late: bool) -> GuardedAnswer:
        call = QuestionRecord(facts(), NOT_ASKED.key, [], NOW)
        try:
            await self.turns.take(ASKED, call, None, late=late)
        except ModelFailure as failure:
            self.turns.failed(failure, call)
            raise
        self.asked += 1
        await asyncio.sleep(self.seconds)
        self.turns.breaker.succeeded()
        return GuardedAnswer(facts(), YES, NOT_ASKED.key, "")

    async def answer(self, until_ms: int | None = None) -> str:
        try:
            await self.turns.answer(ASKED, facts(), until_ms, self.ask)
        except ModelFailure as failure:
            return failure.kind
        return "ok"


async def test_a_question_waits_for_its_turn_only_as_long_as_its_answer_can_be_used() -> None:
    slow = SlowJudge(60)
    first = asyncio.create_task(slow.answer())
    await asyncio.sleep(0)
    begun_s = time.monotonic()
    outcomes = await asyncio.gather(*(slow.answer(NOW + 200) for _ in range(3)))
    assert outcomes == ["too late"] * 3 and slow.asked == 1
    assert time.monotonic() - begun_s < 30
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


async def test_who_came_too_late_is_no_failure_of_the_judge_and_holds_no_slot() -> None:
    slow = SlowJudge(0)
    assert await slow.answer(NOW - 1) == "too late"
    assert slow.turns.breaker.state == "closed" and slow.asked == 0
    assert [await slow.answer(NOW + 60_000) for _ in range(3)] == ["ok"] * 3
    assert slow.turns.report()["failures"] == {"too late": 1}


async def test_so_many_are_asked_at_a_time_and_the_others_after_them() -> None:
    slow = SlowJudge(0.05, concurrency=2)
    running = [asyncio.create_task(slow.answer(NOW + 60_000)) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert slow.asked == 2
    assert await asyncio.gather(*running) == ["ok"] * 5
