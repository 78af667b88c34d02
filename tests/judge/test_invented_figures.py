"""Figures in a model's words: those that follow from what it was told, and those that do not."""

from dataclasses import replace
from typing import Any

import pytest

from liq_provider.judge import prompt
from liq_provider.judge.guard import Guarded
from liq_provider.judge.guarded_answer import GuardedAnswer
from liq_provider.judge.invented_figures import REPLACED, KnownFigures, invented, measured
from liq_provider.judge.matrix import Action, Confidence, News
from liq_provider.judge.wave_facts import liq_note, trend_note
from liq_provider.news.desk import NOT_ASKED
from tests.judge.facts import CANDLES, NOW, facts, news
from tests.judge.test_model import answer, ask, says

HEADLINES = news(
    "BTC slides 12% as $1.8 billion is liquidated",
    "Miner sells 3,500 BTC on 2026-11-20",
    summary="Price fell to $95K",
)
DETAILS = facts().details | {"z": 9.04, "purity": 0.9815, "notional_usd": 1_812_345.0}
FACTS = facts(details=DETAILS | {"long_usd": 1_778_817.0, "short_usd": 33_528.0, "count": 37})
TOLD = prompt.data(FACTS, CANDLES, "5m", HEADLINES, NOW)
KNOWN = KnownFigures.of(TOLD)


def figure(text: str) -> str | None:
    return invented(text, KNOWN, ("BTC/USDT:USDT", "BTC"))


@pytest.mark.parametrize(
    "text",
    [
        "z 9.04, purity 98.15 %",
        "z is 9.0",
        "z of 9, so strong",
        "98% one-sided",
        "98 percent of it is long",
        "purity 0.98",
        "only 2% are shorts",
        "$1,812,300 in 37 liquidations",
        "Z-score is about 9",
        "$1.8M was liquidated",
        "about 1.8 million dollars",
        "1812k of liquidations",
        "nearly 2 million",
        "$1.78M longs against $33.5K shorts, 53:1",
        "about $49k each",
        "price fell 5% to 95",
        "down -5.0%",
        "a change of 5 times the noise",
        "the last 15 candles of 5m fall",
        "from 100.1 to 94.8",
        "two venues agree",
        "2 venues agree, 3rd step done",
        "both of the 2 headlines are against it",
        "a headline says 12% and $1.8 billion",
        "a miner sold 3500 BTC on 2026-11-20",
        "price at $95,000 in the news",
        "news is 10 minutes old",
        "BTC/USDT:USDT looks weak, as Q3 and v2 did",
        "",
        "no figures at all",
    ],
)
def test_what_follows_from_the_inputs_is_no_invention(text: str) -> None:
    assert figure(text) is None


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("z is 7", "7"),
        ("z 8 and falling", "8"),
        ("z of 10", "10"),
        ("Z-score is about 37", "37"),
        ("purity: 12%", "12%"),
        ("z=9.9", "9.9"),
        ("purity 93%", "93%"),
        ("97 percent", "97 percent"),
        ("only 9% are shorts", "9%"),
        ("$2.4M was liquidated", "2.4M"),
        ("1,912,345 dollars", "1,912,345"),
        ("in 120 liquidations", "120"),
        ("price fell 8.5%", "8.5%"),
        ("the last 40 candles", "40"),
        ("a whale sold 4,200 BTC", "4,200"),
        ("open interest is down 31%", "31%"),
        ("nine million dollars", "nine million"),
        ("funding at 0.07%", "0.07%"),
        ("support at 88,000", "88,000"),
        ("7 exchanges, z 6.1", "6.1"),
    ],
)
def test_a_figure_of_its_own_making_is_told(text: str, written: str) -> None:
    assert figure(text) == written


def test_a_note_with_one_is_replaced_as_a_whole_and_that_is_on_record() -> None:
    notes = ("z 12.5, huge", "down 5%", "a fund lost $77M", "an 80% chance")
    before = Guarded(News.NONE, Action.ENTER, Confidence.MEDIUM, 0, ("earlier",), notes)
    after = measured(before, FACTS, TOLD)
    assert after.notes == (
        liq_note(FACTS),
        "down 5%",
        "2 headline(s) were read",
        "a strong one-sided wave that price follows; news: none",
    )
    assert after.changes == (
        "earlier",
        f"liq_note {REPLACED}: 12.5 is in none of its inputs",
        f"news_note {REPLACED}: 77M is in none of its inputs",
        f"action_reason {REPLACED}: 80% is in none of its inputs",
    )
    assert replace(after, notes=before.notes, changes=before.changes) == before
    assert measured(after, FACTS, TOLD) == after


def test_the_measured_sentences_hold_nothing_that_was_not_told() -> None:
    known = KnownFigures.of(TOLD, FACTS.details)
    assert invented(liq_note(FACTS), known) is invented(trend_note(FACTS), known) is None


@pytest.mark.parametrize("details", [{}, {"notional_usd": 0.0, "count": 0, "trend_change": None}])
def test_missing_and_empty_measurements_are_known_as_nothing(details: dict[str, Any]) -> None:
    told = prompt.data(facts(details=details), CANDLES[:0], "1m", NOT_ASKED, NOW)
    assert invented("z is 9", KnownFigures.of(told)) == "9"
    assert invented("nothing", KnownFigures.of(told)) is None


async def test_a_model_that_makes_up_figures_is_heard_and_counted() -> None:
    said = answer(liq_note="z 31.5 over 14 venues", news_note="one headline, BTC falls")
    heard, _, _ = await ask(says(said))
    assert isinstance(heard, GuardedAnswer)
    assert heard.guarded.notes[0].startswith("strong: z 9.0, purity 95%")
    assert heard.guarded.notes[2] == "one headline, BTC falls"
    assert heard.guarded.action is Action.ENTER
    (change,) = heard.guarded.changes
    assert change == f"liq_note {REPLACED}: 31.5 is in none of its inputs"


def test_a_reason_with_figures_of_the_running_minute_is_not_repeated_for_the_settled_one() -> None:
    notes = ("z 9", "down", "none", "z 9 is enough")
    said = Guarded(News.NONE, Action.ENTER, Confidence.MEDIUM, 0, (), notes)
    settled = facts(details=facts().details | {"z": 6.0})
    verdict = GuardedAnswer(facts(), said, "k", "id").verdict(settled, "m@v1", NOW, NOW)
    assert "9" not in verdict.action_reason and "z 6.0" in verdict.liq_note
    assert verdict.action_reason == "a strong one-sided wave that price follows; news: none"
