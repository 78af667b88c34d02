"""Judging the anomalies of a settled minute with candles from the simulated exchange."""

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from liq_provider.judge.matrix import Action
from liq_provider.measure.waves import Strength
from liq_provider.simulator.stand_in_model import StandIn, completion
from liq_provider.store.verdict_minutes import spans_of
from tests.judge_rig import MINUTE, PAIR, JudgeRig, anomaly, confirms, no_idea
from tests.sidecars import until


async def test_a_wave_is_judged_once_and_lives_longer_when_it_is_confirmed(rig: JudgeRig) -> None:
    (first,) = await rig.judge.judge(rig.settled())
    assert await rig.judge.judge(rig.settled()) == []
    (row,) = rig.verdicts()
    assert (row["symbol"], row["strength"], row["judge"]) == (PAIR, "strong", "matrix")
    assert row["aligned"] in ("yes", "no")
    assert row["expires_at"] == rig.close_ms + 32_000
    closes = await rig.judge._cases.candles.closed(PAIR, rig.close_ms)

    async def the_same(pair: str, close_ms: int) -> Any:
        return closes

    rig.judge._cases.candles.closed = the_same  # type: ignore[method-assign]
    await rig.judge.judge(rig.settled(after=1))
    (again,) = rig.verdicts()
    assert again["expires_at"] == rig.close_ms + MINUTE + 32_000
    assert again["available_at"] == row["available_at"]

    async def gone(pair: str, close_ms: int) -> Any:
        return closes[:0]

    # What was said of a wave that price followed must not outlive what is known now.
    rig.judge._cases.candles.closed = gone  # type: ignore[method-assign]
    await rig.judge.judge(rig.settled(after=2))
    rows = {row["aligned"]: row for row in rig.verdicts()}
    assert rows[row["aligned"]]["expires_at"] == again["expires_at"]
    assert rows["unknown"]["action"] == "skip"
    assert first.row()["available_at"] == row["available_at"]


async def test_a_stronger_wave_is_judged_again(rig: JudgeRig) -> None:
    await rig.judge.judge(rig.settled(strength=Strength.MEDIUM))
    await rig.judge.judge(rig.settled())
    assert {row["strength"] for row in rig.verdicts()} == {"medium", "strong"}
    assert rig.judge.stats.judged == 2


async def test_a_restarted_sidecar_restates_nothing(rig: JudgeRig) -> None:
    await rig.judge.judge(rig.settled())
    (before,) = rig.verdicts()
    await asyncio.sleep(0.01)
    await rig.new().judge(rig.settled())
    assert rig.verdicts() == [before]


async def test_without_candles_the_verdict_is_to_skip(rig: JudgeRig) -> None:
    rig.sim.fault("binance", "http_error", seconds=60, status=500)
    (verdict,) = await rig.judge.judge(rig.settled())
    assert verdict.action is Action.SKIP
    assert rig.verdicts()[0]["aligned"] == "unknown"
    assert rig.judge.stats.without_candles == 1
    assert PAIR in (rig.judge.stats.error or "")


async def test_candles_that_come_late_are_waited_for_a_moment_only(rig: JudgeRig) -> None:
    begun = time.monotonic()
    (verdict,) = await rig.judge.judge(rig.settled(after=5))  # closes in the future
    assert rig.verdicts()[0]["aligned"] == "unknown"
    assert verdict.action is Action.SKIP
    assert time.monotonic() - begun < 5


async def test_candles_of_a_minute_are_asked_for_once(rig: JudgeRig) -> None:
    await rig.judge.judge(rig.settled(strength=Strength.MEDIUM))
    rig.sim.fault("binance", "http_error", seconds=60, status=500)
    await rig.judge.judge(rig.settled())
    assert {row["aligned"] for row in rig.verdicts()} <= {"yes", "no"}


async def test_a_coin_that_the_bots_exchange_lacks_holds_up_no_other(rig: JudgeRig) -> None:
    other = anomaly(rig.close_ms, rig.close_ms, base_asset="NOPE")
    verdicts = await rig.judge.judge(rig.settled(0, other))
    assert len(verdicts) == 2
    by_coin = {row["base_asset"]: row for row in rig.verdicts()}
    assert by_coin["NOPE"]["aligned"] == "unknown"
    assert by_coin["BTC"]["aligned"] in ("yes", "no")


async def test_a_store_that_fails_leaves_the_wave_unjudged_and_says_so(rig: JudgeRig) -> None:
    rig.wait_for_locks(0.05)
    with closing(sqlite3.connect(rig.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await rig.judge.judge(rig.settled()) == []
        assert "locked" in (rig.judge.stats.error or "")
        assert rig.judge.stats.failed == 1
        other.execute("ROLLBACK")
    assert len(await rig.judge.judge(rig.settled())) == 1


async def test_a_model_is_asked_once_per_state_of_a_wave(rig: JudgeRig) -> None:
    async with StandIn() as server:
        judge = rig.asking(server)
        (verdict,) = await judge.judge(rig.settled())
        assert await judge.judge(rig.settled()) == []
        assert verdict.judge == "gpt-6-luna@v1" and verdict.action_reason.startswith("stand-in")
        assert len(server.requests) == 1
        await judge.judge(rig.settled(strength=Strength.MEDIUM))
        assert len(server.requests) == 2
    (call, _) = rig.reader.model_calls(0, 2**62)
    assert call["outcome"] == "ok"
    assert rig.verdicts()[0]["judge"] == "gpt-6-luna@v1"


@pytest.mark.parametrize("fallback", ["skip", "matrix"])
async def test_without_an_answer_the_setting_decides_and_the_next_minute_asks_again(
    rig: JudgeRig, fallback: str
) -> None:
    async with StandIn() as server:
        good = server.handler

        server.handler = no_idea
        judge = rig.asking(server, on_llm_unavailable=fallback)
        (first,) = await judge.judge(rig.settled())
        assert first.judge == ("unavailable" if fallback == "skip" else "matrix")
        assert "malformed" in first.action_reason
        if fallback == "skip":
            assert first.action is Action.SKIP and first.downgrade == 3
        server.handler = good
        await asyncio.sleep(0.01)
        (second,) = await judge.judge(rig.settled())
        assert second.judge == "gpt-6-luna@v1"
    # What a bot reads is the newest.
    assert rig.verdicts()[-1]["judge"] == "gpt-6-luna@v1"


async def test_a_contradiction_stays_a_veto_whatever_the_setting_says(rig: JudgeRig) -> None:
    async with StandIn() as server:
        good = server.handler

        async def torn(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            answer: Any = await good(request, body)
            text = json.loads(answer.text)["choices"][0]["message"]["content"]
            said = json.loads(text) | {"action": "enter", "news": "contradicts"}
            return web.json_response(completion(json.dumps(said)))

        server.handler = torn
        (verdict,) = await rig.asking(server, on_llm_unavailable="matrix").judge(rig.settled())
    assert verdict.judge == "vetoed" and verdict.action is Action.SKIP


async def test_without_candles_no_model_is_asked(rig: JudgeRig) -> None:
    rig.sim.fault("binance", "http_error", seconds=60, status=500)
    async with StandIn() as server:
        (verdict,) = await rig.asking(server).judge(rig.settled())
        assert not server.requests
    assert verdict.judge == "matrix" and verdict.action is Action.SKIP


async def test_what_was_said_of_a_weaker_wave_does_not_stand_in_for_the_stronger(
    rig: JudgeRig,
) -> None:
    """The model lets the medium wave pass and is still thinking about the strong one."""
    async with StandIn() as server:
        judge = rig.asking(server)
        medium = anomaly(rig.close_ms, rig.close_ms, strength=Strength.MEDIUM)
        await judge.judge(confirms(medium))
        (before,) = rig.verdicts()
        thinking = asyncio.Event()
        good = server.handler

        async def slow(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            await thinking.wait()
            return await good(request, body)

        server.handler = slow
        strong = replace(medium, strength=Strength.STRONG)
        task = asyncio.create_task(judge.judge(confirms(strong)))
        await until(lambda: len(server.requests) == 2, "the strong wave is asked about")
        assert rig.verdicts() == [before]
        thinking.set()
        (verdict,) = await task
        assert verdict.facts.strength is Strength.STRONG
        await judge.close()


async def test_a_verdict_that_could_not_be_written_is_made_again(rig: JudgeRig) -> None:
    rig.wait_for_locks(0.05)
    with closing(sqlite3.connect(rig.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await rig.judge.judge(rig.settled()) == []
        other.execute("ROLLBACK")
    assert len(await rig.judge.judge(rig.settled())) == 1
    assert len(rig.verdicts()) == 1


async def test_a_restart_asks_nothing_again_but_what_failed(rig: JudgeRig) -> None:
    async with StandIn() as server:
        good = server.handler

        await rig.asking(server).judge(rig.settled())
        server.handler = no_idea
        await rig.asking(server).judge(rig.settled(strength=Strength.MEDIUM))
        assert len(server.requests) == 2
        server.handler = good
        again = rig.asking(server)
        assert await again.judge(rig.settled()) == []
        await again.foresee([anomaly(rig.close_ms, rig.close_ms)], {"BTC": PAIR})
        assert len(server.requests) == 2 and again.stats.judged == 0
        (verdict,) = await again.judge(rig.settled(strength=Strength.MEDIUM))
        assert verdict.judge == "gpt-6-luna@v1" and len(server.requests) == 3


async def test_a_wave_that_leaves_a_state_and_returns_was_not_confirmed_in_between(
    rig: JudgeRig,
) -> None:
    async with StandIn() as server:
        judge = rig.asking(server)
        closes = await rig.judge._cases.candles.closed(PAIR, rig.close_ms)

        async def the_same(pair: str, close_ms: int) -> Any:
            return closes

        judge._cases.candles.closed = the_same  # type: ignore[method-assign]
        for after, strength in enumerate((Strength.STRONG, Strength.MEDIUM, Strength.STRONG)):
            await judge.judge(rig.settled(after, strength=strength))
        strong = next(row for row in rig.verdicts() if row["strength"] == "strong")
        spans = [[(at - rig.close_ms) // MINUTE for at in s] for s in spans_of(strong, 32_000)]
        assert spans == [[0, 0], [2, 2]]
        assert strong["expires_at"] == rig.close_ms + 2 * MINUTE + 32_000
        assert len(server.requests) == 2


async def test_an_answer_whose_state_has_gone_is_a_verdict_of_its_own_minute_only(
    rig: JudgeRig,
) -> None:
    """The model thinks about the strong wave while the next minute shows a medium one."""
    async with StandIn() as server:
        judge = rig.asking(server)
        candles = await rig.judge._cases.candles.closed(PAIR, rig.close_ms)

        async def the_same(pair: str, close_ms: int) -> Any:
            return candles

        judge._cases.candles.closed = the_same  # type: ignore[method-assign]
        good, thinking = server.handler, asyncio.Event()

        async def slow(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            await thinking.wait()
            return await good(request, body)

        server.handler = slow
        first = asyncio.create_task(judge.judge(rig.settled()))
        await until(lambda: server.requests, "the strong wave is asked about")
        server.handler = good
        (medium,) = await judge.judge(rig.settled(1, strength=Strength.MEDIUM))
        thinking.set()
        (strong,) = await asyncio.wait_for(first, 20)
        assert strong.facts.close_ms == rig.close_ms
        await judge.judge(rig.settled(2, strength=Strength.MEDIUM))
        known = {row["strength"]: row for row in rig.verdicts()}
        spans = {
            strength: [[(at - rig.close_ms) // MINUTE for at in span] for span in spans_of(row, 0)]
            for strength, row in known.items()
        }
        assert spans == {"strong": [[0, 0]], "medium": [[1, 2]]}
        assert known["strong"]["expires_at"] == rig.close_ms + 32_000
        assert medium.facts.strength is Strength.MEDIUM
        await judge.close()
