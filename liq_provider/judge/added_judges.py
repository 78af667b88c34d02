"""
A judge that another package adds by an entry point of the group ``liqtrend.judges``: something that
is called with the whole settings and gives a ``Judge``.

It is asked like the model: in its turn, once among the sidecars of a store, cut off by
``llm.timeout_s``, left alone by the circuit breaker when it keeps failing. Its own code runs in an
event loop of its own, which it may block; the rest is done outside of that. It gets a copy of the
case, and its opinion passes the guard: it may refuse or say less than the matrix, never more, never
of another symbol or direction. What it raises, and what is no opinion, is a failure like the
model's (``on_llm_unavailable``).
"""

import asyncio
import logging
from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

from liq_provider.config.settings import Settings
from liq_provider.core import plugins, secret_keys
from liq_provider.core.arrays import FloatArray
from liq_provider.core.loose_tasks import LooseTasks
from liq_provider.core.own_loop import OwnLoop
from liq_provider.core.plaintext import plain
from liq_provider.errors import ModelFailure, UsageError
from liq_provider.judge.case import Case, Judge, capped
from liq_provider.judge.failures import NOT_LOADED
from liq_provider.judge.guard import NOTES, Guarded, Opinion
from liq_provider.judge.guarded_answer import GuardedAnswer
from liq_provider.judge.matrix import Action, Confidence, News
from liq_provider.judge.question_record import QuestionRecord
from liq_provider.judge.shared_asking import SharedAsking, question_of
from liq_provider.judge.turns import Turns, others
from liq_provider.judge.verdict import Facts
from liq_provider.news.desk import NewsSet
from liq_provider.store.shared_questions import Claim, Question

logger = logging.getLogger(__name__)

_END_S = 1.0
_DETAIL_LIMIT = 200
_NOTE_CHARACTERS = 10_000
_MOST_REMARKS = 10
_AHEAD_PER_MINUTE = 60


class AddedJudge:
    """
    Answers questions as ``ModelJudge`` does. Belongs to the event loop that calls it.

    :param settings: ``judge.by`` names it
    :param shared: questions of all sidecars of the store; None: there are no others
    """

    reads_news = True
    ahead_per_minute = _AHEAD_PER_MINUTE

    def __init__(
        self,
        settings: Settings,
        timeframe: str,
        now_ms: Callable[[], int],
        shared: SharedAsking | None = None,
    ) -> None:
        self.name = f"{settings.judge.by}@?"
        self._settings = settings
        self._timeframe = timeframe
        self._now_ms = now_ms
        self._telling = LooseTasks()
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
        self._turns = Turns(f"The judge ({self.name})", settings.llm, now_ms, shared, paid=False)

    @property
    def called(self) -> str:
        """It, in words."""
        return self.name

    def prepare(self) -> None:
        """Begin to load it; questions wait for that, no longer than for an answer."""
        self._own.begin(self._load())

    async def close(self) -> None:
        """Give up what is being asked; what it blocks is left to itself."""
        telling = list(self._telling)
        if telling:
            await asyncio.wait(telling, timeout=_END_S)
        await self._own.finish(_END_S)
        await self._own.close()

    def ahead_at_once(self) -> int:
        """:return: how many may be asked early at the same time; 0 if there is no use in it"""
        return 0 if self._problem is not None else self._turns.ahead_at_once()

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
        question = question_of(facts, news.key, self.name, early=early)

        async def ask(late: bool) -> GuardedAnswer | Claim:
            return await self._ask(question, facts, candles, news, late)

        return await self._turns.answer(question, facts, until_ms, ask)

    def report(self) -> dict[str, Any]:
        """:return: what the status page shows; it has no budget"""
        return {**self._turns.report(), "budget": {"spent": {}, "reached": []}}

    async def _ask(
        self,
        question: Question,
        facts: Facts,
        candles: FloatArray,
        news: NewsSet,
        late: bool,
    ) -> GuardedAnswer | Claim:
        case = Case(facts, candles, self._timeframe, news, self._now_ms())
        call = QuestionRecord(facts, news.key, [], case.asked_ms)
        problem = None if self._problem is None else ModelFailure(NOT_LOADED, self._problem)
        try:
            claim = others(await self._turns.take(question, call, problem, late=late))
            if claim is not None:
                return claim
            guarded = await self._in_time(case)
        except ModelFailure as failure:
            self._turns.failed(failure, call)
            await self._tell(question, call, None)
            raise
        except BaseException:
            self._turns.cancelled(call)
            # Who gives it up need not wait for the store.
            self._telling.start(self._tell(question, call, None))
            raise
        self._turns.breaker.succeeded()
        await self._tell(question, call, guarded)
        return GuardedAnswer(facts, guarded, news.key, call_id="")

    async def _in_time(self, case: Case) -> Guarded:
        limit_s = self._settings.llm.timeout_s
        try:
            # Here, not in its own loop, which it may block.
            async with asyncio.timeout(limit_s):
                return await self._own.call(self._answer(case))
        except TimeoutError:
            raise ModelFailure("timeout", f"no opinion within {limit_s:g} s") from None

    async def _tell(
        self, question: Question, call: QuestionRecord, guarded: Guarded | None
    ) -> None:
        if call.shared:
            await self._turns.tell(call, guarded)

    async def _answer(self, case: Case) -> Guarded:
        await self._load()
        if self._problem is not None:
            raise ModelFailure(NOT_LOADED, self._problem)

        async def ask() -> Opinion:
            assert self._judge is not None
            return read_opinion(await self._judge.opinion(case.copy()))

        return capped(await plugins.contained(ask, _failed), case)

    async def _load(self) -> None:
        if self._judge is not None or self._problem is not None:
            return

        async def load() -> Judge:
            assert self._point is not None
            judge = plugins.load(self._point)(self._settings)
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
    return plain(secret_keys.redact(text), _DETAIL_LIMIT)


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
            _text("symbol", said.symbol),
            _text("direction", said.direction),
            News(said.news),
            Action(said.action),
            Confidence(said.confidence),
            _notes(said.notes),
            _remarks(said.remarks),
        )
    except (ValueError, TypeError) as error:
        raise ModelFailure("malformed", _line(f"an opinion with {error}")) from None
    if read.action is Action.ENTER and read.news is News.CONTRADICTS:
        raise ModelFailure("contradictory", "enter, although the news contradicts")
    return read


def _notes(notes: object) -> tuple[str, str, str, str]:
    if not isinstance(notes, list | tuple) or len(notes) != 4:
        raise ValueError("notes that are not four texts")
    texts = (_text(name, note) for name, note in zip(NOTES, notes, strict=True))
    liq, trend, news, reason = (text[:_NOTE_CHARACTERS] for text in texts)
    return liq, trend, news, reason


def _remarks(remarks: object) -> tuple[str, ...]:
    if not isinstance(remarks, list | tuple):
        raise ValueError("remarks that are no list of texts")
    return tuple(_line(_text("remark", remark)) for remark in remarks[:_MOST_REMARKS])


def _text(name: str, said: object) -> str:
    if not isinstance(said, str):
        raise ValueError(f"a {name} that is no text but {type(said).__name__}")
    return str(said)
