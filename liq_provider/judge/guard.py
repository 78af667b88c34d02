"""
The guard: a judge's opinion may say less than the matrix, never more.

Strength and alignment are measured, so the only part of the matrix that is the judge's to say
is the news. Its answer is capped by the row that follows, and never moves to another symbol or
direction.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from liq_provider.core.plaintext import plain
from liq_provider.core.secret_keys import redact
from liq_provider.errors import ModelFailure
from liq_provider.judge.matrix import ACTIONS, Action, Confidence, News, decide
from liq_provider.judge.verdict import Facts

NOTE_LIMIT = 200

NOTES = ("liq_note", "trend_note", "news_note", "action_reason")


@dataclass(frozen=True, slots=True)
class Opinion:
    """
    What a judge answered, before anybody checked it.

    :param notes: on liquidations, trend and news, and the reason of the action
    :param remarks: what was passed over when it was read, in words, for the record
    """

    symbol: str
    direction: str
    news: News
    action: Action
    confidence: Confidence
    notes: tuple[str, str, str, str] = ("", "", "", "")
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Guarded:
    """
    What is left of an opinion.

    :param downgrade: confidence steps below the matrix row; all of them where the judge did not
        say "enter"
    :param changes: what was changed, in words, for the record
    :param notes: one plain line each; what of them was capped says so
    """

    news: News
    action: Action
    confidence: Confidence
    downgrade: int
    changes: tuple[str, ...]
    notes: tuple[str, str, str, str] = ("", "", "", "")


def guard(
    opinion: Opinion,
    facts: Facts,
    *,
    news_found: bool | None,
    steered: bool = False,
    uncarried: str | None = None,
) -> Guarded:
    """
    :param news_found: True if the judge was given news, False if it was asked for and there was
        none, None if there is no news source
    :param steered: some of the news speaks to the judge; it may speak against the wave only
    :param uncarried: the news has too few independent sources to support, in words: so may it
    :raises ModelFailure: the answer is about another symbol or direction
    """
    if opinion.symbol != facts.symbol or opinion.direction != facts.direction:
        raise ModelFailure(
            "wrong symbol",
            f"answer about {plain(opinion.symbol, 40)} {plain(opinion.direction, 10)}, "
            f"asked about {facts.symbol} {facts.direction}",
        )
    changes, heads = list(opinion.remarks), {}
    news = _believable(opinion.news, news_found)
    if news is not opinion.news:
        changes.append(f"news {opinion.news.value} -> {news.value}: the judge was given none")
    if steered and news is News.SUPPORTS:
        news = News.NONE
        changes.append("news supports -> none: a headline tries to steer the judge")
    if uncarried is not None and news is News.SUPPORTS:
        news = News.NONE
        changes.append(f"news supports {uncarried}, counts as none")
    if opinion.news is News.SUPPORTS and news is not News.SUPPORTS:
        heads["news_note"] = f"counted as {news.value.replace('_', ' ')}, not as support"
    action, confidence = decide(facts.strength, facts.aligned, news)
    row_enters = action is Action.ENTER
    # A judge that does not say "enter" means it, also where this row would not enter anyway:
    # a strategy with looser thresholds must not read its agreement as silence.
    stays_out = opinion.action is not Action.ENTER
    if ACTIONS.index(opinion.action) > ACTIONS.index(action):
        said, kept = opinion.action.value, action.value
        changes.append(f"action {said} -> {kept}")
        heads["action_reason"] = f"capped by the matrix (from {said} to {kept})"
    else:
        action = opinion.action
    if opinion.confidence > confidence:
        changes.append(f"confidence {opinion.confidence.word} -> {confidence.word}")
    # Where this row does not enter, any row of a strategy must stay within what was said.
    row = confidence if row_enters else Confidence.HIGH
    downgrade = len(Confidence) if stays_out else max(0, row - opinion.confidence)
    confidence = min(confidence, opinion.confidence)
    notes, cleaned = _notes(opinion, heads)
    return Guarded(news, action, confidence, downgrade, (*changes, *cleaned), notes)


def _notes(
    opinion: Opinion, heads: Mapping[str, str]
) -> tuple[tuple[str, str, str, str], list[str]]:
    """
    :param heads: by note, what stands before words that no longer hold
    :return: the notes as plain lines, and what was changed
    """
    notes, cleaned = [], []
    for name, said in zip(NOTES, opinion.notes, strict=True):
        head = f"{heads[name]}: " if name in heads else ""
        kept = plain(redact(said), NOTE_LIMIT - len(head))
        if kept != said.strip():
            cleaned.append(f"{name} cleaned, {len(said)} -> {len(kept)} characters")
        notes.append(head + kept if kept else head.removesuffix(": "))
    liq, trend, on_news, reason = notes
    return (liq, trend, on_news, reason), cleaned


def _believable(news: News, news_found: bool | None) -> News:
    if news_found:
        return news if news is not News.NOT_ASKED else News.NONE
    if news is News.CONTRADICTS:
        return news  # a reason to stay out is never taken away
    return News.NOT_ASKED if news_found is None else News.NONE
