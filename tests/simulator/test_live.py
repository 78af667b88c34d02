"""The live feeds of a scripted cascade against the tape of the same seconds."""

import asyncio

from websockets.asyncio.client import connect

from liq_provider.simulator.scenario import Scenario, make_wave
from liq_provider.simulator.server import Simulator
from liq_provider.simulator.world import World
from liq_provider.venues import VENUES

from .helpers import START_MS, tables


async def test_what_was_sent_live_is_what_the_tape_says_later() -> None:
    close_ms = START_MS - START_MS % 60_000 + 60_000
    wave = make_wave("A", "runs_on", "BTCUSDT", "long", close_ms, 2_000_000.0, 300)
    world = World(START_MS, scenario=Scenario((wave,)))
    loop = asyncio.get_running_loop()
    begin, from_ms = loop.time(), close_ms - 12_000

    def clock() -> float:
        return from_ms / 1000 + loop.time() - begin

    got: dict[str, list[str]] = {venue: [] for venue in VENUES}
    async with Simulator(world, clock=clock) as sim:

        async def listen(venue: str) -> None:
            async with connect(sim.ws_url(venue)) as client:
                for text in VENUES[venue].subscriptions(tables(world)[venue]):
                    await client.send(text)
                async for frame in client:
                    got[venue].append(str(frame))

        listeners = [asyncio.create_task(listen(venue)) for venue in VENUES]
        await asyncio.sleep(5)
        for task in listeners:
            task.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
    rows = world.tape(from_ms + 1_000, from_ms + 4_500)
    assert len(rows) > 10
    for row in rows:
        assert got[row.venue].count(row.frame) == 1
