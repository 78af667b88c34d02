"""Decisions in words."""

import pytest

from liq_provider.bot.wave_words import decision_words
from liq_provider.judge.matrix import NEWS_CODES, News

STRONG, MEDIUM = 2, 1


@pytest.mark.parametrize(
    ("strength", "aligned", "news", "level", "candidate", "words"),
    [
        (STRONG, 1, News.NONE, 2, True, "enter (medium)"),
        (STRONG, 1, News.SUPPORTS, 3, True, "enter (high)"),
        (MEDIUM, 1, News.NOT_ASKED, 1, False, "skip: low confidence is too little"),
        (STRONG, 0, News.SUPPORTS, 0, False, "hold: price does not follow"),
        (STRONG, 0, News.NONE, 0, False, "skip: price does not follow"),
        (MEDIUM, 1, News.NONE, 0, False, "skip: no news supports it"),
        (STRONG, 1, News.CONTRADICTS, 0, False, "skip: the news is against it"),
        (STRONG, 2, News.NONE, 0, False, "skip: no candles to compare with"),
        (STRONG, 1, News.SUPPORTS, 0, False, "skip: the judge is not convinced"),
    ],
)
def test_a_decision_is_told_with_its_reason(
    strength: int, aligned: int, news: News, level: int, candidate: bool, words: str
) -> None:
    said = decision_words(
        judged=True,
        strength=strength,
        aligned=aligned,
        news=NEWS_CODES.index(news),
        level=level,
        candidate=candidate,
        seen=True,
    )
    assert said == words


@pytest.mark.parametrize("judged", [True, False])
def test_a_beginning_that_was_not_seen_is_the_reason_whatever_else_there_is(judged: bool) -> None:
    said = decision_words(
        judged=judged, strength=2, aligned=1, news=0, level=2, candidate=False, seen=False
    )
    assert said == "skip: its beginning was not seen"


def test_without_a_verdict_there_is_no_decision() -> None:
    said = decision_words(
        judged=False, strength=2, aligned=1, news=0, level=0, candidate=False, seen=True
    )
    assert said == "not judged"
