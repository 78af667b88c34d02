"""
What any judge does, ours or one that a package adds; and what none can do to a verdict.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import ValidationError

from liq_provider.config.sections import JudgeSettings
from liq_provider.config.settings import Settings, load_settings
from liq_provider.core.arrays import FloatArray
from liq_provider.core.plugins import JUDGES
from liq_provider.errors import ModelFailure
from liq_provider.judge.added_judges import AddedJudge
from liq_provider.judge.asked_judge import AskedJudge
from liq_provider.judge.case import Case, Judge, capped
from liq_provider.judge.chat import Chat
from liq_provider.judge.matrix import Action, Confidence, News, decide
from liq_provider.judge.matrix_judge import MatrixJudge
from liq_provider.judge.model import ModelJudge
from liq_provider.measure.waves import Strength
from liq_provider.news.desk import NOT_ASKED, NewsSet, set_key
from liq_provider.simulator.stand_in_model import StandIn
from tests.judge.facts import CANDLES, NOW, facts, news
from tests.judge_rig import JudgeRig
from tests.plugins import documented, install

EXAMPLE = f"{documented('class Cautious')}\nmake = Cautious"

EMPTY = NewsSet((), set_key(()))
NEWS = [NOT_ASKED, EMPTY, news("BTC falls")]
CELLS = [
    (direction, strength, aligned, known)
    for direction in ("SHORT", "LONG")
    for strength, aligned, known in itertools.product(
        (Strength.MEDIUM, Strength.STRONG), (True, False), NEWS
    )
]


@pytest_asyncio.fixture(params=["matrix", "llm", "cautious"])
async def asked(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AskedJudge]:
    """Each that a sidecar may ask."""
    if request.param == "matrix":
        yield MatrixJudge()
    elif request.param == "cautious":
        install(monkeypatch, tmp_path, JUDGES, "cautious", EXAMPLE)
        yield made(by="cautious")
    else:

        async def keep(row: dict[str, object]) -> None:
            """Not what is looked at here."""

        async with StandIn() as server:
            settings = load_settings({"liq_provider": {"llm": {"base_url": server.url}}}, {})
            yield ModelJudge(settings.llm, "1m", lambda: NOW, keep)


@pytest_asyncio.fixture
async def judge(asked: AskedJudge) -> AsyncIterator[Judge]:
    """Who has the opinions, without whoever asks."""
    if isinstance(asked, AddedJudge):
        await asked.judge(facts(), CANDLES, NOT_ASKED)
        assert asked._judge is not None
        yield asked._judge
    else:
        assert isinstance(asked, ModelJudge)
        asked.prepare()
        assert isinstance(asked._chat, Chat)
        yield asked._chat
    await asked.close()


# The matrix is the table itself, and no opinion that has to be capped.
opinionated = pytest.mark.parametrize("asked", ["llm", "cautious"], indirect=True)


def made(by: str = "example", **section: object) -> AddedJudge:
    settings = load_settings({"liq_provider": {"judge": {"by": by}, **section}}, {})
    return AddedJudge(settings, "1m", lambda: NOW)


def level(action: Action, confidence: Confidence) -> int:
    return confidence if action is Action.ENTER else 0


@opinionated
async def test_any_judge_has_an_opinion_that_the_matrix_caps(judge: Judge) -> None:
    cases = [
        Case(
            facts(direction=direction, strength=strength, aligned=aligned),
            *(CANDLES, "1m", known, NOW),
        )
        for direction, strength, aligned, known in CELLS
    ]
    opinions = await asyncio.gather(*(judge.opinion(case) for case in cases))
    for case, opinion in zip(cases, opinions, strict=True):
        assert (opinion.symbol, opinion.direction) == (case.facts.symbol, case.facts.direction)
        guarded = capped(opinion, case)
        possible = [News.NOT_ASKED, *([News.NONE, News.SUPPORTS] if case.news.found else [])]
        rows = [decide(case.facts.strength, case.facts.aligned, said) for said in possible]
        assert level(guarded.action, guarded.confidence) <= max(level(*row) for row in rows)
        assert all(len(note) <= 200 for note in guarded.notes)


async def test_whoever_is_asked_answers_within_the_matrix_about_what_it_was_asked(
    asked: AskedJudge,
) -> None:
    asked.prepare()
    for direction, strength, aligned, known in CELLS:
        wave = facts(direction=direction, strength=strength, aligned=aligned)
        news_set = known if asked.reads_news else NOT_ASKED
        answer = await asked.judge(wave, CANDLES, news_set, NOW + 60_000)
        said = answer.guarded
        possible = [News.NOT_ASKED, *([News.NONE, News.SUPPORTS] if news_set.found else [])]
        rows = [decide(strength, aligned, news) for news in possible]
        assert level(said.action, said.confidence) <= max(level(*row) for row in rows)
        verdict = answer.verdict(wave, asked.name, NOW, NOW)
        row = (verdict.judge, verdict.facts.direction, verdict.news_key)
        assert row == (asked.name, direction, news_set.key)
    assert asked.called and asked.ahead_at_once() <= asked.ahead_per_minute
    told = asked.report()
    assert told is None or (told["failures"], told["unavailable"]) == ({}, None)
    await asked.close()


@opinionated
async def test_any_judge_may_be_asked_for_the_same_again(judge: Judge) -> None:
    case = Case(facts(), CANDLES, "1m", EMPTY, NOW)
    before = case.copy()
    first, second = await judge.opinion(case), await judge.opinion(case)
    assert first == second
    assert case.facts == before.facts and (case.candles == before.candles).all()


def test_a_name_that_nobody_adds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = r"'cautious' is none of auto, llm, matrix; packages add others \(liqtrend.judges\)"
    with pytest.raises(ValidationError, match=words):
        JudgeSettings(by="cautious")
    install(monkeypatch, tmp_path, JUDGES, "cautious", EXAMPLE)
    assert JudgeSettings(by="cautious").by == "cautious"
    with pytest.raises(ValidationError, match="'vetoed' is none of auto, llm, matrix, cautious"):
        JudgeSettings(by="vetoed")


def test_nobody_has_a_name_that_our_records_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, tmp_path, JUDGES, "vetoed", EXAMPLE)
    assert made(by="vetoed").name == "vetoed@1.2"


def opinion(said: str, before: str = "pass") -> str:
    return f"""
import asyncio, os, sys, time
from liq_provider.judge.guard import Opinion
from liq_provider.judge.matrix import Action, Confidence, News

class Example:
    async def opinion(self, case):
        f = case.facts
        {before}
        return {said}

def make(settings):
    return Example()
"""


HIGH = "Opinion(f.symbol, f.direction, News.SUPPORTS, Action.ENTER, Confidence.HIGH)"

Plant = Callable[[str], AddedJudge]


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plant:
    def planted(code: str, **section: object) -> AddedJudge:
        install(monkeypatch, tmp_path, JUDGES, "example", code)
        return made(**section)

    return planted


async def test_an_added_judge_cannot_enlarge(plant: Plant) -> None:
    added = plant(opinion(HIGH))
    said = await added.judge(facts(strength=Strength.MEDIUM), CANDLES, NOT_ASKED)
    assert (said.guarded.action, said.guarded.confidence) == (Action.ENTER, Confidence.LOW)
    assert said.guarded.news is News.NOT_ASKED, "it was given none"
    said = await added.judge(facts(aligned=False), CANDLES, EMPTY)
    assert (said.guarded.action, said.guarded.confidence) == (Action.SKIP, Confidence.LOW)
    verdict = said.verdict(facts(aligned=False), added.name, NOW, NOW)
    assert verdict.judge == "example@1.2" and "call_id" not in verdict.facts.details
    await added.close()


@pytest.mark.parametrize("other", ["'LONG', ", "'ETH/USDT:USDT', "])
async def test_an_added_judge_cannot_flip_or_judge_another(plant: Plant, other: str) -> None:
    named = "f.direction, " if "LONG" in other else "f.symbol, "
    added = plant(opinion(HIGH.replace(named, other)))
    with pytest.raises(ModelFailure) as told:
        await added.judge(facts(), CANDLES, NOT_ASKED)
    assert told.value.kind == "wrong symbol"
    await added.close()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (HIGH.replace("ENTER", "SKIP"), (Action.SKIP, len(Confidence))),
        (HIGH.replace("ENTER", "HOLD"), (Action.HOLD, len(Confidence))),
        (HIGH.replace("HIGH", "LOW"), (Action.ENTER, Confidence.MEDIUM - Confidence.LOW)),
    ],
)
async def test_an_added_judge_can_veto_and_say_less(
    plant: Plant, said: str, expected: tuple[Action, int]
) -> None:
    added = plant(opinion(said))
    judged = await added.judge(facts(), CANDLES, NOT_ASKED)
    assert (judged.guarded.action, judged.guarded.downgrade) == expected
    await added.close()


async def test_notes_of_an_added_judge_with_made_up_figures_are_counted(plant: Plant) -> None:
    remark = "('all is replaced by what was measured: 7',)"
    added = plant(opinion(HIGH[:-1] + f", ('z 31.5', 'down', 'n', 'an 80% chance'), {remark})"))
    said = await added.judge(facts(), CANDLES, NOT_ASKED)
    assert said.guarded.notes[0].startswith("strong: z 9.0")
    assert added.report()["notes_replaced"] == 2
    await added.close()


async def test_what_an_added_judge_does_to_its_case_changes_nothing(plant: Plant) -> None:
    harm = "case.candles[:] = 0; f.details.clear(); object.__setattr__(f, 'direction', 'LONG')"
    added = plant(opinion(HIGH.replace("f.direction", "'SHORT'"), harm))
    asked, candles = facts(), CANDLES.copy()
    said = await added.judge(asked, candles, NOT_ASKED)
    assert said.guarded.confidence is Confidence.MEDIUM
    assert asked == facts() and (candles == CANDLES).all()
    await added.close()


@pytest.mark.parametrize(
    ("code", "kind", "detail"),
    [
        (opinion(HIGH, "raise ValueError('no idea')"), "failed", "ValueError: no idea"),
        (opinion(HIGH, "raise ValueError('sk-planted')"), "failed", "[OPENAI_API_KEY]"),
        (opinion(HIGH, "sys.exit(3)"), "failed", "SystemExit: 3"),
        (opinion(HIGH, "raise KeyboardInterrupt"), "failed", "KeyboardInterrupt"),
        (opinion(HIGH, "raise asyncio.CancelledError"), "failed", "CancelledError"),
        (opinion(HIGH, "await asyncio.sleep(60)"), "timeout", "no opinion within 1 s"),
        (opinion(HIGH, "time.sleep(9)"), "timeout", "no opinion within 1 s"),
        (opinion("None"), "malformed", "NoneType instead of an opinion"),
        (opinion("'enter'"), "malformed", "str instead of an opinion"),
        (opinion(HIGH.replace("Action.ENTER", "'buy'")), "malformed", "'buy'"),
        (opinion(HIGH.replace("Confidence.HIGH", "99")), "malformed", "99"),
        (opinion(HIGH.replace("News.SUPPORTS", "1")), "malformed", "1"),
        (opinion(HIGH[:-1] + ", ('a',))"), "malformed", "not four texts"),
        (opinion(HIGH[:-1] + ", ('a', 'b', None, 'd'))"), "malformed", "news_note that is no text"),
        (opinion(HIGH[:-1] + ", ('a', 'b', 'c', 4))"), "malformed", "action_reason that is no"),
        (opinion(HIGH[:-1] + ", (b'a', 'b', 'c', 'd'))"), "malformed", "no text but bytes"),
        (opinion(HIGH[:-1] + ", remarks=5)"), "malformed", "an opinion with"),
        (opinion(HIGH[:-1] + ", remarks='one')"), "malformed", "no list of texts"),
        (opinion(HIGH[:-1] + ", remarks=(5,))"), "malformed", "a remark that is no text"),
        (opinion(HIGH.replace("f.symbol", "None")), "malformed", "a symbol that is no text"),
        (opinion(HIGH.replace("f.direction", "-1")), "malformed", "a direction that is no text"),
        (
            opinion(HIGH.replace("SUPPORTS", "CONTRADICTS")),
            *("contradictory", "enter, although the news contradicts"),
        ),
        ("raise ImportError('a part is missing')", "not loaded", "ImportError: a part is missing"),
        ("import sys; sys.exit('ended')", "not loaded", "SystemExit: ended"),
        ("import time; time.sleep(9)", "timeout", "no opinion within 1 s"),
        ("make = None", "not loaded", "TypeError"),
        ("def make(settings): return None", "not loaded", "what it makes is no judge"),
    ],
)
async def test_an_added_judge_that_goes_wrong_fails_like_a_model(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, code: str, kind: str, detail: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    limit_s = 1 if kind == "timeout" else 20
    added = plant(code, llm={"timeout_s": limit_s})  # type: ignore[call-arg]
    added.prepare()
    begun_s = time.monotonic()
    with pytest.raises(ModelFailure) as told:
        await added.judge(facts(), CANDLES, NOT_ASKED)
    assert told.value.kind == kind and detail in told.value.detail
    await added.close()
    assert time.monotonic() - begun_s < limit_s + 9
    report = added.report()
    assert report["failures"] == {kind: 1} and report["unavailable"] == kind


async def test_an_added_judge_that_keeps_failing_is_left_alone(plant: Plant) -> None:
    added = plant(
        opinion(HIGH, "raise ValueError"),
        llm={"breaker_failures": 2, "timeout_s": 20},  # type: ignore[call-arg]
    )
    for kind in ("failed", "failed", "circuit open"):
        with pytest.raises(ModelFailure) as told:
            await added.judge(facts(), CANDLES, NOT_ASKED)
        assert told.value.kind == kind
    assert added.ahead_at_once() == 0
    await added.close()


async def test_a_package_that_went_is_a_failure_and_no_reason_not_to_start(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(opinion(HIGH))
    settings = Settings(judge=JudgeSettings(by="example"))
    monkeypatch.setattr(sys, "path", [path for path in sys.path if "site-example" not in path])
    added = AddedJudge(settings, "1m", lambda: NOW)
    added.prepare()
    with pytest.raises(ModelFailure) as told:
        await added.judge(facts(), CANDLES, NOT_ASKED)
    assert told.value.kind == "not loaded" and "no installed package" in told.value.detail
    await added.close()


@pytest.mark.parametrize(("otherwise", "judges"), [("skip", "unavailable"), ("matrix", "matrix")])
async def test_waves_of_an_added_judge_are_verdicts_and_its_failures_too(
    rig: JudgeRig, plant: Plant, otherwise: str, judges: str
) -> None:
    added = plant(
        opinion(HIGH, "if case.facts.strength.word == 'medium': raise ValueError"),
        on_llm_unavailable=otherwise,  # type: ignore[call-arg]
    )
    waves = rig.new(added._settings, added)

    async def falling(pair: str, close_ms: int) -> FloatArray:
        return CANDLES

    # Those of the simulated exchange fall at some times of the day only.
    waves._cases.candles.closed = falling  # type: ignore[method-assign]
    (verdict,) = await waves.judge(rig.settled())
    assert (verdict.judge, verdict.action) == ("example@1.2", Action.ENTER)
    (verdict,) = await waves.judge(rig.settled(1, strength=Strength.MEDIUM))
    assert verdict.judge == judges
    assert verdict.facts.details["failure"] == "failed"
    words = {
        "skip": "no verdict of example@1.2: failed",
        "matrix": "instead of example@1.2: failed",
    }
    assert words[otherwise] in verdict.action_reason
    assert "model" not in f"{verdict.action_reason} {verdict.news_note}"
    assert [row["judge"] for row in rig.verdicts()] == ["example@1.2", judges]
    await added.close()
