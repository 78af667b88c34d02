"""
The model judge: asks a language model about a wave, within budget, and records every question.

What it says passes through the guard, so it can make a decision smaller, never larger than the
matrix allows.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from liq_provider.config.sections import LlmSettings
from liq_provider.core.arrays import FloatArray
from liq_provider.core.own_loop import OwnLoop
from liq_provider.errors import ModelFailure
from liq_provider.judge import prompt
from liq_provider.judge.breaker import Breaker
from liq_provider.judge.budget import Budget, Reserved, Spent
from liq_provider.judge.case import Case, capped
from liq_provider.judge.chat import Chat, begun
from liq_provider.judge.guard import Guarded
from liq_provider.judge.guarded_answer import GuardedAnswer
from liq_provider.judge.model_http import ModelEndpoint
from liq_provider.judge.question_record import QuestionRecord
from liq_provider.judge.shared_asking import SharedAsking, question_of
from liq_provider.judge.turns import Turns, others
from liq_provider.judge.verdict import Facts
from liq_provider.news.desk import NewsSet
from liq_provider.store.shared_questions import ASKING, Claim, Question

logger = logging.getLogger(__name__)

_RECORD_S = 5.0

Keep = Callable[[dict[str, Any]], Awaitable[None]]


class ModelJudge:
    """
    Works in an event loop of its own; call it from any other.

    :param keep: writes a row of ``model_calls``; is called in that loop
    :param past: calls of the last day, for the budget; None if they cannot be read
    :param shared: questions of all sidecars of the store; None: there are no others
    """

    called = "the model"
    reads_news = True

    def __init__(
        self,
        settings: LlmSettings,
        timeframe: str,
        now_ms: Callable[[], int],
        keep: Keep,
        past: Sequence[Spent] | None = (),
        shared: SharedAsking | None = None,
    ) -> None:
        self.name = f"{settings.model}@{prompt.VERSION}"
        self.budget = Budget(settings, now_ms(), past)
        self._settings = settings
        self._timeframe = timeframe
        self._now_ms = now_ms
        self._keep = keep
        self._shared = shared
        self._turns = Turns(f"The model ({self.name})", settings, now_ms, shared, paid=True)
        self._requests = 0
        self._latency_ms: int | None = None
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

    @property
    def breaker(self) -> Breaker:
        """Leaves it alone for a while when it keeps failing."""
        return self._turns.breaker

    def ahead_at_once(self) -> int:
        """:return: how many may be asked early at the same time; 0 if there is no use in it"""
        if self._endpoint is None:
            return 0
        if self.budget.this_minute(self._now_ms()) >= self.ahead_per_minute:
            return 0
        return self._turns.ahead_at_once()

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
        question = question_of(facts, news.key, self.name, early=early)

        async def ask(late: bool) -> GuardedAnswer | Claim:
            return await self._ask(question, facts, candles, news, late)

        cutoff = self._settings.knowledge_cutoff
        return await self._own.call(self._turns.answer(question, facts, until_ms, ask, cutoff))

    async def _ask(
        self,
        question: Question,
        facts: Facts,
        candles: FloatArray,
        news: NewsSet,
        late: bool,
    ) -> GuardedAnswer | Claim:
        # Made here, in its turn: the news has the age that it has now.
        case = Case(facts, candles, self._timeframe, news, self._now_ms())
        call, guarded = begun(case), None
        try:
            elsewhere = await self._take(call, question, late)
            if elsewhere is not None:
                return elsewhere
            assert self._chat is not None
            guarded = capped(await self._chat.opinion(case, call), case)
        except ModelFailure as failure:
            self._turns.failed(failure, call)
            await self._record(call, question, None)
            raise ModelFailure(failure.kind, failure.detail, call.call_id) from None
        except BaseException:
            self._turns.cancelled(call)
            await self._record(call, question, None)
            raise
        self.breaker.succeeded()
        await self._record(call, question, guarded)
        cutoff = self._settings.knowledge_cutoff
        return GuardedAnswer(facts, guarded, news.key, call.call_id, cutoff)

    async def _take(self, call: QuestionRecord, question: Question, late: bool) -> Claim | None:
        """
        :return: what another sidecar asks or heard; None if this one is to ask
        :raises ModelFailure: it is to, and cannot
        """
        problem = None
        if self._endpoint is None:
            problem = self._problem or ModelFailure("no key", "no endpoint")
        most = self.budget.most(call.size, call.asked_ms)
        claim = await self._turns.take(
            question, call, problem, lambda: self._claimed(call, most), late=late
        )
        if claim is None:
            call.held = self.budget.reserve(call.size, self._now_ms())
            return None
        if claim.totals is not None:
            self.budget.told(claim.totals, self._now_ms())
        if claim.kind == "limit":
            raise self.budget.refusal(claim.limit)
        if claim.kind == "mine":
            self.budget.hold(most, self._now_ms())
            call.held = most
        return others(claim)

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

    async def _record(
        self, call: QuestionRecord, question: Question, guarded: Guarded | None
    ) -> None:
        if call.held is not None:
            self.budget.settle(call.held, (0, 0))  # granted, and never sent
        self._requests += call.requests
        latency_ms = max(0, self._now_ms() - call.asked_ms)
        if call.requests:
            self._latency_ms = latency_ms
        row = call.row(self.name, latency_ms)
        if self._shared is None or not call.shared:
            await self._keep(row)
            if self._shared is not None:
                now_ms = self._now_ms()
                self.budget.unwritten(call.requests, call.charged, call.cost_usd, now_ms)
            return
        totals = await self._turns.tell(call, guarded, row)
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
        return {
            **self._turns.report(),
            "requests": self._requests,
            "latency_ms": self._latency_ms,
            "budget": self.budget.report(self._now_ms()),
        }
