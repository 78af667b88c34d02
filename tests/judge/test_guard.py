"""The guard: whatever a judge says, never more than the matrix."""

import itertools
from dataclasses import replace

import pytest

from liq_provider.core.plaintext import plain
from liq_provider.errors import JudgeError
from liq_provider.judge.guard import NOTE_LIMIT, Guarded, Opinion, guard
from liq_provider.judge.matrix import Action, Confidence, News, decide
from liq_provider.judge.verdict import Facts
from liq_provider.measure.waves import Direction, Strength

PAIR = "BTC/USDT:USDT"
ORDER = [Action.SKIP, Action.HOLD, Action.ENTER]
FACTS = list(itertools.product(Strength, (True, False, None)))
OPINIONS = list(itertools.product(News, Action, Confidence))


def facts(strength: Strength, aligned: bool | None, direction: Direction = "SHORT") -> Facts:
    """What was measured."""
    return Facts(PAIR, "BTC", direction, strength, aligned, 1, 1)


def opinion(
    news: News, action: Action, confidence: Confidence, symbol: str = PAIR, side: str = "SHORT"
) -> Opinion:
    """What was answered."""
    return Opinion(symbol, side, news, action, confidence)


def entry(action: Action, confidence: Confidence) -> int:
    """How sure an entry is, 0 for none."""
    return confidence if action is Action.ENTER else 0


def best_row(known: Facts, said: News, news_found: bool | None) -> tuple[Action, Confidence]:
    """The best row that measured facts and given news allow."""
    if news_found:
        allowed = News.NONE if said is News.NOT_ASKED else said
    elif said is News.CONTRADICTS:
        allowed = said
    else:
        allowed = News.NOT_ASKED if news_found is None else News.NONE
    return decide(known.strength, known.aligned, allowed)


@pytest.mark.parametrize("news_found", [True, False, None])
@pytest.mark.parametrize(("strength", "aligned"), FACTS)
def test_never_more_than_the_matrix_and_never_more_than_the_judge(
    strength: Strength, aligned: bool | None, news_found: bool | None
) -> None:
    known = facts(strength, aligned)
    for news, action, confidence in OPINIONS:
        guarded = guard(opinion(news, action, confidence), known, news_found=news_found)
        row_action, row_confidence = best_row(known, news, news_found)
        assert ORDER.index(guarded.action) == min(ORDER.index(action), ORDER.index(row_action))
        assert guarded.confidence == min(confidence, row_confidence)
        level = entry(guarded.action, guarded.confidence)
        assert level <= entry(row_action, row_confidence)
        assert level <= entry(action, confidence)


@pytest.mark.parametrize("news_found", [True, False, None])
@pytest.mark.parametrize(("strength", "aligned"), FACTS)
def test_row_minus_downgrade_is_what_the_verdict_says(
    strength: Strength, aligned: bool | None, news_found: bool | None
) -> None:
    """A strategy with the same thresholds must reach the verdict's own level."""
    known = facts(strength, aligned)
    for news, action, confidence in OPINIONS:
        guarded = guard(opinion(news, action, confidence), known, news_found=news_found)
        row = entry(*decide(known.strength, known.aligned, guarded.news))
        assert max(0, row - guarded.downgrade) == entry(guarded.action, guarded.confidence)


@pytest.mark.parametrize(("strength", "aligned"), FACTS)
def test_what_was_changed_is_recorded_in_words(strength: Strength, aligned: bool | None) -> None:
    known = facts(strength, aligned)
    for news, action, confidence in OPINIONS:
        guarded = guard(opinion(news, action, confidence), known, news_found=True)
        said = " ".join(guarded.changes)
        assert ("action " in said) == (guarded.action is not action)
        assert ("confidence " in said) == (guarded.confidence is not confidence)
        assert ("news " in said) == (guarded.news is not news)


def agreed(action: Action, confidence: Confidence) -> Guarded:
    """An opinion about a strong, aligned wave with supporting news."""
    known = facts(Strength.STRONG, True)
    return guard(opinion(News.SUPPORTS, action, confidence), known, news_found=True)


def test_full_agreement_passes_unchanged() -> None:
    guarded = agreed(Action.ENTER, Confidence.HIGH)
    expected = Guarded(News.SUPPORTS, Action.ENTER, Confidence.HIGH, 0, ())
    assert guarded == expected


@pytest.mark.parametrize(("confidence", "steps"), [(Confidence.MEDIUM, 1), (Confidence.LOW, 2)])
def test_less_confidence_is_a_downgrade_by_steps(confidence: Confidence, steps: int) -> None:
    guarded = agreed(Action.ENTER, confidence)
    assert (guarded.action, guarded.confidence, guarded.downgrade) == (
        Action.ENTER,
        confidence,
        steps,
    )


@pytest.mark.parametrize("action", [Action.SKIP, Action.HOLD])
def test_a_veto_leaves_nothing_of_any_row(action: Action) -> None:
    guarded = agreed(action, Confidence.HIGH)
    assert guarded.action is action
    assert guarded.downgrade >= max(Confidence)


@pytest.mark.parametrize("news", [News.SUPPORTS, News.NONE])
def test_news_that_was_not_given_is_not_believed(news: News) -> None:
    known = facts(Strength.STRONG, True)
    said = opinion(news, Action.ENTER, Confidence.HIGH)
    guarded = guard(said, known, news_found=None)
    assert (guarded.news, guarded.confidence) == (News.NOT_ASKED, Confidence.MEDIUM)
    guarded = guard(said, known, news_found=False)
    assert (guarded.news, guarded.confidence) == (News.NONE, Confidence.MEDIUM)


def test_news_that_was_given_cannot_be_declared_unasked() -> None:
    """For a medium wave that would turn a skip into an entry."""
    known = facts(Strength.MEDIUM, True)
    said = opinion(News.NOT_ASKED, Action.ENTER, Confidence.LOW)
    guarded = guard(said, known, news_found=True)
    assert (guarded.news, guarded.action) == (News.NONE, Action.SKIP)


@pytest.mark.parametrize("news_found", [True, False, None])
def test_a_contradiction_is_always_believed(news_found: bool | None) -> None:
    known = facts(Strength.STRONG, True)
    said = opinion(News.CONTRADICTS, Action.ENTER, Confidence.HIGH)
    guarded = guard(said, known, news_found=news_found)
    assert (guarded.news, guarded.action) == (News.CONTRADICTS, Action.SKIP)


@pytest.mark.parametrize(
    ("symbol", "side"), [("ETH/USDT:USDT", "SHORT"), (PAIR, "LONG"), ("", "SHORT"), (PAIR, "")]
)
def test_another_symbol_or_direction_is_refused(symbol: str, side: str) -> None:
    said = opinion(News.SUPPORTS, Action.ENTER, Confidence.HIGH, symbol, side)
    with pytest.raises(JudgeError, match="asked about BTC/USDT:USDT SHORT"):
        guard(said, facts(Strength.STRONG, True), news_found=True)


@pytest.mark.parametrize(("strength", "aligned"), FACTS)
def test_no_row_of_a_looser_strategy_is_more_than_the_judge_said_where_its_own_row_refuses(
    strength: Strength, aligned: bool | None
) -> None:
    known = facts(strength, aligned)
    for news, action, confidence in OPINIONS:
        guarded = guard(opinion(news, action, confidence), known, news_found=True)
        if entry(*decide(known.strength, known.aligned, guarded.news)) == 0:
            most = max(entry(*decide(s, a, guarded.news)) for s, a in FACTS)
            assert max(0, most - guarded.downgrade) <= entry(action, confidence)


def test_news_that_steers_the_judge_may_speak_against_a_wave_only() -> None:
    known = facts(Strength.STRONG, True)
    for news in (News.SUPPORTS, News.NONE, News.CONTRADICTS):
        said = opinion(news, Action.ENTER, Confidence.HIGH)
        guarded = guard(said, known, news_found=True, steered=True)
        assert guarded.news is (News.NONE if news is News.SUPPORTS else news)
    assert any(
        "steer" in change
        for change in guard(
            opinion(News.SUPPORTS, Action.ENTER, Confidence.HIGH),
            known,
            news_found=True,
            steered=True,
        ).changes
    )


def worded(reason: str, news_note: str = "n") -> Opinion:
    """An entry for news that supports it."""
    said = opinion(News.SUPPORTS, Action.ENTER, Confidence.HIGH)
    return replace(said, notes=("l", "t", news_note, reason))


def test_the_reason_of_an_action_that_is_capped_says_so_first() -> None:
    against = facts(Strength.MEDIUM, False)
    guarded = guard(worded("all agrees"), against, news_found=True)
    assert guarded.action is Action.SKIP
    assert guarded.notes == ("l", "t", "n", "capped by the matrix (from enter to skip): all agrees")
    held = guard(worded("all agrees"), facts(Strength.STRONG, False), news_found=True)
    assert held.action is Action.HOLD
    assert held.notes[3] == "capped by the matrix (from enter to hold): all agrees"
    silent = guard(worded(""), against, news_found=True)
    assert silent.notes[3] == "capped by the matrix (from enter to skip)"
    # A message shows it without markup, and it is the same there.
    assert plain(guarded.notes[3], NOTE_LIMIT) == guarded.notes[3]


def test_a_reason_is_as_long_as_ever_and_its_judges_own_words_are_cut() -> None:
    guarded = guard(worded("y" * 180), facts(Strength.MEDIUM, False), news_found=True)
    assert len(guarded.notes[3]) == NOTE_LIMIT and guarded.notes[3].endswith("y…")
    assert any(change.startswith("action_reason cleaned, 180 -> ") for change in guarded.changes)


@pytest.mark.parametrize(("strength", "aligned"), FACTS)
def test_the_reason_of_an_action_that_stands_is_the_judges_own(
    strength: Strength, aligned: bool | None
) -> None:
    known = facts(strength, aligned)
    for news, action, confidence in OPINIONS:
        said = replace(opinion(news, action, confidence), notes=("l", "t", "n", "r"))
        guarded = guard(said, known, news_found=True)
        assert (guarded.notes[3] == "r") == (guarded.action is action)


@pytest.mark.parametrize(
    ("news_found", "counts"),
    [(True, None), (False, "counted as none"), (None, "counted as not asked")],
)
def test_a_note_of_support_that_does_not_count_says_so_first(
    news_found: bool | None, counts: str | None
) -> None:
    guarded = guard(worded("r", "it supports"), facts(Strength.STRONG, True), news_found=news_found)
    expected = f"{counts}, not as support: it supports" if counts else "it supports"
    assert guarded.notes == ("l", "t", expected, "r")
