"""A judge that another package adds is asked in its turn, and once among all sidecars."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from liq_provider.config.settings import load_settings
from liq_provider.core.plugins import JUDGES
from liq_provider.errors import ModelFailure
from liq_provider.judge.added_judges import AddedJudge
from liq_provider.judge.guarded_answer import GuardedAnswer
from liq_provider.judge.shared_asking import SharedAsking
from liq_provider.judge.wave_judge import WaveJudge
from liq_provider.news.desk import NOT_ASKED, NewsSet
from tests.judge.facts import CANDLES, NOW, facts
from tests.judge.test_wave_records import NEWER, OTHER, SOME
from tests.judge_rig import JudgeRig
from tests.plugins import install

CODE = """
import asyncio
from liq_provider.api import Action, Confidence, News, Opinion

SAYS = ["enter"]  # what is said next, and then always the last of it
asked = 0

class Scripted:
    async def opinion(self, case):
        global asked
        asked += 1
        said = SAYS.pop(0) if len(SAYS) > 1 else SAYS[0]
        if isinstance(said, float):
            await asyncio.sleep(said)
            said = "enter"
        if isinstance(said, Exception):
            raise said
        if not said:
            return said
        f, torn = case.facts, said == "torn"
        news = News.CONTRADICTS if said == "against" or torn else News.NONE
        action = Action.ENTER if said == "enter" or torn else Action.SKIP
        return Opinion(f.symbol, f.direction, news, action, Confidence.MEDIUM)

def make(settings):
    return Scripted()
"""


class Package:
    """The installed package, whose judge says what it is told to."""

    @property
    def module(self) -> Any:
        """Once it was loaded, with the first question."""
        return sys.modules["scripted_judge"]

    def script(self, *says: Any) -> None:
        self.module.SAYS[:] = says

    @property
    def asked(self) -> int:
        return int(self.module.asked)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    install(monkeypatch, tmp_path, JUDGES, "scripted", CODE, "scripted_judge")
    return Package()


def section(**llm: Any) -> dict[str, Any]:
    return {"liq_provider": {"judge": {"by": "scripted"}, "llm": llm}}


Sidecars = Callable[..., tuple[AddedJudge, WaveJudge]]


@pytest.fixture
def sidecars(rig: JudgeRig) -> Sidecars:
    """Makes judges of one store, each of which knows nothing of the others."""

    def make(
        *, shared: bool = True, otherwise: str = "skip", **llm: Any
    ) -> tuple[AddedJudge, WaveJudge]:
        told = section(**llm)
        told["liq_provider"]["on_llm_unavailable"] = otherwise
        settings = load_settings(told, {})
        asking = SharedAsking(rig.writer, rig.executors[0], settings.llm, rig.now_ms)
        added = AddedJudge(settings, "1m", rig.now_ms, asking if shared else None)
        waves = rig.new(settings, added)

        async def the_same(pair: str, close_ms: int) -> Any:
            return CANDLES

        waves._cases.candles.closed = the_same  # type: ignore[method-assign]
        looks_at(waves, SOME)
        return added, waves

    return make


def looks_at(waves: WaveJudge, headlines: NewsSet) -> None:
    async def news(base_asset: str) -> NewsSet:
        return headlines

    waves._cases.news = news  # type: ignore[method-assign]


async def told(added: AddedJudge, until_ms: int | None = None, **changes: Any) -> str:
    try:
        answer = await added.judge(facts(**changes), CANDLES, NOT_ASKED, until_ms)
    except ModelFailure as failure:
        return failure.kind
    return answer.guarded.action.value


# -- once among the sidecars of a store


async def test_two_sidecars_ask_an_added_judge_each_question_once(
    rig: JudgeRig, package: Package, sidecars: Sidecars
) -> None:
    (first, waves), (second, others) = sidecars(), sidecars()
    await told(first, base_asset="WARM")  # it is loaded by now
    package.script(0.3)
    asked_before = package.asked
    both = await asyncio.gather(waves.judge(rig.settled()), others.judge(rig.settled()))
    assert package.asked == asked_before + 1
    assert sum(len(verdicts) for verdicts in both) == 1
    (row,) = rig.verdicts()
    assert (row["judge"], row["action"]) == ("scripted@1.2", "enter")
    assert "call_id" not in row["inputs"]
    assert first.report()["shared"] + second.report()["shared"] == 1
    # What was judged before is on record for one that starts now, and for every state.
    later, _ = sidecars()
    heard = await later.judge(facts(wave_start_ms=rig.close_ms), CANDLES, SOME)
    assert isinstance(heard, GuardedAnswer) and heard.call_id == ""
    assert package.asked == asked_before + 1
    assert rig.reader.model_calls(0, 2**62) == [], "it was no question to a model"
    for added in (first, second, later):
        await added.close()


@pytest.mark.parametrize(("says", "kind"), [("torn", "contradictory"), ("", "malformed")])
async def test_what_is_no_opinion_is_none_for_both(
    package: Package, sidecars: Sidecars, says: str, kind: str
) -> None:
    (first, _), (second, _) = sidecars(), sidecars()
    assert await told(first, base_asset="WARM") == "enter"
    package.script(says)
    asked_before = package.asked
    assert [await told(first), await told(second)] == [kind, kind]
    assert package.asked == asked_before + 1
    for added in (first, second):
        await added.close()


async def test_what_raised_in_one_sidecar_is_asked_by_the_other(
    package: Package, sidecars: Sidecars
) -> None:
    """Its package may lack something there that it has here."""
    (first, _), (second, _) = sidecars(), sidecars()
    assert await told(first, base_asset="WARM") == "enter"
    package.script(ValueError("no idea"), "enter")
    assert [await told(first), await told(second)] == ["failed", "enter"]
    for added in (first, second):
        await added.close()


async def test_a_question_that_is_given_up_is_the_others_to_ask(
    package: Package, sidecars: Sidecars
) -> None:
    (first, _), (second, _) = sidecars(), sidecars()
    assert await told(first, base_asset="WARM") == "enter"
    package.script(60.0, "enter")
    asked_before = package.asked
    asking = asyncio.create_task(told(first))
    while package.asked == asked_before:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert await asyncio.wait_for(told(second), 15) == "enter", "long before its time was over"
    for added in (first, second):
        await added.close()


# -- what is said against a wave


@pytest.mark.parametrize("shared", [True, False])
async def test_a_veto_of_one_sidecars_judge_holds_whatever_the_others_heard(
    rig: JudgeRig, package: Package, sidecars: Sidecars, shared: bool
) -> None:
    """With or without a store that could be asked who asks: two opinions of one state, or two."""
    (first, waves), (second, others) = sidecars(shared=shared), sidecars(shared=shared)
    assert await told(first, base_asset="WARM") == "enter"
    package.script("enter", "against")
    await waves.judge(rig.settled())
    if shared:
        looks_at(others, OTHER)
    await others.judge(rig.settled())
    assert "contradicts" in {row["news"] for row in rig.verdicts()}
    package.script("enter")
    await waves.judge(rig.settled(1))
    await others.judge(rig.settled(1))
    looks_at(waves, NEWER)
    (refused,) = await waves.judge(rig.settled(2))
    assert refused.judge == "vetoed"
    passing = [row for row in rig.verdicts() if row["action"] == "enter"]
    assert [row["expires_at"] for row in passing] == [rig.close_ms + 32_000] * shared
    for added in (first, second):
        await added.close()


async def test_the_matrix_does_not_stand_in_for_an_added_judge_that_doubted_elsewhere(
    rig: JudgeRig, package: Package, sidecars: Sidecars
) -> None:
    (first, waves), (second, others) = sidecars(), sidecars(otherwise="matrix")
    assert await told(first, base_asset="WARM") == "enter"
    package.script("skip")
    await waves.judge(rig.settled())
    package.script(ValueError("no idea"))
    looks_at(others, OTHER)
    (verdict,) = await others.judge(rig.settled(1))
    assert (verdict.judge, verdict.facts.details["failure"]) == ("vetoed", "failed")
    for added in (first, second):
        await added.close()


# -- in its turn


async def test_a_sound_judge_is_not_cut_off_by_its_own_queue(package: Package) -> None:
    """Ten questions take longer than one may take, and none of them does."""
    settings = load_settings(section(timeout_s=2, concurrency=1, breaker_failures=1), {})
    added = AddedJudge(settings, "1m", lambda: NOW)
    assert await told(added) == "enter"
    package.script(0.4)
    outcomes = await asyncio.gather(*(told(added, base_asset=f"C{n}") for n in range(10)))
    assert outcomes == ["enter"] * 10
    assert added.report()["circuit"] == "closed"
    await added.close()


async def test_what_comes_too_late_for_its_verdict_is_not_asked_and_not_blamed_on_the_judge(
    package: Package,
) -> None:
    settings = load_settings(section(timeout_s=60, concurrency=1, breaker_failures=1), {})
    added = AddedJudge(settings, "1m", lambda: NOW)
    assert await told(added) == "enter"
    package.script(60.0)
    first = asyncio.create_task(told(added))
    await asyncio.sleep(0.2)
    late = await asyncio.gather(*(told(added, NOW + 300, base_asset=f"C{n}") for n in range(3)))
    assert late == ["too late"] * 3 and package.asked == 2
    report = added.report()
    assert (report["circuit"], report["failures"]) == ("closed", {"too late": 3})
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await added.close()
