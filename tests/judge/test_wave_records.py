"""What was said of a wave holds, and what was said against it holds against everybody."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from liq_provider.config.settings import Settings
from liq_provider.core.durations import DAY_MS
from liq_provider.errors import StoreError
from liq_provider.judge.decisions import Rules, _verdict_of
from liq_provider.judge.matrix import Action, News
from liq_provider.judge.verdict import aligned_word
from liq_provider.judge.wave_judge import WaveJudge
from liq_provider.judge.wave_records import (
    AskedQuestion,
    Objection,
    Ruling,
    State,
    WaveRecord,
    WaveRecords,
)
from liq_provider.measure.waves import Strength
from liq_provider.news.desk import NewsSet
from liq_provider.simulator.stand_in_model import StandIn, asked, completion, verdict
from tests.judge.facts import CANDLES, NOW
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

    def __init__(
        self, rig: JudgeRig, server: StandIn, fallback: str = "skip", *, shared: bool = False
    ) -> None:
        self.rig = rig
        self.server = server
        self.fallback = fallback
        self.shared = shared
        self.news = SOME
        self.says: dict[str, str] | None = YES
        server.handler = self._answer
        self.judge = self._sit()

    def _sit(self) -> WaveJudge:
        return self.prepared(
            self.rig.asking(self.server, shared=self.shared, on_llm_unavailable=self.fallback)
        )

    def prepared(self, judge: WaveJudge) -> WaveJudge:
        async def the_same(pair: str, close_ms: int) -> Any:
            return CANDLES

        async def news(base_asset: str) -> NewsSet:
            return self.news

        judge._cases.candles.closed = the_same  # type: ignore[method-assign]
        judge._cases.candles.expected = the_same  # type: ignore[method-assign]
        judge._cases.news = news  # type: ignore[method-assign]
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
        return self.read(after)

    def read(self, after: int) -> dict[str, Any]:
        """:return: what a bot reads for a minute"""
        close_ms, rows = self.rig.close_ms + after * MINUTE, self.rig.verdicts()
        sign, anomalous = np.array([-1]), np.array([True])
        rules = Rules.of(Settings())
        index = _verdict_of(np.array([close_ms]), sign, anomalous, rows, rules)[0]
        assert index >= 0
        return rows[index]


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
            verdict = await scripted.minute(after, YES, news)
            assert (verdict["action"], verdict["downgrade"]) == ("skip", 3), news
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
            verdict = await scripted.minute(after, None, OTHER)
            assert (verdict["judge"], verdict["action"]) == ("vetoed", "skip")
            assert "refused before" in verdict["action_reason"]
        if before in (NO, DOUBT):
            assert (await scripted.minute(3, YES, OTHER))["action"] == "enter", "it was asked again"


async def test_a_model_that_agreed_with_the_matrix_refused_nothing(rig: JudgeRig) -> None:
    """A medium wave without news is skipped by the table; a strong one is another matter."""
    async with StandIn() as server:
        scripted = ScriptedJudge(rig, server, "matrix")
        verdict = await scripted.minute(0, NO, NOTHING, strength=Strength.MEDIUM)
        assert (verdict["judge"], verdict["action"]) == ("gpt-6-luna@v1", "skip")
        verdict = await scripted.minute(1, None, NOTHING)
        assert (verdict["judge"], verdict["action"]) == ("matrix", "enter")


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
        verdict = await scripted.minute(3, None)
        assert verdict["judge"] == "vetoed", "not what the matrix said before"


async def test_a_failed_question_is_reached_from_its_verdict(rig: JudgeRig) -> None:
    async with StandIn() as server:
        scripted = ScriptedJudge(rig, server)
        verdict = await scripted.minute(0, None)
        (call,) = rig.reader.model_calls(0, 2**62)
    inputs = json.loads(verdict["inputs"])
    assert (inputs["call_id"], inputs["failure"]) == (call["call_id"], "malformed")
    assert verdict["news_key"] == SOME.key and verdict["news"] == News.NOT_ASKED


async def test_an_answer_that_no_database_takes_is_a_failure_on_record(rig: JudgeRig) -> None:
    async with StandIn() as server:
        scripted = ScriptedJudge(rig, server)

        async def halves(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            return web.json_response(completion("half \ud83d, zero \x00, no JSON"))

        server.handler = halves
        (verdict,) = await scripted.judge.judge(rig.settled())
        (call,) = rig.reader.model_calls(0, 2**62)
    assert (verdict.judge, verdict.action) == ("unavailable", Action.SKIP)
    assert call["outcome"] == "malformed" and call["answer"] == "half ?, zero , no JSON"


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("doubt", [NO, DOUBT])
async def test_an_outage_after_a_doubt_makes_no_veto_of_it(
    rig: JudgeRig, doubt: dict[str, str], shared: bool
) -> None:
    """Whether the questions are those of several sidecars or not."""
    async with StandIn() as server:
        scripted = ScriptedJudge(rig, server, "matrix", shared=shared)
        await scripted.minute(0, doubt, OTHER)
        verdict = await scripted.minute(1, None, SOME)
        assert (verdict["judge"], verdict["action"]) == ("vetoed", "skip")
        assert (await scripted.minute(2, YES, NEWER))["action"] == "enter", "it was asked again"


@pytest.mark.parametrize("restart", [False, True])
async def test_a_veto_that_could_not_be_written_stands_in_what_is_written_next(
    rig: JudgeRig, restart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise StoreError("disk full")

    async with StandIn() as server:
        scripted = ScriptedJudge(rig, server)
        scripted.says = AGAINST
        with monkeypatch.context() as broken:
            broken.setattr(rig.writer, "put_verdicts", full)
            assert await scripted.judge.judge(rig.settled()) == []
        assert (await scripted.minute(1, YES, SOME))["judge"] == "vetoed"
        if restart:
            scripted.restart()
        asked_before = len(server.requests)
        assert (await scripted.minute(2, YES, OTHER))["judge"] == "vetoed"
        assert len(server.requests) == asked_before


# -- the record by itself -------------------------------------------------------------------

NAME = "m@v1"
WAVE = ("BTC", "SHORT", NOW)
STATE: State = ("strong", True, "news")
OTHER_STATE: State = ("medium", True, "news")
UNKNOWN_STATE: State = ("strong", None, "")


def row(judge: str = NAME, state: State = STATE, **changes: Any) -> dict[str, Any]:
    """A verdict on record, to enter as surely as the matrix does."""
    strength, aligned, key = state
    known = {"base_asset": "BTC", "direction": "SHORT", "wave_start_ms": NOW, "judge": judge}
    states = {"strength": strength, "aligned": aligned_word(aligned), "news_key": key}
    said = {"news": "supports", "action": "enter", "confidence": "high", "inputs": "{}"}
    return known | states | said | changes


def refused_because(failure: str) -> dict[str, Any]:
    inputs = json.dumps({"failure": failure})
    return row("vetoed", news="not_asked", action="skip", confidence="low", inputs=inputs)


SAID = {
    "yes": (row(), Objection.NONE),
    "unavailable": (row("unavailable", action="skip", confidence="low"), Objection.NONE),
    "less": (row(confidence="medium"), Objection.DOUBT),
    "skip": (row(news="none", action="skip", confidence="low"), Objection.DOUBT),
    "outage after a doubt": (refused_because("timeout"), Objection.DOUBT),
    "matrix after a doubt": (refused_because("doubted"), Objection.DOUBT),
    "against": (row(news="contradicts", action="skip", confidence="low"), Objection.VETO),
    "torn": (refused_because("contradictory"), Objection.VETO),
    "against before": (refused_because("vetoed"), Objection.VETO),
}


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("before", SAID)
def test_what_is_said_of_a_wave_may_veto_it_and_never_take_a_veto_back(
    before: str, said: str
) -> None:
    record = WaveRecord()
    record.heard(SAID[before][0])
    record.heard(SAID[said][0])
    assert record.objection is max(SAID[before][1], SAID[said][1])
    restored = WaveRecords(NAME, [SAID[before][0], SAID[said][0]]).of(WAVE)
    assert (restored.objection, restored.against) == (record.objection, record.against)


@pytest.mark.parametrize(
    ("objection", "model", "matrix"),
    [
        (Objection.NONE, Ruling.OPEN, Ruling.OPEN),
        (Objection.DOUBT, Ruling.OPEN, Ruling.REFUSED),
        (Objection.VETO, Ruling.REFUSED, Ruling.REFUSED),
    ],
)
def test_a_doubt_refuses_the_matrix_and_news_against_it_everybody(
    objection: Objection, model: Ruling, matrix: Ruling
) -> None:
    record = WaveRecord(objection=objection)
    assert record.ruling(STATE, reads_news=True) is model
    assert record.ruling(STATE, reads_news=False) is matrix
    # Nobody enters without candles, so there is nothing to refuse.
    assert record.ruling(UNKNOWN_STATE, reads_news=False) is Ruling.OPEN
    for state in (STATE, UNKNOWN_STATE):
        record.begin(state, NAME)
    standing = Ruling.REFUSED if objection is Objection.VETO else Ruling.STANDS
    assert record.ruling(STATE, reads_news=True) is standing
    assert record.ruling(UNKNOWN_STATE, reads_news=False) is Ruling.STANDS


def test_what_news_was_against_stands_in_its_own_state_and_refuses_the_others() -> None:
    record = WaveRecord()
    for state in (STATE, OTHER_STATE):
        record.begin(state, NAME)
    record.heard(row(news="contradicts", action="skip"))
    assert record.ruling(STATE, reads_news=True) is Ruling.STANDS
    assert record.ruling(OTHER_STATE, reads_news=True) is Ruling.REFUSED
    record.give_up(STATE)  # it could not be written
    assert record.ruling(STATE, reads_news=True) is Ruling.REFUSED


def test_a_state_is_judged_once_unless_nothing_came_of_it() -> None:
    record = WaveRecord()
    record.begin(STATE, NAME)
    assert record.ruling(STATE, reads_news=True) is Ruling.STANDS
    assert record.ruling(OTHER_STATE, reads_news=True) is Ruling.OPEN
    record.give_up(STATE)
    assert record.ruling(STATE, reads_news=True) is Ruling.OPEN


def test_after_a_restart_a_state_is_judged_that_this_judge_or_every_judge_has_judged() -> None:
    rows = [
        row(),
        row("other@v1", OTHER_STATE),
        row("unavailable", ("strong", False, "news"), action="skip", confidence="low"),
        row("matrix", UNKNOWN_STATE, news="not_asked", action="skip", confidence="low"),
    ]
    record = WaveRecords(NAME, rows).of(WAVE)
    assert record.judges == {STATE: NAME, UNKNOWN_STATE: "matrix"}


def test_all_that_is_known_of_a_wave_is_forgotten_at_once_a_day_after_it_began() -> None:
    records = WaveRecords(NAME, [row(news="contradicts", action="skip")])
    record = records.of(WAVE)
    records.settled(NOW + DAY_MS, set())
    assert records.of(WAVE) is record
    records.settled(NOW + DAY_MS + MINUTE, set())
    assert records.of(WAVE) == WaveRecord()


async def test_a_wave_that_its_minute_did_not_begin_is_forgotten_with_its_questions() -> None:
    records = WaveRecords(NAME)
    early = {wave: records.of(wave) for wave in (WAVE, ("ETH", "SHORT", NOW), ("SOL", "LONG", 7))}
    asked = {wave: asyncio.get_running_loop().create_task(asyncio.sleep(60)) for wave in early}
    for wave, record in early.items():
        record.questions["BTC/USDT:USDT", STATE] = AskedQuestion(NOW, asked[wave])  # type: ignore[arg-type]
    assert records.settled(NOW, {WAVE}) == 1
    await asyncio.sleep(0)
    assert [task.cancelled() for task in asked.values()] == [False, True, False]
    assert records.of(WAVE) is early[WAVE]
    for task in asked.values():
        task.cancel()


def test_a_wave_is_looked_at_again_when_it_changed_or_price_may_have() -> None:
    record, wave = WaveRecord(), anomaly(NOW, NOW)
    assert record.look(wave, NOW) and not record.look(wave, NOW + 14_999)
    assert record.look(replace(wave, strength=Strength.MEDIUM), NOW + 14_999)
    assert record.look(wave, NOW + 15_000) and record.look(wave, NOW + 30_000)
    assert record.look(replace(wave, close_ms=NOW + MINUTE), NOW + 30_001)
