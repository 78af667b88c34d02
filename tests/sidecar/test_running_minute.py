"""The running minute, seen as it would be if it closed now."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from liq_provider.config.settings import Settings
from liq_provider.core.coverage import Interval
from liq_provider.dashboard.page_server import page_of
from liq_provider.measure.waves import Strength
from liq_provider.sidecar.running_minute import Running, RunningMinute
from liq_provider.sidecar.service import Sidecar
from liq_provider.simulator.stand_in_model import StandIn, well_behaved
from liq_provider.store.reader import Reader
from tests.sidecar.test_settle_minute import SETTINGS, Store, cascade
from tests.sidecars import Time, liquidate, quiet_exchange, remember, sidecar_config, until
from tests.store.helpers import MINUTE, T0, incoming

START = 1_795_350_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    store.past(40)
    yield store
    store.writer.close()


def minute(store: Store, settings: Settings = SETTINGS) -> RunningMinute:
    return RunningMinute(store.reader, settings)


def look(
    running: RunningMinute,
    venues: tuple[str, ...] = ("bybit",),
    close: int = 1,
    settled: int | None = None,
) -> Running:
    since = close - 1 if settled is None else settled
    return running.look(T0 + close * MINUTE, T0 + since * MINUTE, venues, {})


def test_what_it_shows_is_what_the_settled_minute_will_show(store: Store) -> None:
    running = minute(store)
    assert look(running).anomalies == ()
    cascade(store, 0)
    seen = look(running)
    assert seen.pairs == {"BTC": "BTC/USDT:USDT"}
    settled = store.settle(1, (0, 1))
    assert seen.anomalies == settled.anomalies


def test_a_wave_that_goes_on_keeps_its_start(store: Store) -> None:
    cascade(store, 0)
    store.settle(1, (0, 1))
    cascade(store, 1)
    running = minute(store)
    (wave,) = look(running, close=2).anomalies
    assert (wave.wave_start_ms, wave.close_ms) == (T0 + MINUTE, T0 + 2 * MINUTE)
    assert store.settle(2, (0, 2)).anomalies == (wave,)


def test_only_what_changed_is_looked_at_again(store: Store) -> None:
    running = minute(store)
    cascade(store, 0)
    assert len(look(running).anomalies) == 1
    assert look(running).anomalies == ()
    store.put(0, 100_000.0, ordinal=9)
    (grown,) = look(running).anomalies
    assert grown.count == 6


def test_a_minute_that_no_feed_covers_shows_nothing(store: Store) -> None:
    cascade(store, 0)
    assert look(minute(store), venues=()).anomalies == ()
    # OKX covers this minute, but nobody knows its past.
    assert look(minute(store), venues=("okx",)).anomalies == ()


def test_less_than_a_wave_needs_is_not_looked_at(store: Store) -> None:
    store.put(0, 100_000.0)
    assert look(minute(store)).anomalies == ()
    (wave,) = look(minute(store, SETTINGS.model_copy(update={"min_count": 1}))).anomalies
    assert wave.strength is Strength.STRONG


def test_what_may_be_large_enough_by_the_close_is_told_and_not_computed(store: Store) -> None:
    settings = SETTINGS.model_copy(update={"min_segment_usd": 100_000.0})
    running = minute(store, settings)
    store.put(0, 29_000.0)
    assert look(running).growing == {}
    store.put(0, 1_000.0, ordinal=1)
    for _ in range(2):  # again and again, as long as it is so
        seen = look(running)
        assert seen.growing == {"BTC": pytest.approx(30_000.0)} and seen.rows == {}
    for n in range(3):
        store.put(0, 100_000.0, ordinal=n + 2)
    seen = look(running)
    assert seen.growing == {} and seen.rows.keys() == {"BTC"}


def test_fills_of_the_past_count_as_in_a_settled_minute(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.past(40)
    later = Reader(store.reader.url)
    items = [incoming(T0 - 5 * MINUTE + 1, venue="okx", ordinal=n).liquidation for n in range(3)]
    store.writer.fill("okx", "BTC", Interval(T0 - 6 * MINUTE, T0 - 2 * MINUTE), items, T0)
    cascade(store, 0)
    (seen,) = RunningMinute(later, SETTINGS).look(T0 + MINUTE, T0, ("bybit", "okx"), {}).anomalies
    assert store.settle(1, (0, 1)).anomalies == (seen,)
    store.writer.close()


def test_just_after_a_close_two_minutes_are_not_settled(store: Store) -> None:
    cascade(store, 0)
    store.settle(1, (0, 1))
    store.put(1, 50_000.0)
    cascade(store, 2)
    seen = look(minute(store), close=3, settled=1)
    store.settle(2, (0, 2))
    settled = store.settle(3, (0, 3))
    (row,) = seen.rows.values()
    assert row["z"] == pytest.approx(settled.anomalies[0].z, rel=1e-12)


async def test_a_slow_model_is_asked_before_the_close_and_costs_no_candle(tmp_path: Path) -> None:
    """The real sidecar; its model answers before the close, and the verdict comes with it."""
    moment = Time(START + 20_000)
    asked_at: list[int] = []
    thinking = asyncio.Event()

    async def slow(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        asked_at.append(moment.now_ms())
        await thinking.wait()
        return await well_behaved(request, body)

    async with quiet_exchange(moment) as sim, StandIn(handler=slow) as model:
        config = sidecar_config(
            sim, tmp_path, llm={"base_url": model.url}, news={"provider": "none"}
        )
        remember(config.store_url, ["BTC"], START, known_min=1)
        reader = Reader(config.store_url)
        sidecar = Sidecar(config, moment.clock())
        working = asyncio.create_task(sidecar.run())

        def live() -> bool:
            return {f["state"] for f in sidecar.status()["feeds"].values()} == {"live"}

        await until(live, "the feeds are live")
        close_ms = START + MINUTE
        moment.jump_to(close_ms - 200)
        await until(lambda: reader.states(["computed_ms"]).get("computed_ms"), "a minute settled")
        close_ms += MINUTE
        moment.jump_to(close_ms - 40_000)
        liquidate(sim, "bybit", 20, 50_000.0)
        await until(lambda: asked_at, "the model is asked")
        thinking.set()
        await until(lambda: reader.model_calls(0, 2**62), "its answer is on record")
        moment.jump_to(close_ms - 200)
        (verdict,) = await until(lambda: reader.verdicts(0, 2**62), "the verdict")
        early = sidecar.status()["judge"]["early"]
        sidecar.stop()
        await asyncio.wait_for(working, 60)
    (asked_ms,) = asked_at
    assert asked_ms < close_ms
    assert verdict["judge"].startswith("gpt") and verdict["close_ms"] == close_ms
    # Settled half a second after the close.
    assert verdict["available_at"] >= close_ms + 500
    assert early == {"asked": 1, "used": 1, "unconfirmed": 0, "failed": 0}
    (call,) = reader.model_calls(0, 2**62)
    assert call["close_ms"] == close_ms and call["asked_ms"] < close_ms
    assert json.loads(verdict["inputs"])["call_id"] == call["call_id"]


async def test_a_clock_that_is_set_back_and_a_look_that_fails_end_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Looking ahead is a convenience; recording must go on whatever becomes of it."""
    moment = Time(START + 20_000)
    async with quiet_exchange(moment) as sim:
        config = sidecar_config(sim, tmp_path, dashboard={"port": 0})
        remember(config.store_url, ["BTC"], START, known_min=1)
        reader = Reader(config.store_url)
        sidecar = Sidecar(config, moment.clock(), make_page=page_of)
        working = asyncio.create_task(sidecar.run())

        def live() -> bool:
            return {f["state"] for f in sidecar.status()["feeds"].values()} == {"live"}

        await until(live, "the feeds are live")
        moment.jump_to(START + MINUTE - 200)
        await until(lambda: reader.states(["computed_ms"]).get("computed_ms"), "a minute settled")
        liquidate(sim, "bybit", 20, 50_000.0)
        await asyncio.sleep(1.0)
        sidecar._clock._wall_ms = lambda: moment.now_ms() - 80_000  # type: ignore[method-assign]
        await asyncio.sleep(1.5)
        assert not working.done()
        sidecar._clock._wall_ms = moment.now_ms  # type: ignore[method-assign]

        def broken(*_: object) -> Running:
            raise KeyError("BTC")

        sidecar._running._minute.look = broken  # type: ignore[method-assign]
        await until(lambda: "Looking at the running minute failed" in caplog.text, "it is logged")
        assert not working.done() and live()
        assert sidecar.status()["looks_failed"] > 0
        sidecar.stop()
        await asyncio.wait_for(working, 60)
