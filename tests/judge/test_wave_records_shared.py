"""Two judges of one store: what one heard against a wave holds for the other, too."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from liq_provider.judge.matrix import Action
from liq_provider.judge.wave_judge import WaveJudge
from liq_provider.simulator.stand_in_model import StandIn
from tests.judge.facts import news
from tests.judge.test_wave_records import (
    AGAINST,
    DOUBT,
    NEWER,
    NO,
    NOTHING,
    OTHER,
    SOME,
    TORN,
    YES,
    ScriptedJudge,
)
from tests.judge_rig import MINUTE, JudgeRig

NEWEST = news("Bitcoin ETF traded", "by all", "and more", "and again")


class TwoSidecars(ScriptedJudge):
    """Both began before anything was said; ``judge`` is the one whose minute it is."""

    def __init__(self, rig: JudgeRig, server: StandIn, fallback: str = "matrix") -> None:
        super().__init__(rig, server, fallback, shared=True)
        self.first, self.second = self.judge, self._sit()

    async def of(self, who: WaveJudge, *minute: Any) -> dict[str, Any]:
        """:return: see ``minute``"""
        self.judge = who
        return await self.minute(*minute)


def words(row: dict[str, Any]) -> tuple[str, str, str | None]:
    return row["judge"], row["action"], json.loads(row["inputs"]).get("failure")


@pytest.mark.parametrize("doubt", [NO, DOUBT])
@pytest.mark.parametrize("outage", [False, True])
async def test_the_matrix_does_not_stand_in_after_a_doubt_that_the_other_sidecar_heard(
    rig: JudgeRig, doubt: dict[str, str], outage: bool
) -> None:
    """Whether that one met the outage, too, or only this one."""
    async with StandIn() as server:
        two = TwoSidecars(rig, server)
        await two.of(two.first, 0, doubt, OTHER)
        if outage:
            refused = await two.of(two.first, 1, None, SOME)
            assert words(refused) == ("vetoed", "skip", "malformed")
        refused = await two.of(two.second, 2, None, NEWER)
        assert words(refused) == ("vetoed", "skip", "malformed")
        assert [row for row in rig.verdicts() if row["judge"] == "matrix"] == []
        # Both ask the model again, and hear it.
        assert (await two.of(two.second, 3, YES, NOTHING))["action"] == "enter"
        assert (await two.of(two.first, 4, YES, NEWEST))["action"] == "enter"


async def test_a_sidecar_that_takes_over_knows_the_doubts_of_the_one_that_ended(
    rig: JudgeRig,
) -> None:
    async with StandIn() as server:
        two = TwoSidecars(rig, server)
        await two.of(two.first, 0, NO, OTHER)
        assert words(await two.of(two._sit(), 1, None, SOME))[:2] == ("vetoed", "skip")
        assert words(await two.of(two.second, 2, None, NEWER))[:2] == ("vetoed", "skip")


async def test_a_matrix_that_let_a_wave_pass_is_not_confirmed_after_a_doubt(rig: JudgeRig) -> None:
    """One sidecar has no model, and the state stays the same."""
    async with StandIn() as server:
        two = TwoSidecars(rig, server)
        alone = two.prepared(rig.new())
        assert words(await two.of(alone, 0, None)) == ("matrix", "enter", None)
        await two.of(two.first, 1, NO, SOME)
        await two.judge.close()
        two.judge = alone
        await alone.judge(rig.settled(1))
        (row,) = (row for row in rig.verdicts() if row["judge"] == "matrix")
        assert row["expires_at"] == rig.close_ms + 32_000
        # In a state of which it has not said anything yet, it says why it may not.
        other = await two.of(two.prepared(rig.new()), 2, None)
        assert words(other) == ("vetoed", "skip", "doubted")


async def test_without_a_doubt_the_matrix_of_either_stands_in(rig: JudgeRig) -> None:
    async with StandIn() as server:
        two = TwoSidecars(rig, server)
        assert words(await two.of(two.first, 0, None, OTHER))[0] == "matrix"
        assert words(await two.of(two.second, 1, None, SOME))[0] == "matrix"
        assert (await two.of(two.first, 2, YES, NEWER))["action"] == "enter"
        assert words(await two.of(two.second, 3, None, NOTHING))[0] == "matrix"


@pytest.mark.parametrize("sidecars", [1, 2])
async def test_a_question_that_fails_after_a_veto_is_refused_as_the_veto(
    rig: JudgeRig, sidecars: int
) -> None:
    """The row says so by itself, should that of the veto not have been written."""
    async with StandIn() as server:
        two = TwoSidecars(rig, server)
        thinks, may_fail = asyncio.Event(), asyncio.Event()

        async def slow(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            thinks.set()
            await may_fail.wait()
            two.says = None
            return await two._answer(request, body)

        server.handler = slow
        asking = asyncio.create_task(two.first.judge(rig.settled()))
        await asyncio.wait_for(thinks.wait(), 20)
        server.handler = two._answer
        await two.of(two.first if sidecars == 1 else two.second, 0, AGAINST, OTHER)
        may_fail.set()
        (late,) = await asyncio.wait_for(asking, 20)
        assert (late.judge, late.action) == ("vetoed", Action.SKIP)
        assert late.facts.details["failure"] == "vetoed" and late.facts.details["call_id"]


@pytest.mark.parametrize("sidecars", [1, 2])
@pytest.mark.parametrize("veto", [AGAINST, TORN])
async def test_a_veto_that_comes_a_minute_late_stands_against_what_was_said_meanwhile(
    rig: JudgeRig, veto: dict[str, str], sidecars: int
) -> None:
    async with StandIn() as server:
        two = TwoSidecars(rig, server)
        thinks, may_say = asyncio.Event(), asyncio.Event()

        async def slow(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            thinks.set()
            await may_say.wait()
            two.says = veto
            return await two._answer(request, body)

        server.handler = slow
        asking = asyncio.create_task(two.first.judge(rig.settled()))
        await asyncio.wait_for(thinks.wait(), 20)
        server.handler = two._answer
        other = two.first if sidecars == 1 else two.second
        assert (await two.of(other, 1, YES, OTHER))["action"] == "enter"
        may_say.set()
        (late,) = await asyncio.wait_for(asking, 20)
        assert late.action is Action.SKIP
        assert two.read(1)["action"] == "skip", "a bot may still enter in that minute"
        assert two.read(1)["expires_at"] == rig.close_ms + MINUTE + 32_000
