"""The entry point of ``liq-provider simulate``."""

import asyncio
import contextlib

import aiohttp
import pytest

from liq_provider.core.durations import MINUTE_MS
from liq_provider.errors import UsageError
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.serve import SimulateOptions, build_market, run
from tests.simulator.helpers import START_MS
from tests.simulator.test_recording import RECORDS


async def test_it_serves_until_cancelled_and_frees_its_port() -> None:
    ready: asyncio.Future[Simulator] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(run(SimulateOptions(port=0), ready.set_result))
    sim = await asyncio.wait_for(ready, 60)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{sim.url}/sim/state") as response:
            state = await response.json()
        assert state["synthetic"] is True
        assert "SYNTHETIC" in state["banner"]
        assert {wave["name"] for wave in state["waves"]} >= set("ABCDE")
        async with session.get(f"{sim.url}/sim/tape") as response:
            assert len((await response.text()).splitlines()) > 2_000
        with pytest.raises(UsageError, match=f"127.0.0.1:{sim.port}"):
            await run(SimulateOptions(port=sim.port))
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    async with Simulator(build_market(SimulateOptions(), START_MS), sim.port):
        pass


async def test_held_waves_begin_when_it_is_asked_and_once() -> None:
    options = SimulateOptions(hold=True)
    async with (
        Simulator(build_market(options, START_MS), clock=lambda: START_MS / 1000) as sim,
        aiohttp.ClientSession() as session,
    ):
        answers = []
        for _ in range(2):
            async with session.post(f"{sim.url}/sim/begin") as response:
                answers.append(await response.json())
    minute_ms = START_MS - START_MS % MINUTE_MS
    assert answers == [
        {"ok": True, "close_ms": minute_ms + MINUTE_MS},
        {"ok": True, "close_ms": 0},
    ]


def test_a_market_without_a_script_has_nothing_to_begin() -> None:
    for options in (SimulateOptions(scenario="quiet", hold=True), SimulateOptions()):
        assert build_market(options, START_MS).begin(START_MS) == 0
    assert build_market(SimulateOptions(recording=iter(RECORDS)), START_MS).begin(START_MS) == 0


def test_a_recording_replaces_the_synthetic_market() -> None:
    market = build_market(SimulateOptions(recording=iter(RECORDS), speed=2.0), START_MS)
    assert market.describe(START_MS)["kind"] == "recording"
    with pytest.raises(UsageError, match="recording"):
        build_market(SimulateOptions(recording=[]), START_MS)
    with pytest.raises(UsageError, match="speed"):
        build_market(SimulateOptions(recording=RECORDS, speed=0), START_MS)


def test_a_quiet_market_has_no_script() -> None:
    market = build_market(SimulateOptions(scenario="quiet"), START_MS)
    assert market.describe(START_MS)["waves"] == []
