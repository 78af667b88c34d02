"""
Whose turn it is to ask: so many questions at a time, each by one sidecar of the store, and none
that comes too late or that the circuit keeps out.

A question waits for its turn no longer than somebody can use the answer, and a judge's own time
begins with its turn, so that no question fails because of those before it. What another sidecar is
asking is waited for outside of a turn.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from liq_provider.config.sections import LlmSettings
from liq_provider.core.secret_keys import redact
from liq_provider.errors import ModelFailure
from liq_provider.judge import invented_figures
from liq_provider.judge.breaker import Breaker
from liq_provider.judge.failures import HEARD, NOT_ASKED, TOO_LATE
from liq_provider.judge.guard import Guarded
from liq_provider.judge.guarded_answer import GuardedAnswer, heard, written
from liq_provider.judge.question_record import QuestionRecord
from liq_provider.judge.shared_asking import SharedAsking
from liq_provider.judge.verdict import Facts
from liq_provider.store.liquidation_rows import Row
from liq_provider.store.shared_questions import Claim, Question, Totals
from liq_provider.store.vetoes import AGAINST_BEFORE

logger = logging.getLogger(__name__)

# What a claim says that leaves a question to the one that made it.
_OWN = ("mine", "limit", "free")

# Asks in its turn; or, if it is too late for one, only looks at what others heard.
Ask = Callable[[bool], Awaitable[GuardedAnswer | Claim]]


@dataclass(slots=True)
class TurnStats:
    """
    :param notes_replaced: notes with made-up figures, of questions that this sidecar asked
    :param shared: questions that another sidecar of the store had asked
    :param failures: by kind
    :param unavailable: why the latest question went unanswered, None if it did not
    """

    asked: int = 0
    answered: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    guard_changes: int = 0
    notes_replaced: int = 0
    shared: int = 0
    unavailable: str | None = None


class Turns:
    """
    Belongs to one event loop.

    :param who: is asked, in words
    :param shared: questions of all sidecars of the store; None: there are no others
    :param paid: a question costs something, and is a row of ``model_calls``
    """

    def __init__(
        self,
        who: str,
        settings: LlmSettings,
        now_ms: Callable[[], int],
        shared: SharedAsking | None,
        *,
        paid: bool,
    ) -> None:
        self.stats = TurnStats()
        self.breaker = Breaker(settings.breaker_failures, settings.breaker_s, now_ms)
        self._who = who
        self._now_ms = now_ms
        self._shared = shared
        self._paid = paid
        self._concurrency = settings.concurrency
        self._slots = asyncio.Semaphore(settings.concurrency)

    def ahead_at_once(self) -> int:
        """:return: how many may be asked early at the same time; 0 if there is no use in it"""
        if self.breaker.state == "open":
            return 0
        # A single question tries whether it works again.
        working = self.breaker.state == "closed"
        return max(1, self._concurrency // 2) if working else 1

    async def answer(
        self,
        question: Question,
        facts: Facts,
        until_ms: int | None,
        ask: Ask,
        knowledge_cutoff: date | None = None,
    ) -> GuardedAnswer:
        """
        :param until_ms: what has not been asked by then is not asked any more
        :param knowledge_cutoff: of a model
        :raises ModelFailure: no usable answer
        """
        stats = self.stats
        stats.asked += 1
        try:
            answer = await self._once(question, until_ms, ask)
            if isinstance(answer, Claim):
                stats.shared += 1
                answer = heard(answer, facts, knowledge_cutoff)
            else:
                stats.notes_replaced += invented_figures.replaced(answer.guarded)
        except ModelFailure as failure:
            if failure.kind == AGAINST_BEFORE:
                raise  # the judge is well
            stats.failures[failure.kind] += 1
            if stats.unavailable is None:
                logger.warning("%s: %s", self._who, redact(str(failure)))
            stats.unavailable = failure.kind
            raise
        if stats.unavailable is not None:
            logger.info("%s answers again", self._who)
        stats.unavailable = None
        stats.answered += 1
        stats.guard_changes += len(answer.guarded.changes)
        return answer

    async def _once(
        self, question: Question, until_ms: int | None, ask: Ask
    ) -> GuardedAnswer | Claim:
        """Ask, or wait for what another sidecar hears that asks the same."""
        while True:
            late = not await self._in_time(until_ms)
            try:
                answer = await ask(late)
            finally:
                if not late:
                    self._slots.release()
            if isinstance(answer, GuardedAnswer):
                return answer
            if answer.kind != "asked" or self._shared is None:
                return answer if self._paid else _unrecorded(answer)
            # Not in a turn: what others ask must not keep this one from asking.
            latest_ms = answer.lease_ms if until_ms is None else min(answer.lease_ms, until_ms)
            await self._shared.wait(question, latest_ms)

    async def _in_time(self, until_ms: int | None) -> bool:
        """Wait for a slot; it is not taken if that is too late."""
        left_s = None if until_ms is None else (until_ms - self._now_ms()) / 1000
        if left_s is not None and left_s <= 0:
            return False
        try:
            async with asyncio.timeout(left_s):
                await self._slots.acquire()
        except TimeoutError:
            return False
        return True

    async def take(
        self,
        question: Question,
        call: QuestionRecord,
        problem: ModelFailure | None,
        charged: Callable[[], Row] | None = None,
        *,
        late: bool,
    ) -> Claim | None:
        """
        Take a question, unless another sidecar has.

        :param problem: why this sidecar cannot ask, whatever others do
        :param charged: makes the row of a question that is paid for
        :return: what the store says of it; None if it cannot be reached, or there are no others
        :raises ModelFailure: it is this one's to ask, and it cannot
        """
        problem = self._problem(call, problem, late)
        claim = None
        if self._shared is not None:
            row = None if problem is not None else charged() if charged else _unpaid(call)
            claim = await self._shared.claim(question, row, paid=self._paid)
            call.shared = claim is not None and claim.kind == "mine"
        if claim is not None and claim.kind not in _OWN:
            if call.entered:
                self.breaker.abandoned()
            if claim.kind != "asked" or problem is None or problem.kind != TOO_LATE:
                return claim
        if problem is not None:
            raise problem
        return claim

    def _problem(
        self, call: QuestionRecord, problem: ModelFailure | None, late: bool
    ) -> ModelFailure | None:
        """Why it cannot be asked; else the circuit lets it in."""
        if late:
            return ModelFailure(TOO_LATE, "its turn came after the verdict's last moment")
        if problem is None:
            try:
                self.breaker.enter()
            except ModelFailure as failure:
                return failure
            call.entered = True
        return problem

    def failed(self, failure: ModelFailure, call: QuestionRecord) -> None:
        """Nothing came of it; who was not asked is not to blame."""
        call.outcome, call.detail = failure.kind, failure.detail
        if failure.kind not in NOT_ASKED:
            self.breaker.failed()
        elif call.entered:
            self.breaker.abandoned()

    def cancelled(self, call: QuestionRecord) -> None:
        """Nobody wants to know any more."""
        call.outcome = "cancelled"
        if call.entered:
            self.breaker.abandoned()

    async def tell(
        self,
        call: QuestionRecord,
        guarded: Guarded | None,
        row: Row | None = None,
    ) -> Totals | None:
        """
        Tell the other sidecars what became of a question that is theirs, too.

        :param guarded: None: there is no answer
        :param row: of a question that is paid for
        :return: what all of them spent; None if the store cannot be reached
        """
        assert self._shared is not None
        answer = None if guarded is None else written(guarded, call.facts)
        tell = guarded is not None or call.outcome in HEARD
        return await self._shared.finish(row or _unpaid(call), answer, tell=tell, paid=self._paid)

    def report(self) -> dict[str, Any]:
        """:return: what the status page shows"""
        stats = self.stats
        return {
            "asked": stats.asked,
            "answered": stats.answered,
            "failures": dict(stats.failures),
            "guard_changes": stats.guard_changes,
            "notes_replaced": stats.notes_replaced,
            "shared": stats.shared,
            "unavailable": stats.unavailable,
            "circuit": self.breaker.state,
        }


def others(claim: Claim | None) -> Claim | None:
    """:return: the claim, if another sidecar asks, or has heard"""
    return None if claim is None or claim.kind in _OWN else claim


def _unpaid(call: QuestionRecord) -> Row:
    return {"call_id": call.call_id, "outcome": call.outcome, "detail": redact(call.detail)}


def _unrecorded(claim: Claim) -> Claim:
    """No row of ``model_calls`` tells more."""
    return replace(claim, row={**claim.row, "call_id": ""})
