"""What was said against a wave stands against everybody who knows less."""

import asyncio
import json
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from liq_provider.config.settings import Settings
from liq_provider.judge.decisions import Rules, _verdict_of
from liq_provider.judge.matrix import Action, News
from liq_provider.judge.wave_judge import WaveJudge
from liq_provider.measure.waves import Strength
from liq_provider.news import NewsSet
from liq_provider.simulator.stand_in import StandIn, asked, completion, verdict
from tests.judge.facts import CANDLES
from tests.judge.facts import news as news_set
from tests.judge_rig import MINUTE, PAIR, JudgeRig, anomaly, no_idea
from tests.sidecars import until

UNKNOWN = NewsSet(note="news was not asked: no answer in time")
SOME, OTHER = news_set("Bitcoin ETF approved"), news_set("Bitcoin ETF approved", "and traded")
AGAINST = {"news": "contradicts", "action": "skip", "confidence": "low"}
TORN = {"news": "contradicts", "action": "enter"}
NO = {"news": "none", "action": "skip", "confidence": "low"}
DOUBT = {"news": "none", "action": "enter", "confidence": "low"}
YES = {"news": "none", "action": "enter", "confidence": "high"}
NOTHING, NEWER = NewsSet((), "none"), news_set("Bitcoin ETF traded", "by all", "and more")


class ScriptedJudge:
    """A falling market, a model that says what it is told to, news as it is set."""

    def __init__(self, rig: JudgeRig, server: StandIn, fallback: str = "skip") -> None:
        self.rig = rig
        self.server = server
        self.fallback = fallback
        self.news = SOME
        self.says: dict[str, str] | None = YES
        server.handler = self._answer
        self.judge = self._sit()

    def _sit(self) -> WaveJudge:
        return self.prepared(self.rig.asking(self.server, on_llm_unavailable=self.fallback))

    def prepared(self, judge: WaveJudge) -> WaveJudge:
        async def the_same(pair: str, close_ms: int) -> Any:
            return CANDLES

        async def news(base_asset: str) -> NewsSet:
            return self.news

        judge._evidence.candles.closed = the_same  # type: ignore[method-assign]
        judge._evidence.candles.expected = the_same  # type: ignore[method-assign]
        judge._evidence.news = news  # type: ignore[method-assign]
        return judge

    def restart(self) -> None:
        self.judge = self._sit()

    async def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if self.says is None:
            return await no_idea(request, body)
        return web.json_response(completion(json.dumps(verdict(asked(body)) | self.says)))

    async def minute(
        self,
        after: int,
        says: dict[str, str] | None,
        news: NewsSet = SOME,
        strength: Strength = Strength.STRONG,
    ) -> dict[str, Any]:
        """:return: the verdict that a bot reads for this minute"""
        self.says, self.news = says, news
        await self.judge.judge(self.rig.settled(after, strength=strength))
        await asyncio.sleep(0.002)  # the next verdict is a newer one
        close_ms, rows = self.rig.close_ms + after * MINUTE, self.rig.verdicts()
        sign, anomalous = np.array([-1]), np.array([True])
        rules = Rules.of(Settings())
        found = _verdict_of(np.array([close_ms]), sign, anomalous, rows, rules)[0]
        assert found >= 0
        return rows[found]


async def test_an_older_yes_does_not_hide_that_the_model_failed(rig: JudgeRig) -> None:
    async with StandIn() as server:
        scripted = ScriptedJudge(rig, server)
        assert (await scripted.minute(0, None, UNKNOWN))["judge"] == "unavailable"
        assert (await scripted.minute(1, YES, UNKNOWN))["action"] == "enter"
        assert (await scripted.minute(2, None, SOME))["judge"] == "unavailable"
        assert (await scripted.minute(3, YES, UNKNOWN))["action"] == "enter", "judged of this state"


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("before", [AGAINST, TORN])
async def test_a_wave_that_news_was_against_stays_out(
    rig: JudgeRig, before: dict[str, str], restart: bool
) -> None:
    async with StandIn() as server:
        scripted = ScriptedJudge(rig, server)
        assert (await scripted.minute(0, YES, UNKNOWN))["action"] == "enter"
        assert (await scripted.minute(1, YES, OTHER))["action"] == "enter"
        assert (await scripted.minute(2, before))["action"] == "skip"
        if restart:
            scripted.restart()
        asked_before = len(server.requests)
        # Unknown again, nothing found, a set that said yes before, a new one, and the same.
        for after, news in enumerate((UNKNOWN, NOTHING, OTHER, NEWER, SOME), 3):
            found = await scripted.minute(after, YES, news)
            assert (found["action"], found["downgrade"]) == ("skip", 3), news
        assert len(server.requests) == asked_before, "the answer would not count"
        running = anomaly(rig.close_ms + 9 * MINUTE, rig.close_ms)
        await scripted.judge.foresee([running], {"BTC": PAIR})
        assert len(server.requests) == asked_before, "nor is it asked about early"


@pytest.mark.parametrize("sidecars", [1, 2])
@pytest.mark.parametrize("veto", [AGAINST, TORN])
async def test_a_veto_that_comes_while_another_question_is_out_stands(
    rig: JudgeRig, veto: dict[str, str], sidecars: int
) -> None:
    """Two sidecars, or one in two minutes, ask about one wave with different news."""
    async with StandIn() as server:
        scripted = ScriptedJudge(rig, server)
        first = scripted.judge
        if sidecars == 2:
            scripted.restart()
        thinks, may_say = asyncio.Event(), asyncio.Event()

        async def slow(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            thinks.set()
            await may_say.wait()
            scripted.says = YES
            return await scripted._answer(request, body)

        server.handler = slow
        scripted.news = SOME
        asking = asyncio.create_task(first.judge(rig.settled()))
        await asyncio.wait_for(thinks.wait(), 20)
        server.handler = scripted._answer
        await scripted.minute(0, veto, OTHER)
        may_say.set()
        (late,) = await asyncio.wait_for(asking, 20)
        assert (late.judge, late.action) == ("vetoed", Action.SKIP)
        assert {row["action"] for row in rig.verdicts()} == {"skip"}
        # The first one knows it by now, and asks no more.
        scripted.judge = first
        asked_before = len(server.requests)
        assert (await scripted.minute(1, YES, NEWER))["action"] == "skip"
        assert len(server.requests) == asked_before


async def test_a_contradiction_is_remembered_whatever_failed_before_it(rig: JudgeRig) -> None:
    async with StandIn() as server:
        scripted = ScriptedJudge(rig, server)
        assert (await scripted.minute(0, None))["judge"] == "unavailable"
        assert (await scripted.minute(1, TORN))["judge"] == "vetoed"
        scripted.restart()
        assert (await scripted.minute(2, YES, OTHER))["judge"] == "vetoed"


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("before", [AGAINST, TORN, NO, DOUBT])
async def test_the_matrix_does_not_take_back_what_a_model_said(
    rig: JudgeRig, before: dict[str, str], restart: bool
) -> None:
    async with StandIn() as server:
        scripted = ScriptedJudge(rig, server, "matrix")
        await scripted.minute(0, before)
        if restart:
            scripted.restart()
        for after in (1, 2):
            found = await scripted.minute(after, None, OTHER)
            assert (found["judge"], found["action"]) == ("vetoed", "skip")
            assert "refused before" in found["action_reason"]
        if before in (NO, DOUBT):
            assert (await scripted.minute(3, YES, OTHER))["action"] == "enter", "it was asked again"


async def test_a_model_that_agreed_with_the_matrix_refused_nothing(rig: JudgeRig) -> None:
    """A medium wave without news is skipped by the table; a strong one is another matter."""
    async with StandIn() as server:
        scripted = ScriptedJudge(rig, server, "matrix")
        found = await scripted.minute(0, NO, NOTHING, strength=Strength.MEDIUM)
        assert (found["judge"], found["action"]) == ("gpt-6-luna@v1", "skip")
        found = await scripted.minute(1, None, NOTHING)
        assert (found["judge"], found["action"]) == ("matrix", "enter")


async def test_a_sidecar_that_is_restarted_without_a_model_keeps_its_vetoes(rig: JudgeRig) -> None:
    async with StandIn() as server:
        scripted = ScriptedJudge(rig, server)
        await scripted.minute(0, NO)
        scripted.judge = scripted.prepared(rig.new())
        assert (await scripted.minute(1, None))["judge"] == "vetoed"


async def test_a_contradiction_that_was_heard_early_is_not_asked_away(rig: JudgeRig) -> None:
    async with StandIn() as server:
        scripted = ScriptedJudge(rig, server, "matrix")
        scripted.says = TORN
        await scripted.judge.foresee([anomaly(rig.close_ms, rig.close_ms)], {"BTC": PAIR})
        await until(lambda: rig.reader.model_calls(0, 2**62), "it is on record")
        assert (await scripted.minute(0, None))["judge"] == "vetoed"
        assert len(server.requests) == 1


async def test_the_matrix_stands_in_where_nothing_was_said(rig: JudgeRig) -> None:
    async with StandIn() as server:
        scripted = ScriptedJudge(rig, server, "matrix")
        assert (await scripted.minute(0, None))["judge"] == "matrix"
        assert (await scripted.minute(1, None))["action"] == "enter"
        assert (await scripted.minute(2, NO, OTHER))["action"] == "skip"
        found = await scripted.minute(3, None)
        assert found["judge"] == "vetoed", "not what the matrix said before"


async def test_a_failed_question_is_reached_from_its_verdict(rig: JudgeRig) -> None:
    async with StandIn() as server:
        scripted = ScriptedJudge(rig, server)
        found = await scripted.minute(0, None)
        (call,) = rig.reader.model_calls(0, 2**62)
    inputs = json.loads(found["inputs"])
    assert (inputs["call_id"], inputs["failure"]) == (call["call_id"], "malformed")
    assert found["news_key"] == SOME.key and found["news"] == News.NOT_ASKED


async def test_an_answer_that_no_database_takes_is_a_failure_on_record(rig: JudgeRig) -> None:
    async with StandIn() as server:
        scripted = ScriptedJudge(rig, server)

        async def halves(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            return web.json_response(completion("half \ud83d, zero \x00, no JSON"))

        server.handler = halves
        (found,) = await scripted.judge.judge(rig.settled())
        (call,) = rig.reader.model_calls(0, 2**62)
    assert (found.judge, found.action) == ("unavailable", Action.SKIP)
    assert call["outcome"] == "malformed" and call["answer"] == "half ?, zero , no JSON"
