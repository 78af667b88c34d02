"""Every combination of gates, and everybody who tells of them."""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from liq_provider.bot.rules_of_bots import in_force_of
from liq_provider.core.durations import MINUTE_MS
from liq_provider.judge.bot_gates import OF_BOT, TROUBLES, Standing
from liq_provider.judge.decision_story import NAMES, OF_WAVE, DecisionStory
from liq_provider.judge.decisions import CandleTrend, Decisions, decide
from liq_provider.judge.gates import tell
from liq_provider.judge.matrix import Confidence, News
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.judge.verdict_of_candle import verdict_of_candle
from liq_provider.judge.verdict_story import story_of_verdict
from liq_provider.measure.feature_rows import FeatureRows, State
from tests.bot.helpers import at, feature_rows, settings, verdict

CLOSE = at(40)
PAIR = "BTC/USDT:USDT"


@dataclass(frozen=True)
class Combination:
    """
    One way in which a candle's gates may stand.

    :param before: what news said of the minute before, if that was a wave that was let in
    """

    state: State = State.READY
    count: int = 10
    usd: float = 1e6
    z: float = 9.0
    share: float = 0.98
    seen: bool = True
    price: int | None = -1
    said: str | None = "enter"
    news: News = News.NONE
    before: News | None = None

    def rows(self) -> FeatureRows:
        """The candle's minute, and perhaps one before that was entered already."""
        minutes = {40: (self.z, self.share)}
        if self.before is not None:
            minutes = {39: (9.0, 0.98), **minutes}
        made = feature_rows(minutes, usd=self.usd, count=self.count)
        state = np.where(made.close_ms == CLOSE, int(self.state), int(State.READY))
        z = np.where(state == State.READY, made.z, np.nan)
        steady = np.full(len(made), self.seen)
        return replace(made, state=state, z=z, steady=steady)

    def trend(self, size: int) -> CandleTrend:
        if self.price is None:
            return CandleTrend(np.full(size, np.nan), np.full(size, np.nan))
        return CandleTrend(np.full(size, 0.02 * self.price), np.full(size, 0.01))

    def verdicts(self) -> list[dict[str, Any]]:
        """What the sidecar, with thresholds of its own, made of both minutes."""
        stored = []
        if self.before is not None:
            stored.append(self.verdict_of(39, 39, "enter", self.before))
        if self.said is not None:
            first = 40 if self.before is None else 39
            stored.append(self.verdict_of(first, 40, self.said, self.news))
        return stored

    def verdict_of(self, first: int, made: int, said: str, news: News) -> dict[str, Any]:
        veto = said != "enter"
        known = self.price is not None
        inputs = {"trend_change": 0.02 * self.price if known else None, "trend_noise": 0.01}
        late_ms = 60_000 if said == "late" else 3_000
        return verdict(
            first,
            news=news.value,
            news_key=f"{made} {news}",
            action="skip" if said in ("unavailable", "vetoed") else said.replace("late", "enter"),
            judge=said if said in ("unavailable", "vetoed") else "matrix",
            downgrade=3 if veto and said != "late" else 0,
            aligned={None: "unknown", -1: "yes"}.get(self.price, "no"),
            inputs=json.dumps(inputs),
            close_ms=at(made),
            available_at=at(made) + late_ms,
            expires_at=at(made) + 32_000,
            confirmed=json.dumps([[at(made), at(made)]]),
        )


def combinations() -> Iterator[Combination]:
    """Every gate passed, failed or not reached, against every other."""
    measures = itertools.product(
        State,
        (10, 2),
        (1e6, 20_000.0),
        (9.0, 4.5, 2.0),
        (0.98, 0.8, 0.6),
        (True, False),
    )
    judged = list(
        itertools.product(
            (-1, 0, 1, None),
            ("enter", "hold", "skip", "unavailable", "vetoed", "late", None),
            (News.NONE, News.SUPPORTS, News.CONTRADICTS, News.NOT_ASKED),
            (None, News.NONE, News.SUPPORTS),
        )
    )
    for state, count, usd, z, share, seen in measures:
        poor = state is not State.READY or count == 2 or usd < 25_000 or z < 3 or share < 0.75
        # What judges say of no wave is the same whatever it is.
        for price, said, news, before in judged[:: 97 if poor else 1]:
            yield Combination(state, count, usd, z, share, seen, price, said, news, before)


RULES = {
    "as the sidecar": {},
    "hyperopted stricter": {"z_strong": 6.0, "min_confidence": "high", "purity_strong": 0.95},
    "hyperopted looser": {"z_strong": 4.0, "min_confidence": "low", "trend_k": 1.5},
}


def in_force(name: str) -> RulesInForce:
    return in_force_of(settings(), RULES[name], MINUTE_MS, [PAIR], "a test")


def told(one: Combination, rules: RulesInForce) -> tuple[DecisionStory, Decisions]:
    rows = one.rows()
    decisions = decide(
        rows.close_ms, rows, one.trend(len(rows)), one.verdicts(), rules.rules, "live"
    )
    row = len(rows) - 1
    said = verdict_of_candle(decisions, row, one.verdicts(), rules.rules)
    return tell(decisions, row, rules, "live", said), decisions


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_no_gate_failed_if_and_only_if_there_is_an_entry(name: str) -> None:
    rules, firsts, entries = in_force(name), set(), 0
    for one in combinations():
        story, decisions = told(one, rules)
        entries += bool(decisions.entry[-1])
        assert story.enters == bool(decisions.entry[-1]), one
        assert (story.as_judged.failed is None) == bool(decisions.candidate[-1]), one
        if story.failed is not None:
            firsts.add(story.failed.name)
            assert story.failed.words and story.words.endswith(story.failed.words), one
        else:
            assert story.words == f"enter ({Confidence(story.level).word})", one
    assert entries
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


def test_the_gate_of_confidence_says_whether_the_decision_is_sure() -> None:
    rules = in_force("as the sidecar")
    _, decisions = told(Combination(), rules)
    unsure = replace(decisions, sure=np.array([False]))
    story = tell(unsure, 0, rules, "live", Combination().verdicts()[0])
    assert story.failed is not None and story.failed.name == "confidence"


FIELDS = [name for name in Standing.__dataclass_fields__ if name != "troubles"]


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


def newest(one: Combination) -> dict[str, Any]:
    return one.verdicts()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_the_page_tells_of_a_verdict_what_the_bot_made_of_its_candle(name: str) -> None:
    rules, seen = in_force(name), 0
    for one in itertools.islice(combinations(), 0, None, 2):
        if one.said is None:
            continue
        bot, _ = told(one, rules)
        page = story_of_verdict(newest(one), one.rows(), rules, one.verdicts()[:-1])
        seen += 1
        assert (page.words, page.enters) == (bot.words, bot.enters), one
        if one.said != "late":
            assert page.gates == replace_beginning(bot, page), one
    assert seen > 1_000


def replace_beginning(bot: DecisionStory, page: DecisionStory) -> Sequence[Any]:
    """How a wave began is told with more numbers where the rows are at hand."""
    numbers = {gate.name: gate.measured for gate in page.gates if gate.name == "beginning"}
    return tuple(
        replace(gate, measured=numbers[gate.name]) if gate.name in numbers else gate
        for gate in bot.gates
    )
