"""Who is ready, as a running sidecar writes it down at every settled minute."""

import asyncio
import json
from pathlib import Path

import pytest

from liq_provider.core.moments import moment as words_of
from liq_provider.measure.readiness import Readiness, ReadinessReport
from liq_provider.sidecar.service import Sidecar
from liq_provider.store.reader import Reader
from tests.sidecars import MINUTE, Time, liquidate, quiet_exchange, remember, sidecar_config, until

START = 1_795_350_000_000  # the open of the minute in which the sidecar starts

Run = list[ReadinessReport]


async def play(base_dir: Path) -> Run:
    """Joined in the middle of a minute, a whole one, one with a short hole, a whole one."""
    time = Time(START + 20_000)
    reports: Run = []
    async with quiet_exchange(time) as sim:
        config = sidecar_config(sim, base_dir)
        remember(config.store_url, ["BTC"], START)
        reader = Reader(config.store_url)
        sidecar = Sidecar(config, time.clock())
        working = asyncio.create_task(sidecar.run())

        def live() -> bool:
            return all(feed["state"] == "live" for feed in sidecar.status()["feeds"].values())

        async def close_of(minute: int) -> None:
            close_ms = START + (minute + 1) * MINUTE
            time.jump_to(close_ms - 200)

            def told() -> bool:
                report = reader.states(["readiness"]).get("readiness") or {"close_ms": 0}
                return bool(report["close_ms"] == close_ms)

            await until(told, "readiness of the minute is written")
            told_json = reader.states(["readiness"])["readiness"]
            reports.append(ReadinessReport.of_json(json.loads(json.dumps(told_json))))

        try:
            await until(live, "all feeds are live")
            await close_of(0)
            await close_of(1)
            liquidate(sim, "bybit", 1, 2_000.0, symbol="ETHUSDT")
            await until(lambda: sidecar.status()["stored"] == 1, "an order of another coin")
            sim.fault("okx", "disconnect", seconds=0.2)
            await until(lambda: not live(), "okx is gone")
            await until(live, "okx is back")
            await close_of(2)
            await close_of(3)
        finally:
            sidecar.stop()
            await asyncio.wait_for(working, 60)
            reader.close()
    return reports


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return asyncio.run(play(tmp_path_factory.mktemp("readiness")))


def test_a_sidecar_that_joined_in_mid_minute_says_from_when_entries_are_possible(run: Run) -> None:
    whole = run[0].whole
    assert (whole.condition, whole.from_ms) == ("unknown", START + 2 * MINUTE)
    assert f"minute {words_of(START)} is not known (heard since {words_of(START)})" in whole.reason
    assert run[0].coins["BTC"].from_ms == START + 2 * MINUTE


def test_at_the_promised_minute_they_are(run: Run) -> None:
    assert run[1].whole.ready and run[1].coins["BTC"].ready
    assert all(venue.ready for venue in run[1].venues.values())


def test_a_socket_that_was_down_for_a_moment_is_told_with_its_minute_and_its_return(
    run: Run,
) -> None:
    okx: Readiness = run[2].venues["okx"]
    assert okx.condition == "unknown"
    assert okx.reason.startswith(f"okx: minute {words_of(START + 2 * MINUTE)} is not known (")
    assert "not connected for 0." in okx.reason or "not connected for 1." in okx.reason
    assert okx.from_ms == START + 4 * MINUTE
    assert run[2].whole.ready, "the other venues go on"
    assert run[3].venues["okx"].ready


def test_a_coin_is_known_from_the_first_minute_in_which_it_was_liquidated(run: Run) -> None:
    assert "ETH" not in run[1].coins
    assert run[2].coins["ETH"].condition == "too_thin"
