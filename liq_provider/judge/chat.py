"""The language model as a judge: it is told a case in messages, and read as an opinion."""

import asyncio
from collections.abc import Awaitable, Callable

from liq_provider.config.sections import LlmSettings
from liq_provider.errors import ModelFailure
from liq_provider.judge import prompt
from liq_provider.judge.budget import Budget, Reserved
from liq_provider.judge.case import Case
from liq_provider.judge.guard import Opinion
from liq_provider.judge.model_answer import parse
from liq_provider.judge.model_http import ModelEndpoint
from liq_provider.judge.question_record import QuestionRecord


class Chat:
    """
    :param budget: that every request is charged to
    :param reserve_more: grants a request for which nothing was reserved yet; may refuse it
    """

    def __init__(
        self,
        settings: LlmSettings,
        endpoint: ModelEndpoint,
        budget: Budget,
        reserve_more: Callable[[QuestionRecord], Awaitable[Reserved]],
    ) -> None:
        self._settings = settings
        self._endpoint = endpoint
        self._budget = budget
        self._reserve_more = reserve_more

    async def opinion(self, case: Case, call: QuestionRecord | None = None) -> Opinion:
        """
        :param call: takes down what was said and charged
        :raises ModelFailure: no usable answer
        """
        call = call or begun(case)
        await self._request(call)
        return parse(call.answer)

    async def _request(self, call: QuestionRecord) -> None:
        async def reserve() -> Reserved:
            held, call.held = call.held, None
            if held is None:
                held = await self._reserve_more(call)
            call.requests += 1
            return held

        def settle(held: Reserved, tokens: tuple[int, int] | None) -> None:
            cost = self._budget.settle(held, tokens)
            call.charged += held.tokens if tokens is None else sum(tokens)
            call.cost_usd = None if cost is None else (call.cost_usd or 0.0) + cost
            call.tokens = tokens or call.tokens

        try:
            async with asyncio.timeout(self._settings.timeout_s):
                reply = await self._endpoint.ask(call.messages, reserve, settle)
        except TimeoutError:
            raise ModelFailure(
                "timeout", f"no complete answer within {self._settings.timeout_s:g} s"
            ) from None
        call.answer = reply.text


def begun(case: Case) -> QuestionRecord:
    """:return: a call about a case, of which nothing is sent yet"""
    messages = prompt.messages(case.facts, case.candles, case.timeframe, case.news, case.asked_ms)
    return QuestionRecord(case.facts, case.news.key, messages, case.asked_ms)
