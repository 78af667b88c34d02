"""The matrix judge: a verdict by the decision matrix alone."""

from collections.abc import Callable
from dataclasses import replace

from liq_provider.errors import ModelFailure
from liq_provider.judge.matrix import Action, Confidence, News, decide
from liq_provider.judge.verdict import Facts, Verdict
from liq_provider.judge.wave_facts import REASONS, liq_note, trend_note
from liq_provider.store.vetoes import MATRIX, VETOED

JUDGE = MATRIX
UNJUDGED = "unavailable"


def judge_by_matrix(
    facts: Facts,
    now_ms: Callable[[], int],
    expires_at: int,
    instead_of: ModelFailure | None = None,
    news_key: str = "",
) -> Verdict:
    """
    :param now_ms: exchange time, read when the verdict is complete
    :param expires_at: see ``Verdict``
    :param instead_of: why no model was heard, if one should have been
    :param news_key: of the set of news that the model should have read
    :return: the matrix's answer with no news source
    """
    action, confidence = decide(facts.strength, facts.aligned, News.NOT_ASKED)
    if facts.aligned is None:
        reason = "no candles to compare with, so no entry"
    else:
        reason = REASONS[facts.strength, facts.aligned]
    if action is Action.ENTER:
        reason += "; news was not asked"
    if instead_of is not None:
        reason += f" (the matrix instead of the model: {instead_of.kind})"
        facts = with_failure(facts, instead_of)
    return Verdict(
        facts=facts,
        judge=JUDGE,
        news=News.NOT_ASKED,
        action=action,
        confidence=confidence,
        liq_note=liq_note(facts),
        trend_note=trend_note(facts),
        news_note="no news source" if instead_of is None else "no model read it",
        action_reason=reason,
        available_at=now_ms(),
        expires_at=expires_at,
        news_key=news_key,
    )


def unjudged(
    facts: Facts,
    why: ModelFailure,
    now_ms: Callable[[], int],
    expires_at: int,
    news_key: str = "",
    veto: str | None = None,
) -> Verdict:
    """
    :param why: no model was heard
    :param news_key: of the set of news that it should have read
    :param veto: what was said against this wave before, and holds
    :return: the verdict to skip; a strategy with other thresholds reads it as a veto, too
    """
    return Verdict(
        facts=with_failure(facts, why),
        judge=UNJUDGED if veto is None else VETOED,
        news=News.NOT_ASKED,
        action=Action.SKIP,
        confidence=Confidence.LOW,
        liq_note=liq_note(facts),
        trend_note=trend_note(facts),
        news_note="no model read it",
        action_reason=f"no verdict of the model: {why.kind} ({veto or 'on_llm_unavailable'})",
        available_at=now_ms(),
        expires_at=expires_at,
        news_key=news_key,
        downgrade=len(Confidence),
    )


def is_model(judge: str) -> bool:
    """
    :param judge: of a verdict
    :return: whether a model made it
    """
    return judge not in (JUDGE, UNJUDGED, VETOED)


def with_failure(facts: Facts, why: ModelFailure) -> Facts:
    """:return: with what went wrong, and the question that it was, for the record"""
    call = {"call_id": why.call_id} if why.call_id else {}
    return replace(facts, details={**facts.details, "failure": why.kind, **call})
