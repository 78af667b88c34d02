"""Judging the anomalies of a settled minute with candles from the simulated exchange."""

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from aiohttp import web

from liq_provider.confirmation import spans_of
from liq_provider.enrich.candles import Candles
from liq_provider.enrich.evidence import Evidence
from liq_provider.enrich.exchange import BotExchange
from liq_provider.judge.matrix import Action
from liq_provider.judge.model import ModelJudge
from liq_provider.judge.questions import Questions
from liq_provider.judging import Judging
from liq_provider.pipeline import Anomaly
from liq_provider.settings import Settings, load_settings
from liq_provider.settling import Settled
from liq_provider.simulator.model import StandIn, asked, completion
from liq_provider.simulator.server import Simulator
from liq_provider.simulator.urls import ccxt_config
from liq_provider.simulator.world import World
from liq_provider.store.engine import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from liq_provider.verdictlog import VerdictLog
from liq_provider.wave import Strength

from .sidecars import until

MINUTE = 60_000
PAIR = "BTC/USDT:USDT"


class Court:
    """A judge with a store and an exchange of its own."""

    def __init__(self, sim: Simulator, directory: Path) -> None:
        self.path = directory / "store.sqlite"
        url = f"sqlite:///{self.path}"
        self.sim = sim
        self.writer = Writer(open_engine(url, busy_timeout_s=0.05))
        self.reader = Reader(url)
        self.executors = ThreadPoolExecutor(1), ThreadPoolExecutor(2)
        self.close_ms = sim.now_ms() // MINUTE * MINUTE
        self._began_s = time.monotonic()
        self.models: list[ModelJudge] = []
        self.judging = self.new()

    def now_ms(self) -> int:
        """Two seconds after the close when it begins, wherever in a minute the tests run."""
        return self.close_ms + 2_000 + round((time.monotonic() - self._began_s) * 1000)

    def new(self, settings: Settings | None = None, model: ModelJudge | None = None) -> Judging:
        settings = settings or Settings()
        store, asking = self.executors
        exchange = BotExchange("binance", ccxt_config(self.sim.url, "binance"))
        candles = Candles(exchange, "1m", MINUTE, settings.trend_candles + 1, asking, asking)
        return Judging(
            VerdictLog(self.writer, store, self.now_ms),
            Evidence(candles, None, settings),
            settings,
            self.now_ms,
            None if model is None else Questions(model, self.now_ms),
            self.reader.verdicts(0, self.now_ms()),
        )

    def asking(self, server: StandIn, llm: dict[str, Any] | None = None, **section: Any) -> Judging:
        """A model judges, by what ``server`` answers."""
        model_section = {"base_url": server.url, "timeout_s": 2, **(llm or {})}
        settings = load_settings({"liq_provider": {"llm": model_section, **section}}, {})

        async def keep(row: dict[str, Any]) -> None:
            self.writer.put_model_call(row)

        model = ModelJudge(settings.llm, "1m", self.now_ms, keep)
        model.prepare()
        self.models.append(model)
        return self.new(settings, model)

    def settled(self, after: int = 0, *others: Anomaly, **changes: Any) -> Settled:
        """The close of a wave's minute, ``after`` minutes into it."""
        found = anomaly(self.close_ms + after * MINUTE, self.close_ms, **changes)
        pairs = {"BTC": PAIR, "NOPE": "NOPE/USDT:USDT"}
        return Settled(found.close_ms, (found, *others), pairs, ("bybit",))

    def verdicts(self) -> list[dict[str, Any]]:
        return self.reader.verdicts(0, self.close_ms + 60 * MINUTE)


def anomaly(close_ms: int, wave_start_ms: int, **changes: Any) -> Anomaly:
    values: dict[str, Any] = {
        "base_asset": "BTC",
        "close_ms": close_ms,
        "direction": "SHORT",
        "strength": Strength.STRONG,
        "z": 9.0,
        "purity": 0.95,
        "notional_usd": 1e6,
        "long_usd": 9.5e5,
        "short_usd": 5e4,
        "count": 30,
        "wave_start_ms": wave_start_ms,
    }
    return Anomaly(**(values | changes))


@pytest_asyncio.fixture
async def court(tmp_path: Path) -> AsyncIterator[Court]:
    world = World(int(time.time() * 1000), background=0.0, history_h=2)
    async with Simulator(world) as sim:
        found = Court(sim, tmp_path)
        yield found
        for model in found.models:
            await model.close()
        for executor in found.executors:
            executor.shutdown()
        found.writer.close()


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
    assert time.monotonic() - begun < 5


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
    with closing(sqlite3.connect(court.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await court.judging.judge(court.settled()) == []
        assert "locked" in (court.judging.stats.error or "")
        other.execute("ROLLBACK")
    assert len(await court.judging.judge(court.settled())) == 1


async def test_a_model_is_asked_once_per_state_of_a_wave(court: Court) -> None:
    async with StandIn() as server:
        judging = court.asking(server)
        (verdict,) = await judging.judge(court.settled())
        assert await judging.judge(court.settled()) == []
        assert verdict.judge == "gpt-4.1-mini@v1" and verdict.action_reason.startswith("stand-in")
        assert len(server.requests) == 1
        await judging.judge(court.settled(strength=Strength.MEDIUM))
        assert len(server.requests) == 2
    (call, _) = court.reader.model_calls(0, 2**62)
    assert call["outcome"] == "ok"
    assert court.verdicts()[0]["judge"] == "gpt-4.1-mini@v1"


@pytest.mark.parametrize("fallback", ["skip", "matrix"])
async def test_without_an_answer_the_setting_decides_and_the_next_minute_asks_again(
    court: Court, fallback: str
) -> None:
    async with StandIn() as server:
        good = server.handler

        async def broken(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            return web.json_response(completion("no idea"))

        server.handler = broken
        judging = court.asking(server, on_llm_unavailable=fallback)
        (first,) = await judging.judge(court.settled())
        assert first.judge == ("unavailable" if fallback == "skip" else "matrix")
        assert "malformed" in first.action_reason
        if fallback == "skip":
            assert first.action is Action.SKIP and first.downgrade == 3
        server.handler = good
        await asyncio.sleep(0.01)
        (second,) = await judging.judge(court.settled())
        assert second.judge == "gpt-4.1-mini@v1"
    # What a bot reads is the newest.
    assert court.verdicts()[-1]["judge"] == "gpt-4.1-mini@v1"


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
    assert verdict.judge == "unavailable" and verdict.action is Action.SKIP


async def test_without_candles_no_model_is_asked(court: Court) -> None:
    court.sim.fault("binance", "http_error", seconds=60, status=500)
    async with StandIn() as server:
        (verdict,) = await court.asking(server).judge(court.settled())
        assert not server.requests
    assert verdict.judge == "matrix" and verdict.action is Action.SKIP


def running(court: Court, after: int = 1, **changes: Any) -> Anomaly:
    """A wave that begins with the minute that is not closed yet."""
    close_ms = court.close_ms + after * MINUTE
    return anomaly(close_ms, close_ms, **changes)


def confirms(*found: Anomaly) -> Settled:
    return Settled(found[0].close_ms, found, {"BTC": PAIR}, ("bybit",))


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
        assert verdict.facts.details["z"] == 9.0 and verdict.judge == "gpt-4.1-mini@v1"
        assert "z 9.0" in verdict.liq_note and "$1,000,000" in verdict.liq_note
        assert judging.questions is not None
        assert judging.questions.early.report() == {"asked": 1, "used": 1, "unconfirmed": 0}
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
        assert judging.questions.early.report() == {"asked": 1, "used": 0, "unconfirmed": 1}
        assert not court.verdicts()
        await judging.close()


async def test_what_failed_early_is_asked_once_more_when_the_minute_is_settled(
    court: Court,
) -> None:
    async with StandIn() as server:
        good = server.handler

        async def broken(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            return web.json_response(completion("no idea"))

        server.handler = broken
        judging = court.asking(server)
        found = anomaly(court.close_ms, court.close_ms)
        await judging.foresee([found], {"BTC": PAIR})
        await until(lambda: court.reader.model_calls(0, 2**62), "the failure is on record")
        # Not every second again: the budget is for the settled minute.
        await judging.foresee([replace(found, strength=Strength.MEDIUM)], {"BTC": PAIR})
        await judging.foresee([found], {"BTC": PAIR})
        server.handler = good
        (verdict,) = await judging.judge(confirms(found))
        assert verdict.judge == "gpt-4.1-mini@v1"
        assert len(server.requests) == 3
        await judging.close()


async def test_the_running_candle_stands_for_the_one_that_it_will_be(court: Court) -> None:
    exchange = BotExchange("binance", ccxt_config(court.sim.url, "binance"))
    candles = Candles(exchange, "1m", MINUTE, 16, *court.executors)
    now_ms = court.sim.now_ms()
    close_ms = now_ms - now_ms % MINUTE + MINUTE
    expected = await candles.expected(PAIR, close_ms)
    assert len(expected) == 16
    finished = await candles.closed(PAIR, close_ms - MINUTE)
    assert list(expected[:-1]) == list(finished[1:])


async def test_a_guess_made_just_after_the_close_is_not_taken_for_the_candle(court: Court) -> None:
    """Exchanges go on with a candle for a moment after its close."""

    class Late(BotExchange):
        price = 100.0

        def closes(self, pair: str, timeframe: str, candles: int, now_ms: int) -> Any:
            return now_ms, np.full(candles, self.price)

    exchange = Late("binance", ccxt_config(court.sim.url, "binance"))
    candles = Candles(exchange, "1m", MINUTE, 16, *court.executors)
    assert (await candles.expected(PAIR, court.close_ms))[-1] == 100.0
    exchange.price = 90.0
    assert (await candles.closed(PAIR, court.close_ms))[-1] == 90.0


async def test_with_the_matrix_there_is_nothing_to_begin_early(court: Court) -> None:
    court.sim.fault("binance", "http_error", seconds=60, status=500)
    await court.judging.foresee([running(court)], {"BTC": PAIR})
    assert court.judging.stats.error is None
    await court.judging.close()


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
    with closing(sqlite3.connect(court.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await court.judging.judge(court.settled()) == []
        other.execute("ROLLBACK")
    assert len(await court.judging.judge(court.settled())) == 1
    assert len(court.verdicts()) == 1


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
        assert asked(server.requests[-1])["symbol"] == PAIR
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
        assert verdict.judge == "gpt-4.1-mini@v1" and len(server.requests) == 2
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
        thinking.set()
        await judging.close()


async def test_a_restart_asks_nothing_again_but_what_failed(court: Court) -> None:
    async with StandIn() as server:
        good = server.handler

        async def broken(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            return web.json_response(completion("no idea"))

        await court.asking(server).judge(court.settled())
        server.handler = broken
        await court.asking(server).judge(court.settled(strength=Strength.MEDIUM))
        assert len(server.requests) == 2
        server.handler = good
        again = court.asking(server)
        assert await again.judge(court.settled()) == []
        await again.foresee([anomaly(court.close_ms, court.close_ms)], {"BTC": PAIR})
        assert len(server.requests) == 2 and again.stats.judged == 0
        (verdict,) = await again.judge(court.settled(strength=Strength.MEDIUM))
        assert verdict.judge == "gpt-4.1-mini@v1" and len(server.requests) == 3


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
