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

from liq_provider.confirmation import spans_of
from liq_provider.judge.matrix import Action
from liq_provider.simulator.model import StandIn, completion
from liq_provider.wave import Strength

from .court import MINUTE, PAIR, Court, anomaly, confirms, no_idea
from .sidecars import until


async def test_a_wave_is_judged_once_and_lives_longer_when_it_is_confirmed(court: Court) -> None:
    (first,) = await court.judging.judge(court.settled())
    assert await court.judging.judge(court.settled()) == []
    (row,) = court.verdicts()
    assert (row["symbol"], row["strength"], row["judge"]) == (PAIR, "strong", "matrix")
    assert row["aligned"] in ("yes", "no")
    assert row["expires_at"] == court.close_ms + 32_000
    closes = await court.judging._evidence.candles.closed(PAIR, court.close_ms)

    async def the_same(pair: str, close_ms: int) -> Any:
        return closes

    court.judging._evidence.candles.closed = the_same  # type: ignore[method-assign]
    await court.judging.judge(court.settled(after=1))
    (again,) = court.verdicts()
    assert again["expires_at"] == court.close_ms + MINUTE + 32_000
    assert again["available_at"] == row["available_at"]

    async def gone(pair: str, close_ms: int) -> Any:
        return closes[:0]

    # What was said of a wave that price followed must not outlive what is known now.
    court.judging._evidence.candles.closed = gone  # type: ignore[method-assign]
    await court.judging.judge(court.settled(after=2))
    rows = {row["aligned"]: row for row in court.verdicts()}
    assert rows[row["aligned"]]["expires_at"] == again["expires_at"]
    assert rows["unknown"]["action"] == "skip"
    assert first.row()["available_at"] == row["available_at"]


async def test_a_stronger_wave_is_judged_again(court: Court) -> None:
    await court.judging.judge(court.settled(strength=Strength.MEDIUM))
    await court.judging.judge(court.settled())
    assert {row["strength"] for row in court.verdicts()} == {"medium", "strong"}
    assert court.judging.stats.judged == 2


async def test_a_restarted_sidecar_restates_nothing(court: Court) -> None:
    await court.judging.judge(court.settled())
    (before,) = court.verdicts()
    await asyncio.sleep(0.01)
    await court.new().judge(court.settled())
    assert court.verdicts() == [before]


async def test_without_candles_the_verdict_is_to_skip(court: Court) -> None:
    court.sim.fault("binance", "http_error", seconds=60, status=500)
    (verdict,) = await court.judging.judge(court.settled())
    assert verdict.action is Action.SKIP
    assert court.verdicts()[0]["aligned"] == "unknown"
    assert court.judging.stats.without_candles == 1
    assert PAIR in (court.judging.stats.error or "")


async def test_candles_that_come_late_are_waited_for_a_moment_only(court: Court) -> None:
    begun = time.monotonic()
    (verdict,) = await court.judging.judge(court.settled(after=5))  # closes in the future
    assert court.verdicts()[0]["aligned"] == "unknown"
    assert verdict.action is Action.SKIP
    assert time.monotonic() - begun < 30


async def test_candles_of_a_minute_are_asked_for_once(court: Court) -> None:
    await court.judging.judge(court.settled(strength=Strength.MEDIUM))
    court.sim.fault("binance", "http_error", seconds=60, status=500)
    await court.judging.judge(court.settled())
    assert {row["aligned"] for row in court.verdicts()} <= {"yes", "no"}


async def test_a_coin_that_the_bots_exchange_lacks_holds_up_no_other(court: Court) -> None:
    other = anomaly(court.close_ms, court.close_ms, base_asset="NOPE")
    verdicts = await court.judging.judge(court.settled(0, other))
    assert len(verdicts) == 2
    by_coin = {row["base_asset"]: row for row in court.verdicts()}
    assert by_coin["NOPE"]["aligned"] == "unknown"
    assert by_coin["BTC"]["aligned"] in ("yes", "no")


async def test_a_store_that_fails_leaves_the_wave_unjudged_and_says_so(court: Court) -> None:
    court.wait_for_locks(0.05)
    with closing(sqlite3.connect(court.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await court.judging.judge(court.settled()) == []
        assert "locked" in (court.judging.stats.error or "")
        assert court.judging.stats.failed == 1
        other.execute("ROLLBACK")
    assert len(await court.judging.judge(court.settled())) == 1


async def test_a_model_is_asked_once_per_state_of_a_wave(court: Court) -> None:
    async with StandIn() as server:
        judging = court.asking(server)
        (verdict,) = await judging.judge(court.settled())
        assert await judging.judge(court.settled()) == []
        assert verdict.judge == "gpt-6-luna@v1" and verdict.action_reason.startswith("stand-in")
        assert len(server.requests) == 1
        await judging.judge(court.settled(strength=Strength.MEDIUM))
        assert len(server.requests) == 2
    (call, _) = court.reader.model_calls(0, 2**62)
    assert call["outcome"] == "ok"
    assert court.verdicts()[0]["judge"] == "gpt-6-luna@v1"


@pytest.mark.parametrize("fallback", ["skip", "matrix"])
async def test_without_an_answer_the_setting_decides_and_the_next_minute_asks_again(
    court: Court, fallback: str
) -> None:
    async with StandIn() as server:
        good = server.handler

        server.handler = no_idea
        judging = court.asking(server, on_llm_unavailable=fallback)
        (first,) = await judging.judge(court.settled())
        assert first.judge == ("unavailable" if fallback == "skip" else "matrix")
        assert "malformed" in first.action_reason
        if fallback == "skip":
            assert first.action is Action.SKIP and first.downgrade == 3
        server.handler = good
        await asyncio.sleep(0.01)
        (second,) = await judging.judge(court.settled())
        assert second.judge == "gpt-6-luna@v1"
    # What a bot reads is the newest.
    assert court.verdicts()[-1]["judge"] == "gpt-6-luna@v1"


async def test_a_contradiction_stays_a_veto_whatever_the_setting_says(court: Court) -> None:
    async with StandIn() as server:
        good = server.handler

        async def torn(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            answer: Any = await good(request, body)
            text = json.loads(answer.text)["choices"][0]["message"]["content"]
            said = json.loads(text) | {"action": "enter", "news": "contradicts"}
            return web.json_response(completion(json.dumps(said)))

        server.handler = torn
        (verdict,) = await court.asking(server, on_llm_unavailable="matrix").judge(court.settled())
    assert verdict.judge == "vetoed" and verdict.action is Action.SKIP


async def test_without_candles_no_model_is_asked(court: Court) -> None:
    court.sim.fault("binance", "http_error", seconds=60, status=500)
    async with StandIn() as server:
        (verdict,) = await court.asking(server).judge(court.settled())
        assert not server.requests
    assert verdict.judge == "matrix" and verdict.action is Action.SKIP


async def test_what_was_said_of_a_weaker_wave_does_not_stand_in_for_the_stronger(
    court: Court,
) -> None:
    """The model lets the medium wave pass and is still thinking about the strong one."""
    async with StandIn() as server:
        judging = court.asking(server)
        medium = anomaly(court.close_ms, court.close_ms, strength=Strength.MEDIUM)
        await judging.judge(confirms(medium))
        (before,) = court.verdicts()
        thinking = asyncio.Event()
        good = server.handler

        async def slow(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            await thinking.wait()
            return await good(request, body)

        server.handler = slow
        strong = replace(medium, strength=Strength.STRONG)
        task = asyncio.create_task(judging.judge(confirms(strong)))
        await until(lambda: len(server.requests) == 2, "the strong wave is asked about")
        assert court.verdicts() == [before]
        thinking.set()
        (verdict,) = await task
        assert verdict.facts.strength is Strength.STRONG
        await judging.close()


async def test_a_verdict_that_could_not_be_written_is_made_again(court: Court) -> None:
    court.wait_for_locks(0.05)
    with closing(sqlite3.connect(court.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await court.judging.judge(court.settled()) == []
        other.execute("ROLLBACK")
    assert len(await court.judging.judge(court.settled())) == 1
    assert len(court.verdicts()) == 1


async def test_a_restart_asks_nothing_again_but_what_failed(court: Court) -> None:
    async with StandIn() as server:
        good = server.handler

        await court.asking(server).judge(court.settled())
        server.handler = no_idea
        await court.asking(server).judge(court.settled(strength=Strength.MEDIUM))
        assert len(server.requests) == 2
        server.handler = good
        again = court.asking(server)
        assert await again.judge(court.settled()) == []
        await again.foresee([anomaly(court.close_ms, court.close_ms)], {"BTC": PAIR})
        assert len(server.requests) == 2 and again.stats.judged == 0
        (verdict,) = await again.judge(court.settled(strength=Strength.MEDIUM))
        assert verdict.judge == "gpt-6-luna@v1" and len(server.requests) == 3


async def test_a_wave_that_leaves_a_state_and_returns_was_not_confirmed_in_between(
    court: Court,
) -> None:
    async with StandIn() as server:
        judging = court.asking(server)
        closes = await court.judging._evidence.candles.closed(PAIR, court.close_ms)

        async def the_same(pair: str, close_ms: int) -> Any:
            return closes

        judging._evidence.candles.closed = the_same  # type: ignore[method-assign]
        for after, strength in enumerate((Strength.STRONG, Strength.MEDIUM, Strength.STRONG)):
            await judging.judge(court.settled(after, strength=strength))
        strong = next(row for row in court.verdicts() if row["strength"] == "strong")
        spans = [[(at - court.close_ms) // MINUTE for at in s] for s in spans_of(strong, 32_000)]
        assert spans == [[0, 0], [2, 2]]
        assert strong["expires_at"] == court.close_ms + 2 * MINUTE + 32_000
        assert len(server.requests) == 2
