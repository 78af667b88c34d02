"""The simulated exchanges, in a thread of the process that asks for them."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.many_symbols import many_symbols
from liq_provider.simulator.symbols import DEMO_SYMBOLS
from liq_provider.simulator.world import World

_DEMO_BASES = tuple(spec.base for spec in DEMO_SYMBOLS)


@contextmanager
def exchange(background: float, pairs: int = len(DEMO_SYMBOLS)) -> Iterator[Simulator]:
    """
    :param background: how many liquidations there are by themselves
    :param pairs: that it lists, those of the demo first
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    bases = _DEMO_BASES + tuple(f"COIN{number}" for number in range(pairs))
    symbols, start_ms = many_symbols(bases[:pairs]), time.time_ns() // 1_000_000
    world = World(start_ms, 1, symbols, 1.0, background=background, volatility=0.0)
    simulator = Simulator(world)
    asyncio.run_coroutine_threadsafe(simulator.__aenter__(), loop).result(60)
    try:
        yield simulator
    finally:
        asyncio.run_coroutine_threadsafe(simulator.__aexit__(None, None, None), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
