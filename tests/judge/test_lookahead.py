"""Asking about the waves of a minute that still runs."""

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from liq_provider.core.candle import closes
from liq_provider.errors import StoreError
from liq_provider.exchange.bot_exchange import BotExchange
from liq_provider.exchange.wave_candles import WaveCandles
from liq_provider.judge.questions import EarlyStats
from liq_provider.measure.anomaly import Anomaly, Settled
from liq_provider.measure.waves import Strength
from liq_provider.simulator.stand_in import StandIn, asked, completion
from liq_provider.simulator.urls import ccxt_config
from tests.court import MINUTE, PAIR, Court, anomaly, confirms, no_idea, running
from tests.sidecars import until


async def test_an_answer_that_was_asked_for_early_becomes_the_verdict_of_the_settled_minute(
    court: Court,
) -> None:
    async with StandIn() as server:
        judging = court.asking(server)
        found = anomaly(court.close_ms, court.close_ms)
        early = replace(found, z=7.0, notional_usd=5e5)
        await judging.foresee([early], {"BTC": PAIR})
        await judging.foresee([early], {"BTC": PAIR})
        assert not court.verdicts()  # an opinion is no verdict
        (verdict,) = await judging.judge(confirms(found))
        assert len(server.requests) == 1
        # Asked about what was seen, recorded with what was settled.
        assert asked(server.requests[0])["liquidations"]["z"] == 7.0
        assert verdict.facts.details["z"] == 9.0 and verdict.judge == "gpt-6-luna@v1"
        assert "z 9.0" in verdict.liq_note and "$1,000,000" in verdict.liq_note
        assert judging.questions is not None
        assert judging.questions.early == EarlyStats(asked=1, used=1)
        await judging.close()


async def test_a_wave_that_turns_out_otherwise_is_asked_about_again(court: Court) -> None:
    async with StandIn() as server:
        judging = court.asking(server)
        found = anomaly(court.close_ms, court.close_ms)
        await judging.foresee([replace(found, strength=Strength.MEDIUM)], {"BTC": PAIR})
        (verdict,) = await judging.judge(confirms(found))
        assert verdict.facts.strength is Strength.STRONG
        assert len(server.requests) == 2
        await judging.close()


async def test_a_wave_that_the_settled_minute_does_not_show_gets_no_verdict(court: Court) -> None:
    async with StandIn() as server:
        judging = court.asking(server)
        await judging.foresee([anomaly(court.close_ms, court.close_ms)], {"BTC": PAIR})
        assert await judging.judge(Settled(court.close_ms, (), {}, ("bybit",))) == []
        assert judging.questions is not None
        assert judging.questions.early == EarlyStats(asked=1, unconfirmed=1)
        assert not court.verdicts()
        await judging.close()


async def test_a_look_ahead_that_fails_is_counted_and_the_settled_minute_judges(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with StandIn() as server:
        judging = court.asking(server)
        found = anomaly(court.close_ms, court.close_ms)

        async def fails(*_: Any) -> Any:
            raise StoreError("disk full")

        with monkeypatch.context() as broken:
            broken.setattr(judging._evidence, "expected", fails)
            await judging.foresee([found], {"BTC": PAIR})
        assert judging.questions is not None
        assert judging.questions.early == EarlyStats(failed=1)
        assert judging.stats.error == "disk full"
        (verdict,) = await judging.judge(confirms(found))
        assert verdict.judge == "gpt-6-luna@v1" and judging.stats.failed == 0
        await judging.close()


async def test_what_failed_early_is_asked_once_more_when_the_minute_is_settled(
    court: Court,
) -> None:
    async with StandIn() as server:
        good = server.handler

        server.handler = no_idea
        judging = court.asking(server)
        found = anomaly(court.close_ms, court.close_ms)
        await judging.foresee([found], {"BTC": PAIR})
        await until(lambda: court.reader.model_calls(0, 2**62), "the failure is on record")
        # Not every second again: the budget is for the settled minute.
        await judging.foresee([replace(found, strength=Strength.MEDIUM)], {"BTC": PAIR})
        await judging.foresee([found], {"BTC": PAIR})
        server.handler = good
        (verdict,) = await judging.judge(confirms(found))
        assert verdict.judge == "gpt-6-luna@v1"
        assert len(server.requests) == 3
        await judging.close()


async def test_the_running_candle_stands_for_the_one_that_it_will_be(court: Court) -> None:
    exchange = BotExchange("binance", ccxt_config(court.sim.url, "binance"))
    candles = WaveCandles(exchange, "1m", MINUTE, 16, *court.executors)
    now_ms = court.sim.now_ms()
    close_ms = now_ms - now_ms % MINUTE + MINUTE
    expected = await candles.expected(PAIR, close_ms)
    assert len(expected) == 16
    finished = await candles.closed(PAIR, close_ms - MINUTE)
    assert list(closes(expected)[:-1]) == list(closes(finished)[1:])


async def test_a_guess_made_just_after_the_close_is_not_taken_for_the_candle(court: Court) -> None:
    """Exchanges go on with a candle for a moment after its close."""

    class Late(BotExchange):
        price = 100.0

        def closed(self, pair: str, timeframe: str, count: int, now_ms: int) -> Any:
            return now_ms, np.full((count, 5), self.price)

    exchange = Late("binance", ccxt_config(court.sim.url, "binance"))
    candles = WaveCandles(exchange, "1m", MINUTE, 16, *court.executors)
    assert (await candles.expected(PAIR, court.close_ms))[-1, 3] == 100.0
    exchange.price = 90.0
    assert (await candles.closed(PAIR, court.close_ms))[-1, 3] == 90.0


async def test_with_the_matrix_there_is_nothing_to_begin_early(court: Court) -> None:
    court.sim.fault("binance", "http_error", seconds=60, status=500)
    await court.judging.foresee([running(court)], {"BTC": PAIR})
    assert court.judging.stats.error is None
    await court.judging.close()


async def test_a_look_that_the_settled_minute_overtook_asks_nobody(court: Court) -> None:
    async with StandIn() as server:
        judging = court.asking(server)
        await judging.judge(Settled(court.close_ms, (), {}, ("bybit",)))
        await judging.foresee([anomaly(court.close_ms, court.close_ms)], {"BTC": PAIR})
        await asyncio.sleep(0.1)
        assert not server.requests
        await judging.close()


async def test_an_answer_about_an_earlier_minute_or_another_pair_is_not_used(
    court: Court,
) -> None:
    async with StandIn() as server:
        judging = court.asking(server)
        found = anomaly(court.close_ms, court.close_ms - MINUTE)
        await judging.foresee([replace(found, close_ms=court.close_ms - MINUTE)], {"BTC": PAIR})
        await judging.judge(confirms(found))
        assert len(server.requests) == 2
        other = replace(found, wave_start_ms=court.close_ms)
        await judging.foresee([other], {"BTC": "ETH/USDT:USDT"})  # settled already: no look
        assert judging._ahead is not None
        judging._ahead._settled_ms = 0
        await judging.foresee(
            [replace(other, z=8.0, strength=Strength.MEDIUM)], {"BTC": "ETH/USDT:USDT"}
        )
        (verdict,) = await judging.judge(confirms(replace(other, strength=Strength.MEDIUM)))
        assert verdict.facts.symbol == PAIR
        # The early question may still be under way, and arrive after the one that counts.
        assert PAIR in {asked(request)["symbol"] for request in server.requests[2:]}
        await judging.close()


async def test_what_fails_while_the_settled_minute_waits_for_it_is_asked_once_more(
    court: Court,
) -> None:
    async with StandIn() as server:
        good, first = server.handler, asyncio.Event()

        async def fails(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            server.handler = good
            await first.wait()
            return web.json_response(completion("no idea"))

        server.handler = fails
        judging = court.asking(server)
        found = anomaly(court.close_ms, court.close_ms)
        await judging.foresee([found], {"BTC": PAIR})
        task = asyncio.create_task(judging.judge(confirms(found)))
        await asyncio.sleep(0.2)
        first.set()
        (verdict,) = await task
        assert verdict.judge == "gpt-6-luna@v1" and len(server.requests) == 2
        await judging.close()


def coins(court: Court, count: int) -> tuple[list[Anomaly], dict[str, str]]:
    """Waves of so many coins, the weakest first; all are compared with one pair's candles."""
    found = [
        anomaly(court.close_ms, court.close_ms, base_asset=f"C{n}", z=5.0 + n) for n in range(count)
    ]
    return found, {item.base_asset: PAIR for item in found}


@pytest.mark.parametrize(
    ("llm", "most"),
    [({"concurrency": 6}, 3), ({"concurrency": 1}, 1), ({"budget": {"calls_per_minute": 4}}, 2)],
)
async def test_asking_early_leaves_half_of_what_may_be_asked_to_the_settled_minute(
    court: Court, llm: dict[str, Any], most: int
) -> None:
    async with StandIn() as server:
        thinking = asyncio.Event()
        good = server.handler

        async def slow(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            await thinking.wait()
            return await good(request, body)

        server.handler = slow
        judging = court.asking(server, {"timeout_s": 20, **llm})
        found, pairs = coins(court, 8)
        for _ in range(3):
            # Again and again, as the running minute is looked at.
            await asyncio.gather(*(judging.foresee(found, pairs) for _ in range(2)))
        await until(lambda: len(server.requests) == most, "the strongest are asked about")
        await asyncio.sleep(0.2)
        assert len(server.requests) == most
        told = {asked(body)["liquidations"]["z"] for body in server.requests}
        assert told == {item.z for item in found[-most:]}
        # Nobody is answered before that: httpcore2 2.16 loses idle connections of a server that
        # ends in the moment in which a request is cancelled.
        await judging.close()
