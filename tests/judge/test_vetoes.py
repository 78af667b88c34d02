"""What was said against a wave stands against everybody who knows less."""

import asyncio
import json
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from liq_provider.bot.signals import Rules, _verdict_of
from liq_provider.enrich.news import NewsSet
from liq_provider.judge.matrix import Action, News
from liq_provider.judging import Judging
from liq_provider.settings import Settings
from liq_provider.simulator.model import StandIn, asked, completion, verdict
from liq_provider.wave import Strength
from tests.court import MINUTE, PAIR, Court, anomaly, no_idea
from tests.judge.facts import CANDLES
from tests.judge.facts import news as news_set
from tests.sidecars import until

UNKNOWN = NewsSet(note="news was not asked: no answer in time")
SOME, OTHER = news_set("Bitcoin ETF approved"), news_set("Bitcoin ETF approved", "and traded")
AGAINST = {"news": "contradicts", "action": "skip", "confidence": "low"}
TORN = {"news": "contradicts", "action": "enter"}
NO = {"news": "none", "action": "skip", "confidence": "low"}
DOUBT = {"news": "none", "action": "enter", "confidence": "low"}
YES = {"news": "none", "action": "enter", "confidence": "high"}
NOTHING, NEWER = NewsSet((), "none"), news_set("Bitcoin ETF traded", "by all", "and more")


class Trial:
    """A falling market, a model that says what it is told to, news as it is set."""

    def __init__(self, court: Court, server: StandIn, fallback: str = "skip") -> None:
        self.court = court
        self.server = server
        self.fallback = fallback
        self.news = SOME
        self.says: dict[str, str] | None = YES
        server.handler = self._answer
        self.judging = self._sit()

    def _sit(self) -> Judging:
        return self.prepared(self.court.asking(self.server, on_llm_unavailable=self.fallback))

    def prepared(self, judging: Judging) -> Judging:
        async def the_same(pair: str, close_ms: int) -> Any:
            return CANDLES

        async def news(base_asset: str) -> NewsSet:
            return self.news

        judging._evidence.candles.closed = the_same  # type: ignore[method-assign]
        judging._evidence.candles.expected = the_same  # type: ignore[method-assign]
        judging._evidence.news = news  # type: ignore[method-assign]
        return judging

    def restart(self) -> None:
        self.judging = self._sit()

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
        await self.judging.judge(self.court.settled(after, strength=strength))
        await asyncio.sleep(0.002)  # the next verdict is a newer one
        close_ms, rows = self.court.close_ms + after * MINUTE, self.court.verdicts()
        sign, anomalous = np.array([-1]), np.array([True])
        rules = Rules.of(Settings())
        found = _verdict_of(np.array([close_ms]), sign, anomalous, rows, rules)[0]
        assert found >= 0
        return rows[found]


async def test_an_older_yes_does_not_hide_that_the_model_failed(court: Court) -> None:
    async with StandIn() as server:
        trial = Trial(court, server)
        assert (await trial.minute(0, None, UNKNOWN))["judge"] == "unavailable"
        assert (await trial.minute(1, YES, UNKNOWN))["action"] == "enter"
        assert (await trial.minute(2, None, SOME))["judge"] == "unavailable"
        assert (await trial.minute(3, YES, UNKNOWN))["action"] == "enter", "judged of this state"


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("before", [AGAINST, TORN])
async def test_a_wave_that_news_was_against_stays_out(
    court: Court, before: dict[str, str], restart: bool
) -> None:
    async with StandIn() as server:
        trial = Trial(court, server)
        assert (await trial.minute(0, YES, UNKNOWN))["action"] == "enter"
        assert (await trial.minute(1, YES, OTHER))["action"] == "enter"
        assert (await trial.minute(2, before))["action"] == "skip"
        if restart:
            trial.restart()
        asked_before = len(server.requests)
        # Unknown again, nothing found, a set that said yes before, a new one, and the same.
        for after, news in enumerate((UNKNOWN, NOTHING, OTHER, NEWER, SOME), 3):
            found = await trial.minute(after, YES, news)
            assert (found["action"], found["downgrade"]) == ("skip", 3), news
        assert len(server.requests) == asked_before, "the answer would not count"
        running = anomaly(court.close_ms + 9 * MINUTE, court.close_ms)
        await trial.judging.foresee([running], {"BTC": PAIR})
        assert len(server.requests) == asked_before, "nor is it asked about early"


@pytest.mark.parametrize("sidecars", [1, 2])
@pytest.mark.parametrize("veto", [AGAINST, TORN])
async def test_a_veto_that_comes_while_another_question_is_out_stands(
    court: Court, veto: dict[str, str], sidecars: int
) -> None:
    """Two sidecars, or one in two minutes, ask about one wave with different news."""
    async with StandIn() as server:
        trial = Trial(court, server)
        first = trial.judging
        if sidecars == 2:
            trial.restart()
        thinks, may_say = asyncio.Event(), asyncio.Event()

        async def slow(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            thinks.set()
            await may_say.wait()
            trial.says = YES
            return await trial._answer(request, body)

        server.handler = slow
        trial.news = SOME
        asking = asyncio.create_task(first.judge(court.settled()))
        await asyncio.wait_for(thinks.wait(), 60)
        server.handler = trial._answer
        await trial.minute(0, veto, OTHER)
        may_say.set()
        (late,) = await asyncio.wait_for(asking, 60)
        assert (late.judge, late.action) == ("vetoed", Action.SKIP)
        assert {row["action"] for row in court.verdicts()} == {"skip"}
        # The first one knows it by now, and asks no more.
        trial.judging = first
        asked_before = len(server.requests)
        assert (await trial.minute(1, YES, NEWER))["action"] == "skip"
        assert len(server.requests) == asked_before


async def test_a_contradiction_is_remembered_whatever_failed_before_it(court: Court) -> None:
    async with StandIn() as server:
        trial = Trial(court, server)
        assert (await trial.minute(0, None))["judge"] == "unavailable"
        assert (await trial.minute(1, TORN))["judge"] == "vetoed"
        trial.restart()
        assert (await trial.minute(2, YES, OTHER))["judge"] == "vetoed"


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("before", [AGAINST, TORN, NO, DOUBT])
async def test_the_matrix_does_not_take_back_what_a_model_said(
    court: Court, before: dict[str, str], restart: bool
) -> None:
    async with StandIn() as server:
        trial = Trial(court, server, "matrix")
        await trial.minute(0, before)
        if restart:
            trial.restart()
        for after in (1, 2):
            found = await trial.minute(after, None, OTHER)
            assert (found["judge"], found["action"]) == ("vetoed", "skip")
            assert "refused before" in found["action_reason"]
        if before in (NO, DOUBT):
            assert (await trial.minute(3, YES, OTHER))["action"] == "enter", "it was asked again"


async def test_a_model_that_agreed_with_the_matrix_refused_nothing(court: Court) -> None:
    """A medium wave without news is skipped by the table; a strong one is another matter."""
    async with StandIn() as server:
        trial = Trial(court, server, "matrix")
        found = await trial.minute(0, NO, NOTHING, strength=Strength.MEDIUM)
        assert (found["judge"], found["action"]) == ("gpt-6-luna@v1", "skip")
        found = await trial.minute(1, None, NOTHING)
        assert (found["judge"], found["action"]) == ("matrix", "enter")


async def test_a_sidecar_that_is_restarted_without_a_model_keeps_its_vetoes(court: Court) -> None:
    async with StandIn() as server:
        trial = Trial(court, server)
        await trial.minute(0, NO)
        trial.judging = trial.prepared(court.new())
        assert (await trial.minute(1, None))["judge"] == "vetoed"


async def test_a_contradiction_that_was_heard_early_is_not_asked_away(court: Court) -> None:
    async with StandIn() as server:
        trial = Trial(court, server, "matrix")
        trial.says = TORN
        await trial.judging.foresee([anomaly(court.close_ms, court.close_ms)], {"BTC": PAIR})
        await until(lambda: court.reader.model_calls(0, 2**62), "it is on record")
        assert (await trial.minute(0, None))["judge"] == "vetoed"
        assert len(server.requests) == 1


async def test_the_matrix_stands_in_where_nothing_was_said(court: Court) -> None:
    async with StandIn() as server:
        trial = Trial(court, server, "matrix")
        assert (await trial.minute(0, None))["judge"] == "matrix"
        assert (await trial.minute(1, None))["action"] == "enter"
        assert (await trial.minute(2, NO, OTHER))["action"] == "skip"
        found = await trial.minute(3, None)
        assert found["judge"] == "vetoed", "not what the matrix said before"


async def test_a_failed_question_is_reached_from_its_verdict(court: Court) -> None:
    async with StandIn() as server:
        trial = Trial(court, server)
        found = await trial.minute(0, None)
        (call,) = court.reader.model_calls(0, 2**62)
    inputs = json.loads(found["inputs"])
    assert (inputs["call_id"], inputs["failure"]) == (call["call_id"], "malformed")
    assert found["news_key"] == SOME.key and found["news"] == News.NOT_ASKED


async def test_an_answer_that_no_database_takes_is_a_failure_on_record(court: Court) -> None:
    async with StandIn() as server:
        trial = Trial(court, server)

        async def halves(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            return web.json_response(completion("half \ud83d, zero \x00, no JSON"))

        server.handler = halves
        (found,) = await trial.judging.judge(court.settled())
        (call,) = court.reader.model_calls(0, 2**62)
    assert (found.judge, found.action) == ("unavailable", Action.SKIP)
    assert call["outcome"] == "malformed" and call["answer"] == "half ?, zero , no JSON"
