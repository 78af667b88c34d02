"""
The matrix judge, and the verdicts where another judge was not heard: of the matrix in its place, or
of nobody.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from liq_provider.core.arrays import FloatArray
from liq_provider.errors import ModelFailure
from liq_provider.judge.guard import Guarded
from liq_provider.judge.guarded_answer import GuardedAnswer
from liq_provider.judge.matrix import Action, Confidence, News, decide
from liq_provider.judge.verdict import Facts, Verdict
from liq_provider.judge.wave_facts import REASONS, liq_note, trend_note
from liq_provider.store.vetoes import MATRIX, REFUSED

if TYPE_CHECKING:  # whoever tells a decision needs no client that fetches news
    from liq_provider.news.desk import NewsSet

UNJUDGED = "unavailable"


class MatrixJudge:
    """
    Says what the matrix allows where nobody reads the news, at once.

    It is the table itself, so no guard caps it; and where it does not enter it refuses nothing: a
    strategy with other thresholds reads its own row.
    """

    name = MATRIX
    called = "the matrix"
    reads_news = False
    ahead_per_minute = 0

    def prepare(self) -> None:
        """There is nothing to load."""

    def ahead_at_once(self) -> int:
        """:return: none: it is as quick when the minute is settled"""
        return 0

    async def judge(
        self,
        facts: Facts,
        candles: FloatArray,
        news: "NewsSet",
        until_ms: int | None = None,
        *,
        early: bool = False,
    ) -> GuardedAnswer:
        """:return: one cell of the matrix"""
        return matrix_answer(facts)

    def report(self) -> None:
        """Nothing can go wrong, and nothing costs anything."""

    async def close(self) -> None:
        """There is nothing to close."""


def matrix_answer(facts: Facts) -> GuardedAnswer:
    """:return: what the matrix says with no news source"""
    action, confidence = decide(facts.strength, facts.aligned, News.NOT_ASKED)
    if facts.aligned is None:
        reason = "no candles to compare with, so no entry"
    else:
        reason = REASONS[facts.strength, facts.aligned]
    if action is Action.ENTER:
        reason += "; news was not asked"
    notes = (liq_note(facts), trend_note(facts), "no news source", reason)
    guarded = Guarded(News.NOT_ASKED, action, confidence, 0, (), notes)
    return GuardedAnswer(facts, guarded, news_key="", call_id="")


def matrix_instead(
    facts: Facts,
    why: ModelFailure,
    now_ms: Callable[[], int],
    expires_at: int,
    news_key: str,
    called: str,
) -> Verdict:
    """
    :param why: the judge was not heard
    :param now_ms: exchange time, read when the verdict is complete
    :param expires_at: see ``Verdict``
    :param news_key: of the set of news that the judge should have read
    :param called: that judge, in words
    :return: the verdict of the matrix in its place
    """
    verdict = matrix_answer(facts).verdict(facts, MATRIX, now_ms(), expires_at)
    return replace(
        verdict,
        facts=with_failure(facts, why),
        news_note="nobody read it",
        action_reason=f"{verdict.action_reason} (the matrix instead of {called}: {why.kind})",
        news_key=news_key,
    )


def unjudged(
    facts: Facts,
    why: ModelFailure,
    now_ms: Callable[[], int],
    expires_at: int,
    news_key: str,
    called: str,
    refusal: str | None = None,
) -> Verdict:
    """
    :param why: the judge was not heard; for the others see ``matrix_instead``
    :param refusal: what was said against this wave, and holds, in words
    :return: the verdict to skip; a strategy with other thresholds reads it as a refusal, too
    """
    return Verdict(
        facts=with_failure(facts, why),
        judge=UNJUDGED if refusal is None else REFUSED,
        news=News.NOT_ASKED,
        action=Action.SKIP,
        confidence=Confidence.LOW,
        liq_note=liq_note(facts),
        trend_note=trend_note(facts),
        news_note="nobody read it",
        action_reason=f"no verdict of {called}: {why.kind} ({refusal or 'on_llm_unavailable'})",
        available_at=now_ms(),
        expires_at=expires_at,
        news_key=news_key,
        downgrade=len(Confidence),
    )


def is_model(judge: str) -> bool:
    """
    :param judge: of a verdict
    :return: whether a model made it, or a judge that another package adds
    """
    return judge not in (MATRIX, UNJUDGED, REFUSED)


def with_failure(facts: Facts, why: ModelFailure) -> Facts:
    """:return: with what went wrong, and the question that it was, for the record"""
    call = {"call_id": why.call_id} if why.call_id else {}
    return replace(facts, details={**facts.details, "failure": why.kind, **call})
