"""Live equals replay over real sockets: simulator, feeds, ingest and settling on a fast clock."""

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest

from liq_provider.config.settings import Settings
from liq_provider.core.coverage import CoverageTracker, Interval
from liq_provider.core.doubts import Doubts
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.one_thread import OneThread
from liq_provider.measure.feature_rows import FeatureRows
from liq_provider.measure.minute_grid import FeatureParams
from liq_provider.measure.scales import EVERY_SCORE
from liq_provider.sidecar.ingest import Ingest
from liq_provider.sidecar.settle_minute import Settler
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.symbols import DEMO_SYMBOLS
from liq_provider.simulator.world import World
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.minute_features import compute
from liq_provider.store.reader import Reader
from liq_provider.store.spool import Spool
from liq_provider.store.writer import Writer
from liq_provider.stream import Feed, SilenceJudge, TimeLimits
from liq_provider.venues import VENUES
from tests.simulator.helpers import tables

pytestmark = pytest.mark.slow

SPEED = 30
MINUTES = 6
START_MS = 1_795_350_000_000 // MINUTE_MS * MINUTE_MS - 5_000
COINS = sorted(spec.coin for spec in DEMO_SYMBOLS)
COLUMNS = [name for name in FeatureRows.__dataclass_fields__ if name != "has_counts"]


class FastClock:
    """Time that begins five seconds before a minute and runs thirty times as fast."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def seconds(self) -> float:
        return START_MS / 1000 + (time.monotonic() - self._began) * SPEED

    def now_ms(self) -> int:
        return int(self.seconds() * 1000)

    async def until(self, ms: int) -> None:
        await asyncio.sleep(max(0.0, (ms - self.now_ms()) / 1000 / SPEED))


class Sidecar:
    """The sidecar's parts, without its own clock."""

    def __init__(self, url: str, spool: Path, clock: FastClock, sim: Simulator) -> None:
        self.settings = Settings()
        self.reader = Reader(url)
        self._clock = clock
        self._executor = OneThread("store")
        self._writer = Writer(open_engine(url))
        doubts = Doubts(self.settings.settle_ms)
        self._ingest = Ingest(self._writer, self._executor, Spool(spool), doubts)
        self._settler = Settler(self._writer, self.reader, self.settings)
        self._trackers = {
            venue: CoverageTracker(venue, self.settings.settle_ms) for venue in VENUES
        }
        silence, markets = SilenceJudge(), tables(sim.market)
        limits = TimeLimits(prove_wait_s=0.05)
        self.feeds = {
            name: Feed(
                VENUES[name],
                sim.ws_url(name),
                markets[name],
                clock.now_ms,
                self._ingest.put,
                self._trackers[name],
                doubts,
                silence,
                limits,
            )
            for name in VENUES
        }

    async def run(self, first_close_ms: int) -> None:
        """Connect, and settle minute by minute."""
        loop = asyncio.get_running_loop()
        tasks = [asyncio.create_task(feed.run()) for feed in self.feeds.values()]
        tasks.append(asyncio.create_task(self._ingest.run(0.02)))
        settle_ms = self.settings.settle_ms
        for close_ms in range(first_close_ms, first_close_ms + MINUTES * MINUTE_MS, MINUTE_MS):
            await self._clock.until(close_ms + settle_ms // 2)
            await asyncio.gather(*(feed.prove() for feed in self.feeds.values()))
            await self._clock.until(close_ms + settle_ms)
            await self._ingest.flush()
            heard = [venue for venue, tracker in self._trackers.items() if tracker.heard(close_ms)]
            now_ms = self._clock.now_ms()
            await loop.run_in_executor(
                self._executor, self._settler.settle, close_ms, heard, now_ms
            )
            await loop.run_in_executor(self._executor, self._settler.compute, close_ms, now_ms)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._executor.shutdown()
        self._writer.close()
        self.stats = self._ingest.stats


def remember(url: str, world: World, to_ms: int) -> None:
    """Take the day before from the world's tape."""
    markets, writer = tables(world), Writer(open_engine(url))
    first_ms = -(-world.first_ms // MINUTE_MS) * MINUTE_MS
    items = [
        Incoming(order)
        for row in world.tape(first_ms, to_ms)
        for order in VENUES[row.venue]
        .parse(row.frame, markets[row.venue], row.received_ms)
        .liquidations
    ]
    writer.import_batch(items)
    for venue in VENUES:
        writer.cover(venue, [Interval(first_ms, to_ms)], "import", to_ms)
    writer.close()


async def test_features_from_real_sockets_equal_the_replay(tmp_path: Path) -> None:
    first_close_ms = START_MS + 5_000
    world = World(START_MS, 6, background=8.0)
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    remember(url, world, first_close_ms - MINUTE_MS)
    clock = FastClock()
    async with Simulator(world, clock=clock.seconds) as sim:
        sidecar = Sidecar(url, tmp_path / "spool", clock, sim)
        await sidecar.run(first_close_ms)
    assert sidecar.stats.stored > 5 * len(VENUES)
    assert sidecar.stats.lost == 0
    from_ms, to_ms = first_close_ms, first_close_ms + (MINUTES - 1) * MINUTE_MS
    stored = sidecar.reader.features(None, from_ms, to_ms)
    params, venues = FeatureParams(), sidecar.settings.venues.enabled
    rows = covered = 0
    for item in compute(sidecar.reader, COINS, venues, params, from_ms, to_ms):
        replayed, live = item.rows(EVERY_SCORE), stored.get(item.base_asset, FeatureRows.empty())
        at = np.isin(replayed.close_ms, live.close_ms)
        assert at.sum() == len(live)
        for name in COLUMNS:
            assert np.array_equal(getattr(live, name), getattr(replayed, name)[at], equal_nan=True)
        rows += len(live)
        covered += int((live.state > 0).sum())
    assert rows > 30
    assert covered > 5
