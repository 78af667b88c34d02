"""Asking about the waves of a minute that still runs."""

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from liq_provider.core.candle_columns import closes
from liq_provider.errors import StoreError
from liq_provider.exchange.bot_exchange import BotExchange
from liq_provider.exchange.wave_candles import WaveCandles
from liq_provider.judge.questions import EarlyStats
from liq_provider.measure.minute_results import Anomaly, Settled
from liq_provider.measure.waves import Strength
from liq_provider.simulator.stand_in_model import StandIn, asked, completion
from liq_provider.simulator.urls import ccxt_config
from tests.judge_rig import MINUTE, PAIR, JudgeRig, anomaly, confirms, no_idea, running
from tests.sidecars import until


async def test_an_answer_that_was_asked_for_early_becomes_the_verdict_of_the_settled_minute(
    rig: JudgeRig,
) -> None:
    async with StandIn() as server:
        judge = rig.asking(server)
        wave = anomaly(rig.close_ms, rig.close_ms)
        early = replace(wave, z=7.0, notional_usd=5e5)
        await judge.foresee([early], {"BTC": PAIR})
        await judge.foresee([early], {"BTC": PAIR})
        assert not rig.verdicts()  # an opinion is no verdict
        (verdict,) = await judge.judge(confirms(wave))
        assert len(server.requests) == 1
        # Asked about what was seen, recorded with what was settled.
        assert asked(server.requests[0])["liquidations"]["z"] == 7.0
        assert verdict.facts.details["z"] == 9.0 and verdict.judge == "gpt-6-luna@v1"
        assert "z 9.0" in verdict.liq_note and "$1,000,000" in verdict.liq_note
        assert judge.questions is not None
        assert judge.questions.early == EarlyStats(asked=1, used=1)
        await judge.close()


async def test_a_wave_that_turns_out_otherwise_is_asked_about_again(rig: JudgeRig) -> None:
    async with StandIn() as server:
        judge = rig.asking(server)
        wave = anomaly(rig.close_ms, rig.close_ms)
        await judge.foresee([replace(wave, strength=Strength.MEDIUM)], {"BTC": PAIR})
        (verdict,) = await judge.judge(confirms(wave))
        assert verdict.facts.strength is Strength.STRONG
        assert len(server.requests) == 2
        await judge.close()


async def test_a_wave_that_the_settled_minute_does_not_show_gets_no_verdict(rig: JudgeRig) -> None:
    async with StandIn() as server:
        judge = rig.asking(server)
        await judge.foresee([anomaly(rig.close_ms, rig.close_ms)], {"BTC": PAIR})
        assert await judge.judge(Settled(rig.close_ms, (), {}, ("bybit",))) == []
        assert judge.questions is not None
        assert judge.questions.early == EarlyStats(asked=1, unconfirmed=1)
        assert not rig.verdicts()
        await judge.close()


async def test_a_look_ahead_that_fails_is_counted_and_the_settled_minute_judges(
    rig: JudgeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with StandIn() as server:
        judge = rig.asking(server)
        wave = anomaly(rig.close_ms, rig.close_ms)

        async def fails(*_: Any) -> Any:
            raise StoreError("disk full")

        with monkeypatch.context() as broken:
            broken.setattr(judge._cases, "expected", fails)
            await judge.foresee([wave], {"BTC": PAIR})
        assert judge.questions is not None
        assert judge.questions.early == EarlyStats(failed=1)
        assert judge.stats.error == "disk full"
        (verdict,) = await judge.judge(confirms(wave))
        assert verdict.judge == "gpt-6-luna@v1" and judge.stats.failed == 0
        await judge.close()


async def test_what_failed_early_is_asked_once_more_when_the_minute_is_settled(
    rig: JudgeRig,
) -> None:
    async with StandIn() as server:
        good = server.handler

        server.handler = no_idea
        judge = rig.asking(server)
        wave = anomaly(rig.close_ms, rig.close_ms)
        await judge.foresee([wave], {"BTC": PAIR})
        await until(lambda: rig.reader.model_calls(0, 2**62), "the failure is on record")
        # Not every second again: the budget is for the settled minute.
        await judge.foresee([replace(wave, strength=Strength.MEDIUM)], {"BTC": PAIR})
        await judge.foresee([wave], {"BTC": PAIR})
        server.handler = good
        (verdict,) = await judge.judge(confirms(wave))
        assert verdict.judge == "gpt-6-luna@v1"
        assert len(server.requests) == 3
        await judge.close()


async def test_the_running_candle_stands_for_the_one_that_it_will_be(rig: JudgeRig) -> None:
    exchange = BotExchange("binance", ccxt_config(rig.sim.url, "binance"))
    candles = WaveCandles(exchange, "1m", MINUTE, 16, *rig.executors)
    now_ms = rig.sim.now_ms()
    close_ms = now_ms - now_ms % MINUTE + MINUTE
    expected = await candles.expected(PAIR, close_ms)
    assert len(expected) == 16
    finished = await candles.closed(PAIR, close_ms - MINUTE)
    assert list(closes(expected)[:-1]) == list(closes(finished)[1:])


async def test_a_guess_made_just_after_the_close_is_not_taken_for_the_candle(rig: JudgeRig) -> None:
    """Exchanges go on with a candle for a moment after its close."""

    class Late(BotExchange):
        price = 100.0

        def closed(self, pair: str, timeframe: str, count: int, now_ms: int) -> Any:
            return now_ms, np.full((count, 5), self.price)

    exchange = Late("binance", ccxt_config(rig.sim.url, "binance"))
    candles = WaveCandles(exchange, "1m", MINUTE, 16, *rig.executors)
    assert (await candles.expected(PAIR, rig.close_ms))[-1, 3] == 100.0
    exchange.price = 90.0
    assert (await candles.closed(PAIR, rig.close_ms))[-1, 3] == 90.0


async def test_with_the_matrix_there_is_nothing_to_begin_early(rig: JudgeRig) -> None:
    rig.sim.fault("binance", "http_error", seconds=60, status=500)
    await rig.judge.foresee([running(rig)], {"BTC": PAIR})
    assert rig.judge.stats.error is None
    await rig.judge.close()


async def test_a_look_that_the_settled_minute_overtook_asks_nobody(rig: JudgeRig) -> None:
    async with StandIn() as server:
        judge = rig.asking(server)
        await judge.judge(Settled(rig.close_ms, (), {}, ("bybit",)))
        await judge.foresee([anomaly(rig.close_ms, rig.close_ms)], {"BTC": PAIR})
        await asyncio.sleep(0.1)
        assert not server.requests
        await judge.close()


async def test_an_answer_about_an_earlier_minute_or_another_pair_is_not_used(
    rig: JudgeRig,
) -> None:
    async with StandIn() as server:
        judge = rig.asking(server)
        judge.questions._life_ms = 5 * MINUTE  # the earlier minute is no longer worth a question
        wave = anomaly(rig.close_ms, rig.close_ms - MINUTE)
        await judge.foresee([replace(wave, close_ms=rig.close_ms - MINUTE)], {"BTC": PAIR})
        await judge.judge(confirms(wave))
        assert len(server.requests) == 2
        other = replace(wave, wave_start_ms=rig.close_ms)
        await judge.foresee([other], {"BTC": "ETH/USDT:USDT"})  # settled already: no look
        judge._ahead._settled_ms = 0
        await judge.foresee(
            [replace(other, z=8.0, strength=Strength.MEDIUM)], {"BTC": "ETH/USDT:USDT"}
        )
        (verdict,) = await judge.judge(confirms(replace(other, strength=Strength.MEDIUM)))
        assert verdict.facts.symbol == PAIR
        # The early question may still be under way, and arrive after the one that counts.
        assert PAIR in {asked(request)["symbol"] for request in server.requests[2:]}
        await judge.close()


async def test_what_could_not_be_used_any_more_is_not_asked_early(rig: JudgeRig) -> None:
    async with StandIn() as server:
        judge = rig.asking(server)
        early = rig.close_ms - MINUTE
        await judge.foresee([anomaly(early, early)], {"BTC": PAIR})
        await until(lambda: judge.asked.report()["failures"], "it was too late")  # type: ignore[index]
        assert judge.asked.report()["failures"] == {"too late": 1}  # type: ignore[index]
        assert not server.requests
        await judge.close()


async def test_what_fails_while_the_settled_minute_waits_for_it_is_asked_once_more(
    rig: JudgeRig,
) -> None:
    async with StandIn() as server:
        good, first = server.handler, asyncio.Event()

        async def fails(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            server.handler = good
            await first.wait()
            return web.json_response(completion("no idea"))

        server.handler = fails
        judge = rig.asking(server)
        wave = anomaly(rig.close_ms, rig.close_ms)
        await judge.foresee([wave], {"BTC": PAIR})
        task = asyncio.create_task(judge.judge(confirms(wave)))
        await asyncio.sleep(0.2)
        first.set()
        (verdict,) = await task
        assert verdict.judge == "gpt-6-luna@v1" and len(server.requests) == 2
        await judge.close()


def coins(rig: JudgeRig, count: int) -> tuple[list[Anomaly], dict[str, str]]:
    """Waves of so many coins, the weakest first; all are compared with one pair's candles."""
    waves = [
        anomaly(rig.close_ms, rig.close_ms, base_asset=f"C{n}", z=5.0 + n) for n in range(count)
    ]
    return waves, {item.base_asset: PAIR for item in waves}


@pytest.mark.parametrize(
    ("llm", "most"),
    [({"concurrency": 6}, 3), ({"concurrency": 1}, 1), ({"budget": {"calls_per_minute": 4}}, 2)],
)
async def test_asking_early_leaves_half_of_what_may_be_asked_to_the_settled_minute(
    rig: JudgeRig, llm: dict[str, Any], most: int
) -> None:
    async with StandIn() as server:
        thinking = asyncio.Event()
        good = server.handler

        async def slow(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            await thinking.wait()
            return await good(request, body)

        server.handler = slow
        judge = rig.asking(server, {"timeout_s": 20, **llm})
        waves, pairs = coins(rig, 8)
        for _ in range(3):
            # Again and again, as the running minute is looked at.
            await asyncio.gather(*(judge.foresee(waves, pairs) for _ in range(2)))
        await until(lambda: len(server.requests) == most, "the strongest are asked about")
        await asyncio.sleep(0.2)
        assert len(server.requests) == most
        told = {asked(body)["liquidations"]["z"] for body in server.requests}
        assert told == {item.z for item in waves[-most:]}
        # Nobody is answered before that: httpcore2 2.16 loses idle connections of a server that
        # ends in the moment in which a request is cancelled.
        await judge.close()


async def test_nothing_is_asked_early_while_the_minute_before_may_be_about_to_ask_the_same(
    rig: JudgeRig,
) -> None:
    """Candles may take a second after the close, and the next minute is looked at by then."""
    async with StandIn() as server:
        judge = rig.asking(server)
        candles = await rig.judge._cases.candles.closed(PAIR, rig.close_ms)
        arrived = asyncio.Event()

        async def slow(pair: str, close_ms: int) -> Any:
            await arrived.wait()
            return candles

        async def the_same(pair: str, close_ms: int) -> Any:
            return candles

        judge._cases.candles.closed = slow  # type: ignore[method-assign]
        judge._cases.candles.expected = the_same  # type: ignore[method-assign]
        wave = anomaly(rig.close_ms, rig.close_ms)
        await judge.foresee([wave], {"BTC": PAIR})
        await until(lambda: server.requests, "it is asked about early")
        settling = asyncio.create_task(judge.judge(confirms(wave)))
        await asyncio.sleep(0.05)
        following = replace(wave, close_ms=rig.close_ms + MINUTE)
        await judge.foresee([following], {"BTC": PAIR})
        arrived.set()
        (verdict,) = await settling
        assert verdict.judge == "gpt-6-luna@v1"
        await judge.foresee([following], {"BTC": PAIR})
        await asyncio.sleep(0.1)
        assert len(server.requests) == 1, "judged of this state"
        await judge.close()
