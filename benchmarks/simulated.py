"""The simulated exchanges, in a thread of the process that asks for them."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.world import World


@contextmanager
def exchange(background: float) -> Iterator[Simulator]:
    """:param background: how many liquidations there are by themselves"""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    world = World(time.time_ns() // 1_000_000, background=background, volatility=0.0, history_h=1)
    simulator = Simulator(world)
    asyncio.run_coroutine_threadsafe(simulator.__aenter__(), loop).result(60)
    try:
        yield simulator
    finally:
        asyncio.run_coroutine_threadsafe(simulator.__aexit__(None, None, None), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
