"""
The model judge: asks a language model about a wave, within budget, and records every question.

What it says passes through the guard, so it can make a decision smaller, never larger than the
matrix allows.
"""

import asyncio
import json
import logging
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from liq_provider.enrich.news import NewsSet
from liq_provider.errors import ModelFailure
from liq_provider.judge import prompt
from liq_provider.judge.answer import parse
from liq_provider.judge.breaker import Breaker
from liq_provider.judge.budget import Budget, Reserved, Spent
from liq_provider.judge.endpoint import Endpoint
from liq_provider.judge.failures import NOT_ASKED
from liq_provider.judge.guard import Guarded, guard
from liq_provider.judge.rules import liq_note, trend_note
from liq_provider.judge.verdict import Facts, Verdict
from liq_provider.keys import redact
from liq_provider.ownloop import OwnLoop
from liq_provider.rolling import FloatArray
from liq_provider.sections import LlmSettings

logger = logging.getLogger(__name__)

_RAW_LIMIT = 20_000
_RECORD_S = 5.0

Keep = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """
    What is left of one answer after the guard; a verdict when its minute is settled.

    :param asked: the facts that it was asked about
    :param call_id: of the question in ``model_calls``
    """

    asked: Facts
    guarded: Guarded
    news_key: str
    call_id: str

    def verdict(self, facts: Facts, judge: str, available_at: int, expires_at: int) -> Verdict:
        """
        :param facts: of the settled minute; strength and alignment must be those asked about
        """
        said = self.guarded
        liq, trend, on_news, reason = said.notes
        if self.asked.details != facts.details:
            # Asked while the minute ran: the numbers in its words are not those that count.
            liq = trend = ""
        return Verdict(
            facts=replace(facts, details={**facts.details, "call_id": self.call_id}),
            judge=judge,
            news=said.news,
            action=said.action,
            confidence=said.confidence,
            liq_note=liq or liq_note(facts),
            trend_note=trend or trend_note(facts),
            news_note=on_news,
            action_reason=reason or "the model gave no reason",
            available_at=available_at,
            expires_at=expires_at,
            news_key=self.news_key,
            downgrade=said.downgrade,
            guard=said.changes,
        )


@dataclass(slots=True)
class ModelStats:
    """
    :param requests: including those that were repeated
    :param failures: by kind
    :param unavailable: why the latest question went unanswered, None if it did not
    """

    asked: int = 0
    answered: int = 0
    requests: int = 0
    latency_ms: int | None = None
    failures: Counter[str] = field(default_factory=Counter)
    guard_changes: int = 0
    unavailable: str | None = None


@dataclass(slots=True)
class _Call:
    """One question while it is being asked."""

    asked_ms: int
    requests: int = 0
    tokens: tuple[int, int] | None = None
    charged: int = 0
    cost_usd: float | None = None
    answer: str = ""
    outcome: str = "ok"
    detail: str = ""


class ModelJudge:
    """
    Works in an event loop of its own; call it from any other.

    :param keep: writes a row of ``model_calls``; is called in that loop
    :param past: calls of the last day, for the budget
    """

    def __init__(
        self,
        settings: LlmSettings,
        timeframe: str,
        now_ms: Callable[[], int],
        keep: Keep,
        past: Sequence[Spent] = (),
    ) -> None:
        self.stats = ModelStats()
        self.name = f"{settings.model}@{prompt.VERSION}"
        self.budget = Budget(settings, now_ms(), past)
        self.breaker = Breaker(settings.breaker_failures, settings.breaker_s, now_ms)
        self._settings = settings
        self._timeframe = timeframe
        self._now_ms = now_ms
        self._keep = keep
        self._slots = asyncio.Semaphore(settings.concurrency)
        # Building and reading a hundred requests takes time that the feeds do not have.
        self._own = OwnLoop("model")
        self._endpoint: Endpoint | None = None
        self._problem: ModelFailure | None = None
        try:
            self._endpoint = Endpoint(settings)
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
        self, facts: Facts, candles: FloatArray, news: NewsSet, until_ms: int | None = None
    ) -> Judgement:
        """
        :param until_ms: what has not been asked by then is not asked any more
        :raises ModelFailure: no usable answer; what happened is on record
        """
        return await self._own.call(self._judge(facts, candles, news, until_ms))

    async def _judge(
        self, facts: Facts, candles: FloatArray, news: NewsSet, until_ms: int | None
    ) -> Judgement:
        self.stats.asked += 1
        try:
            async with self._slots:
                judgement = await self._ask(facts, candles, news, until_ms)
        except ModelFailure as failure:
            self.stats.failures[failure.kind] += 1
            if self.stats.unavailable is None:
                logger.warning("The model (%s): %s", self.name, redact(str(failure)))
            self.stats.unavailable = failure.kind
            raise
        if self.stats.unavailable is not None:
            logger.info("The model (%s) answers again", self.name)
        self.stats.unavailable = None
        self.stats.answered += 1
        self.stats.guard_changes += len(judgement.guarded.changes)
        return judgement

    async def _ask(
        self, facts: Facts, candles: FloatArray, news: NewsSet, until_ms: int | None
    ) -> Judgement:
        # Made here, after waiting for a slot: the news has the age that it has now.
        asked_ms = self._now_ms()
        messages = prompt.messages(facts, candles, self._timeframe, news, asked_ms)
        call, call_id = _Call(asked_ms), uuid.uuid4().hex
        try:
            if until_ms is not None and asked_ms >= until_ms:
                raise ModelFailure("too late", "its turn came after the verdict's last moment")
            await self._request(call, messages)
            guarded = guard(
                parse(call.answer),
                facts,
                news_found=news.found,
                steered=news.steered,
                uncarried=news.uncarried,
            )
        except ModelFailure as failure:
            call.outcome, call.detail = failure.kind, failure.detail
            self._blame(failure)
            raise ModelFailure(failure.kind, failure.detail, call_id) from None
        except BaseException:
            call.outcome = "cancelled"
            self.breaker.abandoned()
            raise
        else:
            self.breaker.succeeded()
            return Judgement(facts, guarded, news.key, call_id)
        finally:
            await self._record(call_id, call, facts, news, messages)

    async def _request(self, call: _Call, messages: prompt.Messages) -> None:
        if self._endpoint is None:
            raise self._problem or ModelFailure("no key", "no endpoint")
        self.breaker.enter()
        size = sum(len(message["content"]) for message in messages)

        def reserve() -> Reserved:
            held = self.budget.reserve(size, self._now_ms())
            call.requests += 1
            self.stats.requests += 1
            return held

        def settle(held: Reserved, tokens: tuple[int, int] | None) -> None:
            cost = self.budget.settle(held, tokens)
            call.charged += held.tokens if tokens is None else sum(tokens)
            call.cost_usd = None if cost is None else (call.cost_usd or 0.0) + cost
            call.tokens = tokens or call.tokens

        try:
            async with asyncio.timeout(self._settings.timeout_s):
                reply = await self._endpoint.ask(messages, reserve, settle)
        except TimeoutError:
            raise ModelFailure(
                "timeout", f"no complete answer within {self._settings.timeout_s:g} s"
            ) from None
        call.answer = reply.text

    def _blame(self, failure: ModelFailure) -> None:
        if failure.kind in NOT_ASKED:
            # A circuit that is open lets nobody in, so there is nothing to give back.
            if failure.kind != "circuit open":
                self.breaker.abandoned()
        else:
            self.breaker.failed()

    async def _record(
        self,
        call_id: str,
        call: _Call,
        facts: Facts,
        news: NewsSet,
        messages: prompt.Messages,
    ) -> None:
        latency_ms = max(0, self._now_ms() - call.asked_ms)
        if call.requests:
            self.stats.latency_ms = latency_ms
        prompt_tokens, answer_tokens = call.tokens or (None, None)
        row = {
            "call_id": call_id,
            "base_asset": facts.base_asset,
            "symbol": facts.symbol,
            "direction": facts.direction,
            "wave_start_ms": facts.wave_start_ms,
            "close_ms": facts.close_ms,
            "judge": self.name,
            "news_key": news.key,
            "asked_ms": call.asked_ms,
            "latency_ms": latency_ms,
            "requests": call.requests,
            "prompt": redact(json.dumps(messages)),
            "answer": _recorded(call.answer),
            "prompt_tokens": prompt_tokens,
            "answer_tokens": answer_tokens,
            "charged_tokens": call.charged,
            "cost_usd": call.cost_usd,
            "outcome": call.outcome,
            "detail": redact(call.detail),
        }
        await self._keep(row)

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
            "unavailable": stats.unavailable,
            "circuit": self.breaker.state,
            "budget": self.budget.report(self._now_ms()),
        }


def _recorded(answer: str) -> str:
    """What is too long loses its middle: thoughts come first, the answer last."""
    text = redact(_storable(answer))
    half = _RAW_LIMIT // 2
    return text if len(text) <= _RAW_LIMIT else f"{text[:half]}\n[...]\n{text[-half:]}"


def _storable(text: str) -> str:
    """What no database takes (zero characters, halves of surrogate pairs) is left out or marked."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
