"""Shared by the simulator's tests: a running simulator."""

import time
from collections.abc import AsyncIterator

import pytest_asyncio

from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.world import World


@pytest_asyncio.fixture
async def sim() -> AsyncIterator[Simulator]:
    """A simulator without background, so that tests see only what they publish."""
    world = World(int(time.time() * 1000), volatility=0.0, background=0.0, history_h=2)
    async with Simulator(world) as running:
        yield running
