"""
A judge that another package adds by an entry point of the group ``liqtrend.judges``: something that
is called with the whole settings and gives a ``Judge``.

It is asked like the model: in an event loop of its own, cut off by ``llm.timeout_s``, left alone by
the circuit breaker when it keeps failing. It gets a copy of the case, and its opinion passes the
guard: it may veto or say less than the matrix, never more, never of another symbol or direction.
What it raises, and what is no opinion, is a failure like the model's (``on_llm_unavailable``).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from typing import Any

from liq_provider.config.settings import Settings
from liq_provider.core import keys, plugins
from liq_provider.core.arrays import FloatArray
from liq_provider.core.own_loop import OwnLoop
from liq_provider.core.plaintext import plain
from liq_provider.errors import ModelFailure, UsageError
from liq_provider.judge.breaker import Breaker
from liq_provider.judge.case import Case, Judge, capped
from liq_provider.judge.guard import Guarded, Opinion
from liq_provider.judge.guarded_answer import GuardedAnswer
from liq_provider.judge.matrix import Action, Confidence, News
from liq_provider.judge.verdict import Facts
from liq_provider.news.desk import NewsSet

logger = logging.getLogger(__name__)

_END_S = 1.0
_DETAIL_LIMIT = 200
_NOTE_CHARACTERS = 10_000
_MOST_REMARKS = 10
_AHEAD_PER_MINUTE = 60


@dataclass(slots=True)
class AddedStats:
    """
    :param failures: by kind
    :param unavailable: why the latest question went unanswered, None if it did not
    """

    asked: int = 0
    answered: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    guard_changes: int = 0
    unavailable: str | None = None


class AddedJudge:
    """
    Answers questions as ``ModelJudge`` does. Call it from any event loop.

    :param settings: ``judge.by`` names it
    """

    ahead_per_minute = _AHEAD_PER_MINUTE

    def __init__(self, settings: Settings, timeframe: str, now_ms: Callable[[], int]) -> None:
        self.stats = AddedStats()
        self.name = f"{settings.judge.by}@?"
        self.breaker = Breaker(settings.llm.breaker_failures, settings.llm.breaker_s, now_ms)
        self._settings = settings
        self._timeframe = timeframe
        self._now_ms = now_ms
        self._slots = asyncio.Semaphore(settings.llm.concurrency)
        self._own = OwnLoop("judge")
        self._judge: Judge | None = None
        self._problem: str | None = None
        self._point: EntryPoint | None = None
        try:
            self._point = plugins.find(plugins.JUDGES, settings.judge.by)
        except UsageError as error:
            self._problem = str(error)
        else:
            self.name = plugins.versioned(self._point)

    def prepare(self) -> None:
        """Begin to load it; questions wait for that, no longer than for an answer."""
        self._own.begin(self._load())

    async def close(self) -> None:
        """Give up what is being asked; what it blocks is left to itself."""
        await self._own.finish(_END_S)
        await self._own.close()

    def ahead_at_once(self) -> int:
        """:return: how many may be asked early at the same time; 0 if there is no use in it"""
        if self._problem is not None or self.breaker.state == "open":
            return 0
        working = self.breaker.state == "closed"
        return max(1, self._settings.llm.concurrency // 2) if working else 1

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
        :raises ModelFailure: no usable answer
        """
        self.stats.asked += 1
        case = Case(facts, candles, self._timeframe, news, self._now_ms())
        try:
            guarded = await self._within(case, until_ms)
        except ModelFailure as failure:
            self.stats.failures[failure.kind] += 1
            if self.stats.unavailable is None:
                logger.warning("The judge (%s): %s", self.name, keys.redact(str(failure)))
            self.stats.unavailable = failure.kind
            raise
        if self.stats.unavailable is not None:
            logger.info("The judge (%s) answers again", self.name)
        self.stats.unavailable = None
        self.stats.answered += 1
        self.stats.guard_changes += len(guarded.changes)
        return GuardedAnswer(facts, guarded, news.key, call_id="")

    def report(self) -> dict[str, Any]:
        """:return: what the status page shows; it has no budget"""
        return {
            "asked": self.stats.asked,
            "answered": self.stats.answered,
            "failures": dict(self.stats.failures),
            "guard_changes": self.stats.guard_changes,
            "unavailable": self.stats.unavailable,
            "circuit": self.breaker.state,
            "budget": {"spent": {}, "reached": []},
        }

    async def _within(self, case: Case, until_ms: int | None) -> Guarded:
        """In time, and with the circuit told what came of it."""
        if until_ms is not None and case.asked_ms >= until_ms:
            raise ModelFailure("too late", "its turn came after the verdict's last moment")
        if self._problem is not None:
            raise ModelFailure("not loaded", self._problem)
        self.breaker.enter()
        limit_s = self._settings.llm.timeout_s
        try:
            # Here, not in its own loop, which it may block.
            async with asyncio.timeout(limit_s):
                guarded = await self._own.call(self._answer(case))
        except (ModelFailure, TimeoutError) as error:
            self.breaker.failed()
            if isinstance(error, ModelFailure):
                raise
            raise ModelFailure("timeout", f"no opinion within {limit_s:g} s") from None
        except BaseException:
            self.breaker.abandoned()
            raise
        self.breaker.succeeded()
        return guarded

    async def _answer(self, case: Case) -> Guarded:
        await self._load()
        if self._problem is not None:
            raise ModelFailure("not loaded", self._problem)

        async def ask() -> Opinion:
            assert self._judge is not None
            return read_opinion(await self._judge.opinion(case.copy()))

        async with self._slots:
            return capped(await plugins.contained(ask, _failed), case)

    async def _load(self) -> None:
        if self._judge is not None or self._problem is not None:
            return

        async def load() -> Judge:
            assert self._point is not None
            judge = self._point.load()(self._settings)
            if not callable(getattr(judge, "opinion", None)):
                raise TypeError("what it makes is no judge")
            made: Judge = judge
            return made

        try:
            self._judge = await plugins.contained(load, _failed)
        except ModelFailure as failure:
            self._problem = failure.detail
            logger.error("The judge %s cannot be loaded: %s", self.name, failure.detail)


def _failed(words: str) -> ModelFailure:
    return ModelFailure("failed", _line(words))


def _line(text: str) -> str:
    return plain(keys.redact(text), _DETAIL_LIMIT)


def read_opinion(said: object) -> Opinion:
    """
    :param said: by somebody else's code
    :return: an opinion of which every part is what it should be
    :raises ModelFailure: it is none
    """
    if not isinstance(said, Opinion):
        raise ModelFailure("malformed", f"{_line(type(said).__name__)} instead of an opinion")
    try:
        read = Opinion(
            str(said.symbol),
            str(said.direction),
            News(said.news),
            Action(said.action),
            Confidence(said.confidence),
            _notes(said.notes),
            tuple(_line(str(remark)) for remark in said.remarks[:_MOST_REMARKS]),
        )
    except (ValueError, TypeError) as error:
        raise ModelFailure("malformed", _line(f"an opinion with {error}")) from None
    if read.action is Action.ENTER and read.news is News.CONTRADICTS:
        raise ModelFailure("contradictory", "enter, although the news contradicts")
    return read


def _notes(notes: object) -> tuple[str, str, str, str]:
    if not isinstance(notes, list | tuple) or len(notes) != 4:
        raise ValueError("notes that are not four texts")
    liq, trend, news, reason = (str(note)[:_NOTE_CHARACTERS] for note in notes)
    return liq, trend, news, reason
