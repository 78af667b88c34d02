"""Every combination of gates, and everybody who tells of them."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liq_provider.core.durations import MINUTE_MS
from liq_provider.judge.bot_gates import OF_BOT, TROUBLES, Standing
from liq_provider.judge.decisions import decide
from liq_provider.judge.gate_list import NAMES, OF_WAVE, DecisionStory
from liq_provider.judge.gates import tell, undecided
from liq_provider.judge.matrix import Confidence, News
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.judge.verdict_story import story_of_verdict
from liq_provider.measure.feature_rows import State
from tests.judge.combinations import (
    RULES,
    Combination,
    TimeLine,
    combinations,
    in_force,
    told,
)


@pytest.fixture(scope="module")
def every() -> TimeLine:
    """All combinations."""
    return TimeLine(list(combinations()))


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_no_gate_failed_if_and_only_if_there_is_an_entry(name: str, every: TimeLine) -> None:
    rules, firsts = in_force(name), set()
    decisions, stories = every.decided(rules), every.stories(rules)
    for one, story, end in zip(every.scenes, stories, every.ends, strict=True):
        assert story.enters == bool(decisions.entry[end - 1]), one
        assert story.as_judged.enters == bool(decisions.candidate[end - 1]), one
        if story.failed is not None:
            firsts.add(story.failed.name)
            assert story.failed.words and story.words.endswith(story.failed.words), one
        else:
            assert story.words == f"enter ({Confidence(story.level).word})", one
    assert decisions.entry.any()
    # A wave fails with what makes it; no confidence is below the lowest.
    never = {"candle", "wave"} | ({"confidence"} if name == "hyperopted looser" else set())
    assert firsts == set(OF_WAVE) - never


def test_gates_are_told_in_one_order_with_words_only_where_they_failed() -> None:
    rules = in_force("as the sidecar")
    for one in itertools.islice(combinations(), 0, None, 7):
        story, _ = told(one, rules)
        assert tuple(gate.name for gate in story.gates) == NAMES
        assert all(bool(gate.words) == (gate.passed is False) for gate in story.gates)
        assert not any("nan" in gate.measured for gate in story.gates)


@pytest.mark.parametrize("name", ["count", "size", "z", "purity"])
def test_a_gate_of_the_wave_words_what_was_decided_and_measures_nothing_itself(name: str) -> None:
    rules = in_force("as the sidecar")
    passed = {gate.name: gate.passed for gate in told(Combination(), rules)[0].gates}
    assert passed[name] is True
    _, decisions = told(Combination(), rules)
    otherwise = replace(decisions.passes, **{name: np.array([False])})
    story = tell(
        replace(decisions, passes=otherwise), 0, rules, "live", Combination().verdicts()[0]
    )
    assert story.failed is not None and story.failed.name == name


@pytest.mark.parametrize(
    ("count", "measured", "words"),
    [
        (0, "0 liquidations", "0 liquidations are fewer than min_count 3"),
        (1, "1 liquidation", "1 liquidation is fewer than min_count 3"),
        (2, "2 liquidations", "2 liquidations are fewer than min_count 3"),
    ],
)
def test_few_liquidations_are_counted_in_words(count: int, measured: str, words: str) -> None:
    rules = in_force("as the sidecar")
    _, decisions = told(Combination(), rules)
    passed = replace(decisions.passes, count=np.array([False]))
    few = replace(decisions, passes=passed, count=np.array([count]))
    gate = tell(few, 0, rules, "live", Combination().verdicts()[0]).failed
    assert gate is not None and (gate.measured, gate.words) == (measured, words)


def test_a_candle_without_a_decision_is_told_by_the_same_gates() -> None:
    story = undecided(in_force("as the sidecar"), Standing())
    assert tuple(gate.name for gate in story.gates) == NAMES
    assert story.failed is not None and story.failed.name == "decision"
    assert story.words == "not entered: there is no decision for this candle"
    # What a bot knows without a decision comes first, as it is asked first.
    assert undecided(in_force("as the sidecar"), Standing(unlocked=False)).failed.name == "lock"  # type: ignore[union-attr]


def test_a_gate_that_is_not_there_cannot_be_said_to_have_failed() -> None:
    story, _ = told(Combination(), in_force("as the sidecar"))
    with pytest.raises(ValueError, match="no gate is called 'moon'"):
        story.but("moon", "why")


def test_the_gate_of_confidence_says_whether_the_decision_is_sure() -> None:
    rules = in_force("as the sidecar")
    _, decisions = told(Combination(), rules)
    unsure = replace(decisions, sure=np.array([False]))
    story = tell(unsure, 0, rules, "live", Combination().verdicts()[0])
    assert story.failed is not None and story.failed.name == "confidence"


@pytest.mark.parametrize(
    ("one", "changes", "measured"),
    [
        (Combination(), {}, "medium with news none"),
        (Combination(said="unavailable"), {"judge": "unavailable"}, "no verdict"),
        (Combination(said="vetoed"), {"judge": "vetoed"}, "refused by a judge"),
        (Combination(said="skip"), {}, "refused by m@v1"),
        (Combination(said="hold", news=News.SUPPORTS), {}, "refused by m@v1"),
        (Combination(said="skip"), {"action": "enter"}, "doubted by m@v1"),
        (Combination(said="skip", price=1), {}, "no entry with news none"),
        (Combination(said="skip", news=News.CONTRADICTS), {}, "no entry with news contradicts"),
        (Combination(z=4.5), {}, "no entry with news none"),
        (Combination(said=None), {}, "not asked"),
    ],
)
def test_the_gate_of_the_matrix_shows_what_hinders_an_entry(
    one: Combination, changes: dict[str, Any], measured: str
) -> None:
    rules, said = in_force("as the sidecar"), one.verdicts()
    _, decisions = told(one, rules)
    verdict = said[0] | {"judge": "m@v1"} | changes if said else None
    story = tell(decisions, 0, rules, "live", verdict)
    assert {gate.name: gate.measured for gate in story.gates}["matrix"] == measured


WATCHING = Path(__file__).parents[2] / "docs" / "watching.md"


def without_figures(text: str) -> str:
    """Any figure or confidence, as those in the list are examples."""
    return re.sub(r"\d+(?:[.,]\d+)*|\b(?:low|medium|high)\b", "N", text)


def refusals() -> Iterator[DecisionStory]:
    """Each way in which a gate of the wave may word its failure."""
    ones = [
        *(Combination(state=state) for state in State),
        *(Combination(count=count) for count in (1, 2)),
        *(Combination(price=price) for price in (None, 1)),
        *(Combination(said=said) for said in ("skip", "unavailable", "vetoed", "late", None)),
        *(Combination(z=4.5, news=news) for news in News),
        *(Combination(usd=20_000.0), Combination(z=2.0), Combination(share=0.6)),
        *(Combination(seen=False), Combination(before=News.SUPPORTS)),
    ]
    for rules in (in_force("as the sidecar"), in_force("hyperopted stricter")):
        yield from (told(one, rules)[0] for one in ones)
    _, decisions = told(Combination(), rules)
    said = Combination().verdicts()[0]
    yield tell(replace(decisions, measured=np.array([False])), 0, rules, "live", said)
    yield tell(decisions, 0, replace(rules, timeframe_ms=7 * MINUTE_MS), "live", said)


def test_all_words_of_a_refusal_are_in_the_list_of_words() -> None:
    listed = without_figures(WATCHING.read_text())
    failed = [gate for story in refusals() for gate in story.gates if gate.passed is False]
    assert {gate.name for gate in failed} == set(OF_WAVE)
    for gate in (*failed, *(gate for gate in OF_BOT if gate.words)):
        row = next(line for line in listed.splitlines() if line.startswith(f"| `{gate.name}` |"))
        assert f"`{without_figures(gate.words)}`" in row
    (troubles,) = [line for line in listed.splitlines() if line.startswith("| `store`")]
    assert all(f"`{name}`" in troubles for name in TROUBLES)


def test_what_is_known_of_why_a_signal_is_late_takes_the_place_of_the_usual_words() -> None:
    rules = in_force("as the sidecar")
    late = Standing(timely=False, why={"lateness": "the candles came 41 s after their close"})
    story = with_standing(Combination(), rules, late)
    assert story.words == "not entered: the candles came 41 s after their close"
    assert with_standing(Combination(), rules, replace(late, timely=True)).failed is None


FIELDS = [name for name in Standing.__dataclass_fields__ if name not in ("troubles", "why")]


def standings() -> Iterator[Standing]:
    """Each of a bot's gates passed, failed and not known, one failing after the other."""
    for values in itertools.product((True, False, None), repeat=4):
        for turn in range(len(FIELDS)):
            names = [FIELDS[(turn + step) % len(FIELDS)] for step in range(4)]
            yield Standing(**dict(zip(names, values, strict=True)))
    for failing in TROUBLES:
        yield Standing(troubles={name: "why" if name == failing else None for name in TROUBLES})


def test_a_bots_own_gates_stand_behind_the_waves_and_decide_only_if_these_passed() -> None:
    rules = in_force("as the sidecar")
    entering, refused = Combination(), Combination(z=2.0)
    order = [gate.name for gate in OF_BOT]
    for standing in standings():
        answers = {name: standing.answer(name) for name in order}
        first = next((name for name in order if answers[name] is False), None)
        story = with_standing(entering, rules, standing)
        assert (None if story.failed is None else story.failed.name) == first
        assert story.words.startswith("enter" if first is None else "not entered: ")
        other = with_standing(refused, rules, standing)
        assert other.failed is not None and other.failed.name == "z"


def with_standing(one: Combination, rules: RulesInForce, standing: Standing) -> DecisionStory:
    rows = one.rows()
    decisions = decide(
        rows.close_ms, rows, one.trend(len(rows)), one.verdicts(), rules.rules, "live"
    )
    return tell(decisions, 0, rules, "live", one.verdicts()[0], standing=standing)


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_the_page_tells_of_a_verdict_what_the_bot_made_of_its_candle(
    name: str, every: TimeLine
) -> None:
    rules, judged = in_force(name), 0
    for number, (one, bot) in enumerate(zip(every.scenes, every.stories(rules), strict=True)):
        if one.said is None:
            continue
        judged += 1
        *before, newest = every.said[number]
        page = story_of_verdict(newest, every.rows_of(number), rules, before)
        assert (page.words, page.enters) == (bot.words, bot.enters), one
        if one.said != "late":
            assert page.gates == replace_beginning(bot, page), one
    assert judged > 3_000


def replace_beginning(bot: DecisionStory, page: DecisionStory) -> Sequence[Any]:
    """How a wave began is told with more numbers where the rows are at hand."""
    numbers = {gate.name: gate.measured for gate in page.gates if gate.name == "beginning"}
    return tuple(
        replace(gate, measured=numbers[gate.name]) if gate.name in numbers else gate
        for gate in bot.gates
    )
