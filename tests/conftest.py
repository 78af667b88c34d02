"""What several modules of the tests use."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from liq_provider.simulator.server import Simulator
from liq_provider.simulator.world import World

from .court import Court


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
