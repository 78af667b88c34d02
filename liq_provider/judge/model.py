"""
The model judge: asks a language model about a wave, within budget, and records every question.

What it says passes through the guard, so it can make a decision smaller, never larger than the
matrix allows.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from liq_provider.config.sections import LlmSettings
from liq_provider.core.arrays import FloatArray
from liq_provider.core.keys import redact
from liq_provider.core.own_loop import OwnLoop
from liq_provider.errors import ModelFailure
from liq_provider.judge import invented_figures, prompt
from liq_provider.judge.breaker import Breaker
from liq_provider.judge.budget import Budget, Reserved, Spent
from liq_provider.judge.case import Case, capped
from liq_provider.judge.chat import Chat, begun
from liq_provider.judge.failures import HEARD, NOT_ASKED
from liq_provider.judge.guard import Guarded
from liq_provider.judge.guarded_answer import GuardedAnswer, heard, written
from liq_provider.judge.model_http import ModelEndpoint
from liq_provider.judge.question_record import QuestionRecord
from liq_provider.judge.shared_asking import SharedAsking, question_of
from liq_provider.judge.verdict import Facts
from liq_provider.news.desk import NewsSet
from liq_provider.store.shared_questions import ASKING, Claim, Question
from liq_provider.store.vetoes import AGAINST_BEFORE

logger = logging.getLogger(__name__)

_RECORD_S = 5.0

Keep = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class ModelStats:
    """
    :param requests: including those that were repeated
    :param shared: questions that another sidecar of the store had asked
    :param notes_replaced: that held a figure of the model's own making
    :param failures: by kind
    :param unavailable: why the latest question went unanswered, None if it did not
    """

    asked: int = 0
    answered: int = 0
    requests: int = 0
    latency_ms: int | None = None
    failures: Counter[str] = field(default_factory=Counter)
    guard_changes: int = 0
    shared: int = 0
    notes_replaced: int = 0
    unavailable: str | None = None


class ModelJudge:
    """
    Works in an event loop of its own; call it from any other.

    :param keep: writes a row of ``model_calls``; is called in that loop
    :param past: calls of the last day, for the budget; None if they cannot be read
    :param shared: questions of all sidecars of the store; None: there are no others
    """

    def __init__(
        self,
        settings: LlmSettings,
        timeframe: str,
        now_ms: Callable[[], int],
        keep: Keep,
        past: Sequence[Spent] | None = (),
        shared: SharedAsking | None = None,
    ) -> None:
        self.stats = ModelStats()
        self.name = f"{settings.model}@{prompt.VERSION}"
        self.budget = Budget(settings, now_ms(), past)
        self.breaker = Breaker(settings.breaker_failures, settings.breaker_s, now_ms)
        self._settings = settings
        self._timeframe = timeframe
        self._now_ms = now_ms
        self._keep = keep
        self._shared = shared
        self._slots = asyncio.Semaphore(settings.concurrency)
        # Building and reading a hundred requests takes time that the feeds do not have.
        self._own = OwnLoop("model")
        self._endpoint: ModelEndpoint | None = None
        self._chat: Chat | None = None
        self._problem: ModelFailure | None = None
        try:
            self._endpoint = ModelEndpoint(settings)
            self._chat = Chat(settings, self._endpoint, self.budget, self._reserve_more)
        except ModelFailure as failure:
            self._problem = failure

    def prepare(self) -> None:
        """Load the client; run it in a thread before the first question."""
        if self._endpoint is not None:
            self._endpoint.prepare()

    async def close(self) -> None:
        """Close its connections; what was asked is still put on record."""
        # The client is closed when no question uses it any more.
        await self._own.finish(_RECORD_S)
        if self._endpoint is not None:
            await self._own.call(self._endpoint.close())
        await self._own.close()

    @property
    def ahead_per_minute(self) -> int:
        """How many questions a minute may be asked early; as many are kept for those due."""
        return max(1, self._settings.budget.calls_per_minute // 2)

    def ahead_at_once(self) -> int:
        """:return: how many may be asked early at the same time; 0 if there is no use in it"""
        if self._endpoint is None or self.breaker.state == "open":
            return 0
        if self.budget.this_minute(self._now_ms()) >= self.ahead_per_minute:
            return 0
        # A single question tries whether the model works again.
        working = self.breaker.state == "closed"
        return max(1, self._settings.concurrency // 2) if working else 1

    async def judge(
        self,
        facts: Facts,
        candles: FloatArray,
        news: NewsSet,
        until_ms: int | None = None,
        *,
        early: bool = False,
    ) -> GuardedAnswer:
        """
        :param until_ms: what has not been asked by then is not asked any more
        :param early: the minute that it is about is not settled yet
        :raises ModelFailure: no usable answer; what happened is on record
        """
        return await self._own.call(self._judge(facts, candles, news, until_ms, early))

    async def _judge(
        self,
        facts: Facts,
        candles: FloatArray,
        news: NewsSet,
        until_ms: int | None,
        early: bool,
    ) -> GuardedAnswer:
        self.stats.asked += 1
        question = question_of(facts, news.key, self.name, early=early)
        try:
            answer = await self._once(question, facts, candles, news, until_ms)
        except ModelFailure as failure:
            if failure.kind == AGAINST_BEFORE:
                raise  # the model is well
            self.stats.failures[failure.kind] += 1
            if self.stats.unavailable is None:
                logger.warning("The model (%s): %s", self.name, redact(str(failure)))
            self.stats.unavailable = failure.kind
            raise
        if self.stats.unavailable is not None:
            logger.info("The model (%s) answers again", self.name)
        self.stats.unavailable = None
        self.stats.answered += 1
        self.stats.guard_changes += len(answer.guarded.changes)
        return answer

    async def _once(
        self,
        question: Question,
        facts: Facts,
        candles: FloatArray,
        news: NewsSet,
        until_ms: int | None,
    ) -> GuardedAnswer:
        """Ask, or wait for what another sidecar hears that asks the same."""
        while True:
            async with self._slots:
                answer = await self._ask(question, facts, candles, news, until_ms)
            if isinstance(answer, GuardedAnswer):
                return answer
            # Not in a slot: what others ask must not keep this one from asking.
            if answer.kind != "asked" or self._shared is None:
                self.stats.shared += 1
                return heard(answer, facts, self._settings.knowledge_cutoff)
            latest_ms = answer.lease_ms if until_ms is None else min(answer.lease_ms, until_ms)
            await self._shared.wait(question, latest_ms)

    async def _ask(
        self,
        question: Question,
        facts: Facts,
        candles: FloatArray,
        news: NewsSet,
        until_ms: int | None,
    ) -> GuardedAnswer | Claim:
        # Made here, after waiting for a slot: the news has the age that it has now.
        case = Case(facts, candles, self._timeframe, news, self._now_ms())
        call, guarded = begun(case), None
        try:
            others = await self._take(call, question, until_ms)
            if others is not None:
                return others
            assert self._chat is not None
            guarded = capped(await self._chat.opinion(case, call), case)
            self.stats.notes_replaced += sum(
                invented_figures.REPLACED in c for c in guarded.changes
            )
        except ModelFailure as failure:
            call.outcome, call.detail = failure.kind, failure.detail
            self._blame(failure, call)
            await self._record(call, question, None)
            raise ModelFailure(failure.kind, failure.detail, call.call_id) from None
        except BaseException:
            call.outcome = "cancelled"
            if call.entered:
                self.breaker.abandoned()
            await self._record(call, question, None)
            raise
        self.breaker.succeeded()
        await self._record(call, question, guarded)
        cutoff = self._settings.knowledge_cutoff
        return GuardedAnswer(facts, guarded, news.key, call.call_id, cutoff)

    async def _take(
        self, call: QuestionRecord, question: Question, until_ms: int | None
    ) -> Claim | None:
        """
        :return: what another sidecar asks or heard; None if this one is to ask
        :raises ModelFailure: it is to, and cannot
        """
        problem = self._problem_now(call, until_ms)
        most = self.budget.most(call.size, call.asked_ms)
        claim = None
        if self._shared is not None:
            row = None if problem is not None else self._claimed(call, most)
            call.shared = row is not None
            claim = await self._shared.claim(question, row)
            call.shared = claim is not None and claim.kind == "mine"
        if claim is not None and claim.totals is not None:
            self.budget.told(claim.totals, self._now_ms())
        if claim is not None and claim.kind not in ("mine", "limit", "free"):
            if call.entered:
                self.breaker.abandoned()
            if claim.kind != "asked" or problem is None or problem.kind != "too late":
                return claim
        if problem is not None:
            raise problem
        if claim is not None and claim.kind == "limit":
            raise self.budget.refusal(claim.limit)
        if claim is None:
            call.held = self.budget.reserve(call.size, self._now_ms())
        else:
            self.budget.hold(most, self._now_ms())
            call.held = most
        return None

    def _problem_now(self, call: QuestionRecord, until_ms: int | None) -> ModelFailure | None:
        """Why this sidecar cannot ask, whatever others do; else the circuit lets it in."""
        if until_ms is not None and call.asked_ms >= until_ms:
            return ModelFailure("too late", "its turn came after the verdict's last moment")
        if self._endpoint is None:
            return self._problem or ModelFailure("no key", "no endpoint")
        try:
            self.breaker.enter()
        except ModelFailure as failure:
            return failure
        call.entered = True
        return None

    async def _reserve_more(self, call: QuestionRecord) -> Reserved:
        """For a request that repeats another one."""
        if self._shared is None or not call.shared:
            return self.budget.reserve(call.size, self._now_ms())
        most = self.budget.most(call.size, self._now_ms())
        granted = await self._shared.charge(call.call_id, most.tokens, self.budget.priced(most))
        if granted is None:
            return self.budget.reserve(call.size, self._now_ms())
        if isinstance(granted, str):
            raise self.budget.refusal(granted)
        self.budget.told(granted, self._now_ms())
        self.budget.hold(most, self._now_ms())
        return most

    def _blame(self, failure: ModelFailure, call: QuestionRecord) -> None:
        if failure.kind not in NOT_ASKED:
            self.breaker.failed()
        elif call.entered:
            self.breaker.abandoned()

    async def _record(
        self, call: QuestionRecord, question: Question, guarded: Guarded | None
    ) -> None:
        if call.held is not None:
            self.budget.settle(call.held, (0, 0))  # granted, and never sent
        self.stats.requests += call.requests
        latency_ms = max(0, self._now_ms() - call.asked_ms)
        if call.requests:
            self.stats.latency_ms = latency_ms
        row = call.row(self.name, latency_ms)
        if self._shared is None or not call.shared:
            await self._keep(row)
            if self._shared is not None:
                now_ms = self._now_ms()
                self.budget.unwritten(call.requests, call.charged, call.cost_usd, now_ms)
            return
        answer = None if guarded is None else written(guarded, call.facts)
        tell = guarded is not None or call.outcome in HEARD
        totals = await self._shared.finish(question, row, answer, tell=tell)
        if totals is None:
            logger.error("A model call is not on record: the store does not answer")
        else:
            self.budget.told(totals, self._now_ms())

    def _claimed(self, call: QuestionRecord, most: Reserved) -> dict[str, Any]:
        """The row of a call whose first request is about to be sent, charged in full."""
        return call.row(self.name, 0) | {
            "requests": 1,
            "charged_tokens": most.tokens,
            "cost_usd": self.budget.priced(most),
            "outcome": ASKING,
        }

    def report(self) -> dict[str, Any]:
        """:return: what the status page shows"""
        stats = self.stats
        return {
            "asked": stats.asked,
            "answered": stats.answered,
            "requests": stats.requests,
            "latency_ms": stats.latency_ms,
            "failures": dict(stats.failures),
            "guard_changes": stats.guard_changes,
            "shared": stats.shared,
            "notes_replaced": stats.notes_replaced,
            "unavailable": stats.unavailable,
            "circuit": self.breaker.state,
            "budget": self.budget.report(self._now_ms()),
        }
