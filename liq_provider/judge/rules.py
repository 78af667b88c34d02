"""The matrix judge: a verdict by the decision matrix alone, and the facts any judge starts from."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from liq_provider.core.arrays import FloatArray
from liq_provider.errors import ModelFailure
from liq_provider.judge.matrix import Action, Confidence, News, decide
from liq_provider.judge.verdict import Facts, Verdict
from liq_provider.measure.minute_results import Anomaly
from liq_provider.measure.scales import score_words
from liq_provider.measure.trend import trend_inputs, trend_signs, trend_word
from liq_provider.measure.waves import Strength
from liq_provider.store.vetoes import VETOED

JUDGE = "matrix"
UNJUDGED = "unavailable"

_REASONS = {
    (Strength.STRONG, True): "a strong one-sided wave that price follows",
    (Strength.STRONG, False): "a strong wave, but price does not follow; it may only be a clearing",
    (Strength.MEDIUM, True): "a moderate wave that price follows",
    (Strength.MEDIUM, False): "a moderate wave that price does not follow",
}


def make_facts(
    anomaly: Anomaly, pair: str, closes: FloatArray, trend_candles: int, trend_k: float
) -> Facts:
    """
    :param closes: closed candles of ``pair``, oldest first; too few make alignment unknown
    """
    change, noise = trend_inputs(closes, trend_candles)
    known = len(change) > 0 and bool(np.isfinite(change[-1]))
    trend = int(trend_signs(change[-1:], noise[-1:], trend_k)[0]) if known else 0
    wanted = 1 if anomaly.direction == "LONG" else -1
    return Facts(
        symbol=pair,
        base_asset=anomaly.base_asset,
        direction=anomaly.direction,
        strength=anomaly.strength,
        aligned=trend == wanted if known else None,
        wave_start_ms=anomaly.wave_start_ms,
        close_ms=anomaly.close_ms,
        details={
            "z": anomaly.z,
            **({} if anomaly.zscore == "classic" else {"zscore": anomaly.zscore}),
            "purity": anomaly.purity,
            "notional_usd": anomaly.notional_usd,
            "long_usd": anomaly.long_usd,
            "short_usd": anomaly.short_usd,
            "count": anomaly.count,
            "trend": trend_word(trend) if known else "unknown",
            "trend_change": float(change[-1]) if known else None,
            "trend_noise": float(noise[-1]) if known else None,
        },
    )


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
        reason = _REASONS[facts.strength, facts.aligned]
    if action is Action.ENTER:
        reason += "; news was not asked"
    if instead_of is not None:
        reason += f" (the matrix instead of the model: {instead_of.kind})"
        facts = _with_failure(facts, instead_of)
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
        facts=_with_failure(facts, why),
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


def _with_failure(facts: Facts, why: ModelFailure) -> Facts:
    """For the record: what went wrong, and the question that it was."""
    call = {"call_id": why.call_id} if why.call_id else {}
    return replace(facts, details={**facts.details, "failure": why.kind, **call})


def liq_note(facts: Facts) -> str:
    """:return: the wave in one line"""
    details = facts.details
    score = score_words(details.get("zscore", "classic"), details["z"])
    return (
        f"{facts.strength.word}: {score}, purity {details['purity']:.0%}, "
        f"${details['notional_usd']:,.0f} in {details['count']} liquidations"
    )


def trend_note(facts: Facts) -> str:
    """:return: the candles in one line"""
    wanted = "up" if facts.direction == "LONG" else "down"
    return f"candles {facts.details['trend']}, wanted {wanted}"


def news_note(headlines: int | None) -> str:
    """
    :param headlines: that the judge was given; None: news was not asked
    :return: the news in one line
    """
    if headlines is None:
        return "news was not asked"
    return f"{headlines} headline(s) were read" if headlines else "no news was found"


def reason_note(facts: Facts, news: News) -> str:
    """:return: what was measured, in one line, with what the judge says of the news"""
    if facts.aligned is None:
        return "no candles to compare with"
    wave = _REASONS.get((facts.strength, facts.aligned), "a wave below the thresholds")
    return f"{wave}; news: {news.value.replace('_', ' ')}"
