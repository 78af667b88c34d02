"""The entry point of ``liq-provider simulate``."""

import asyncio
import contextlib

import aiohttp
import pytest

from liq_provider.errors import UsageError
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.serve import SimulateOptions, build_market, run
from tests.simulator.helpers import START_MS
from tests.simulator.test_recording import RECORDS


async def test_it_serves_until_cancelled_and_frees_its_port() -> None:
    ready: asyncio.Future[Simulator] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(run(SimulateOptions(port=0), ready.set_result))
    sim = await asyncio.wait_for(ready, 10)
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
