"""
The sidecar, end to end: the real object against the simulated exchange.

One run goes through seven minutes of its own time; the tests look at what it left.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from liq_provider.errors import UsageError
from liq_provider.sidecar import exchange_polls
from liq_provider.sidecar.market_lists import markets_wait_s
from liq_provider.sidecar.service import Sidecar
from liq_provider.sidecar.sidecar_config import SidecarConfig
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.store.reader import Reader
from tests.sidecars import (
    MINUTE,
    Time,
    covered_minutes,
    liquidate,
    quiet_exchange,
    remember,
    sidecar_config,
    until,
)

START = 1_795_350_000_000  # the open of the minute in which the sidecar starts
CASCADE, HOLE, SILENCE, LOCKED, AFTER, LAST = (START + n * MINUTE for n in (1, 2, 3, 4, 5, 6))


@dataclass
class Run:
    """What was seen while it ran; the rest is in the store."""

    config: SidecarConfig
    reader: Reader
    first: dict[str, Any] = field(default_factory=dict)
    silent: dict[str, Any] = field(default_factory=dict)
    locked: dict[str, Any] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)
    ended: bool = False


async def play(base_dir: Path) -> Run:
    moment = Time(START + 20_000)
    async with quiet_exchange(moment) as sim:
        config = sidecar_config(sim, base_dir)
        remember(config.store_url, ["BTC"], START, known_min=1)
        run = Run(config, Reader(config.store_url))
        sidecar = Sidecar(config, moment.clock(), busy_timeout_s=0.2)
        working = asyncio.create_task(sidecar.run())
        try:
            await story(run, sidecar, sim, moment)
        finally:
            sidecar.stop()
            await asyncio.wait_for(working, 60)
        run.ended = True
        return run


async def story(run: Run, sidecar: Sidecar, sim: Simulator, moment: Time) -> None:
    def states() -> set[str]:
        return {feed["state"] for feed in sidecar.status()["feeds"].values()}

    def computed(close_ms: int) -> bool:
        return bool((run.reader.states(["computed_ms"]).get("computed_ms") or 0) >= close_ms)

    async def arrived(count: int) -> None:
        """Exchanges gather orders for up to a second; what a jump skips is never sent."""

        def done() -> bool:
            status = sidecar.status()
            return bool(status["stored"] + status["spooled"] >= count)

        await until(done, f"{count} liquidations have arrived")

    async def close_of(minute_ms: int) -> None:
        moment.jump_to(minute_ms + MINUTE - 200)
        await until(lambda: computed(minute_ms + MINUTE), "the minute is settled")

    await until(lambda: states() == {"live"}, "all feeds are live")
    run.first = sidecar.status()
    await close_of(START)

    for venue in ("binance", "bybit", "okx"):
        liquidate(sim, venue, 1, 2_000.0)
    await arrived(3)
    moment.jump_to(CASCADE + 20_000)
    for n in range(4):
        liquidate(sim, "bybit", 5, 40_000.0 + n)
        liquidate(sim, "okx", 1, 50_000.0 + n)
    # A trade of the minute before that arrives only now.
    liquidate(sim, "okx", 1, 3_000.0, event_ms=CASCADE - 1_000)
    await arrived(28)
    await close_of(CASCADE)
    await until(lambda: run.reader.verdicts(0, LAST + MINUTE), "a verdict")

    sim.fault("okx", "disconnect", seconds=0.5)
    sim.fault("binance", "silence", seconds=3_600)
    await until(lambda: "live" != sidecar.status()["feeds"]["okx"]["state"], "okx is gone")
    await until(lambda: states() == {"live"}, "okx is back")
    liquidate(sim, "bybit", 30, 10.0)
    await arrived(58)
    await close_of(HOLE)

    liquidate(sim, "okx", 2, 10.0)
    await arrived(60)
    await close_of(SILENCE)

    with closing(sqlite3.connect(run.config.files.prefix, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        liquidate(sim, "bybit", 5, 20.0)
        await until(lambda: sidecar.status()["feeds"]["bybit"]["liquidations"] == 56, "received")
        moment.jump_to(LOCKED + MINUTE - 200)
        await until(lambda: sidecar.status()["store_error"], "the store is found locked")
        # Until nobody may act on it any more.
        moment.jump_to(LOCKED + MINUTE + 31_000)
        await until(lambda: sidecar.status()["unsettled_minutes"], "a minute is given up")
        await until(lambda: sidecar.status()["spooled"], "what was received is kept on disk")
        run.locked = sidecar.status()
        other.execute("ROLLBACK")
    await until(lambda: not sidecar.status()["spooled"], "the spool is empty")

    liquidate(sim, "bybit", 30, 30.0)
    liquidate(sim, "okx", 30, 30.0)
    await arrived(125)
    await close_of(AFTER)
    await until(lambda: "silent" in states(), "the silence of binance is noticed")
    run.silent = sidecar.status()
    # The end comes after this minute's close and before it is settled.
    liquidate(sim, "okx", 1, 5.0)
    await arrived(126)
    moment.jump_to(LAST + MINUTE + 50)
    run.last = sidecar.status()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    base_dir = tmp_path_factory.mktemp("service")
    run = asyncio.run(play(base_dir))
    yield run
    run.reader.close()


def sums(run: Run, minute_ms: int) -> dict[str, tuple[float, int]]:
    """Per venue the long liquidations of a minute."""
    grid = run.reader.grids(["BTC"], ["binance", "bybit", "okx"], minute_ms, minute_ms + MINUTE)[
        "BTC"
    ]
    rows = zip(grid.long_usd[:, 0], grid.count[:, 0], strict=True)
    return {
        venue: (round(float(usd), -2), int(count))
        for venue, (usd, count) in zip(grid.venues, rows, strict=True)
        if count
    }


def test_liquidations_of_all_venues_are_stored(run: Run) -> None:
    cascade = sums(run, CASCADE)
    assert cascade["bybit"][1] == 21
    assert cascade["okx"][1] == 6  # the late one counts in the minute of its arrival
    assert cascade["okx"][0] == pytest.approx(2_000 + 4 * 50_000 + 3_000, rel=0.01)
    assert cascade["binance"][1] == 1
    assert run.last["booked"]["arrival"] == 1
    assert run.last["lost"] == 0


def test_only_whole_proven_minutes_are_covered(run: Run) -> None:
    covered = {
        venue: covered_minutes(run.reader, venue, START, 7) for venue in ("binance", "bybit", "okx")
    }
    # Started in the first minute; the store was locked in the fifth; ended in the last one.
    assert covered["bybit"][:6] == [False, True, True, True, False, True]
    assert covered["okx"][:6] == [False, True, False, True, False, True]
    assert not any(minutes[6] for minutes in covered.values())


def test_features_waves_and_verdicts_are_written(run: Run) -> None:
    rows = run.reader.features(["BTC"], CASCADE + MINUTE, CASCADE + MINUTE)["BTC"]
    assert len(rows.close_ms) == 1
    assert rows.long_usd[0] > 1_000_000
    assert rows.z[0] > 5
    wave = run.reader.waves(0)[-1]
    assert (wave["base_asset"], wave["direction"], wave["strength"]) == ("BTC", "SHORT", "strong")
    assert wave["start_ms"] == CASCADE + MINUTE
    (verdict,) = run.reader.verdicts(0, LAST)
    assert verdict["symbol"] == "BTC/USDT:USDT"
    assert verdict["direction"] == "SHORT"
    assert verdict["available_at"] >= CASCADE + MINUTE + 500
    assert verdict["expires_at"] == CASCADE + MINUTE + 500 + 30_000
    assert verdict["aligned"] != "unknown"  # the candles were there
    assert run.last["judge"]["judged"] == 1


def test_a_venue_that_only_acknowledges_is_found_silent(run: Run) -> None:
    assert run.first["feeds"]["binance"]["state"] == "live"
    binance = run.silent["feeds"]["binance"]
    assert binance["state"] == "silent"
    # It may have been silent since its only liquidation, in the second minute.
    assert not any(covered_minutes(run.reader, "binance", CASCADE, 5))
    assert run.silent["feeds"]["bybit"]["state"] == "live"


def test_a_store_that_fails_costs_the_minute_but_no_liquidation(run: Run) -> None:
    assert run.locked["spooled"] > 0
    assert "locked" in run.locked["store_error"]
    assert run.last["store_error"] is None
    assert sums(run, LOCKED)["bybit"][1] == 5
    assert run.last["unsettled_minutes"] == 1
    states = run.reader.states(["watermark_ms", "computed_ms"])
    assert states == {"watermark_ms": AFTER + MINUTE, "computed_ms": AFTER + MINUTE}


def test_a_clean_stop_stores_what_came_and_claims_no_minute_that_was_not_settled(run: Run) -> None:
    assert run.ended
    assert sums(run, LAST)["okx"][1] == 1
    status = run.reader.states(["sidecar"])["sidecar"]
    assert status["stored"] == run.last["stored"]
    assert {feed["state"] for feed in status["feeds"].values()} == {"down"}
    assert not run.config.files.spool.exists()


def test_market_lists_are_kept_for_the_next_start(run: Run) -> None:
    for venue in ("binance", "bybit", "okx"):
        assert len(run.reader.markets(venue)) > 5


async def test_a_store_made_with_another_min_event_usd_is_refused(run: Run) -> None:
    changed = run.config.settings.model_copy(update={"min_event_usd": 5.0})
    other = SidecarConfig(
        changed,
        run.config.store_url,
        run.config.files,
        run.config.exchange,
        run.config.timeframe,
    )
    with pytest.raises(UsageError, match="min_event_usd"):
        await asyncio.wait_for(Sidecar(other).run(), 60)


async def test_an_exchange_without_rest_stops_no_feed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Binance needs no market list; the others wait for theirs and say so."""
    moment = Time(START + 20_000)
    caplog.set_level(logging.INFO)
    async with quiet_exchange(moment) as sim:
        for venue in ("binance", "bybit", "okx"):
            sim.fault(venue, "http_error", seconds=600, status=500)
        sidecar = Sidecar(sidecar_config(sim, tmp_path), moment.clock())
        working = asyncio.create_task(sidecar.run())

        def feed(name: str) -> Any:
            return sidecar.status()["feeds"][name]

        await until(lambda: feed("binance")["state"] == "live", "binance is live")
        await until(lambda: feed("okx")["markets_error"], "the missing list is told")
        assert feed("okx")["detail"] == "waiting for the market list"
        liquidate(sim, "binance", 1, 1_000.0)
        await until(lambda: sidecar.status()["stored"] == 1, "it is stored")
        sidecar.stop()
        await asyncio.wait_for(working, 60)
    assert "Market list of okx" in caplog.text


async def test_a_clock_that_could_not_be_compared_is_compared_again_soon(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody trades by a clock that was never compared, so five minutes would be long."""
    monkeypatch.setattr(exchange_polls, "_CLOCK_RETRY_S", 0.05)
    moment = Time(START + 20_000)
    async with quiet_exchange(moment) as sim:
        for venue in ("binance", "bybit", "okx"):
            sim.fault(venue, "http_error", seconds=600, status=451)
        sidecar = Sidecar(sidecar_config(sim, tmp_path), moment.clock())
        working = asyncio.create_task(sidecar.run())

        def told() -> int:
            return sum(text.startswith("The time of") for text in caplog.messages)

        await until(told, "the failure is told")
        await asyncio.sleep(0.3)
        status = sidecar.status()
        assert (status["skew_ms"], status["skew_measured_ms"], told()) == (None, None, 1)
        refusal = await until(
            lambda: sidecar.status()["feeds"]["okx"]["markets_error"], "the list is refused"
        )
        assert markets_wait_s(refusal) == 300
        sim.clear_faults()
        await until(lambda: sidecar.status()["skew_ms"] is not None, "it was compared")
        assert abs(sidecar.status()["skew_measured_ms"] - moment.now_ms()) < 5_000
        sidecar.stop()
        await asyncio.wait_for(working, 60)
