"""The live feeds of a scripted cascade against the tape of the same seconds."""

import asyncio

from websockets.asyncio.client import ClientConnection

from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.scenario import Scenario, make_wave
from liq_provider.simulator.world import World
from liq_provider.venues import VENUES
from liq_provider.venues.frame import Frame
from tests.sidecars import until
from tests.simulator.helpers import START_MS
from tests.simulator.test_sockets import subscribed


async def test_what_was_sent_live_is_what_the_tape_says_later() -> None:
    close_ms = START_MS - START_MS % 60_000 + 60_000
    wave = make_wave("A", "runs_on", "BTCUSDT", "long", close_ms, 2_000_000.0, 300)
    world = World(START_MS, scenario=Scenario((wave,)))
    loop = asyncio.get_running_loop()
    begin: float | None = None
    from_ms = close_ms - 12_000

    def clock() -> float:
        # Time stands still until everybody listens.
        return from_ms / 1000 + (0.0 if begin is None else loop.time() - begin)

    got: dict[str, list[Frame]] = {venue: [] for venue in VENUES}
    rows = world.tape(from_ms + 1_000, from_ms + 4_500)
    assert len(rows) > 10
    async with Simulator(world, clock=clock) as sim:

        async def listen(venue: str, client: ClientConnection) -> None:
            async with client:
                async for frame in client:
                    got[venue].append(frame)

        def arrived() -> bool:
            # Half a second more than the rows take, for what would come twice.
            return sim.now_ms() >= from_ms + 5_000 and all(
                row.frame in got[row.venue] for row in rows
            )

        clients = {venue: await subscribed(sim, venue) for venue in VENUES}
        begin = loop.time()
        listeners = [asyncio.create_task(listen(*item)) for item in clients.items()]
        await until(arrived, "all has arrived")
        for task in listeners:
            task.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
    for row in rows:
        assert got[row.venue].count(row.frame) == 1
