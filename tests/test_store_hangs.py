"""A real sidecar whose PostgreSQL server is stopped in mid-flight, and asked to end meanwhile."""

import asyncio
import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from liq_provider.errors import StoreError
from liq_provider.runtime import RuntimeFiles
from liq_provider.simulator.server import Simulator
from liq_provider.store.reader import Reader

from .sidecars import Process, Time, freqtrade_config, liquidate, quiet_exchange, until
from .store import postgres

START = 1_795_350_000_000
# The bounds are 5 s each; what is on top is for a machine that does other things as well.
SLACK_S = 6.0


@dataclass
class Run:
    """What a story left; times are in seconds."""

    sent: int = 0
    to_disk_s: list[float] = field(default_factory=list)
    to_end_s: list[float] = field(default_factory=list)
    exit_codes: list[int] = field(default_factory=list)
    drained: bool = False
    orders: list[tuple[str, float]] = field(default_factory=list)
    log: str = ""


class Story:
    """One sidecar, one server, one exchange."""

    def __init__(self, sim: Simulator, base_dir: Path, store: str) -> None:
        self.run = Run()
        self.sim = sim
        self.reader = Reader(store)
        self.files = RuntimeFiles.of(store, base_dir)
        config = base_dir / "config.json"
        config.write_text(json.dumps(freqtrade_config(sim, base_dir, store=store)))
        (base_dir / "user_data").mkdir()
        self.log = base_dir / "log"
        self.process = Process(config, self.log)

    async def start(self) -> None:
        self.process.start()
        clients: Callable[[], Any] = lambda: self.sim.state()["clients"]  # noqa: E731
        await until(lambda: len(clients()) == 3, "the feeds are connected", 60)

    def send(self, count: int) -> None:
        # Each worth something else, so that each can be told from the others.
        first = self.run.sent
        for venue in ("bybit", "okx"):
            liquidate(self.sim, venue, count, 200_000.0 * (1 + first))
        self.run.sent += 2 * count

    def stored(self) -> int:
        try:
            return self.reader.count("liquidations")
        except StoreError:
            return 0

    async def all_stored(self) -> None:
        await until(lambda: self.stored() == self.run.sent, "everything is stored", 60)

    def spooled(self) -> int:
        try:
            return self.files.spool.read_bytes().count(b"\n")
        except FileNotFoundError:
            return 0

    async def on_disk(self, count: int) -> None:
        begun_s = time.monotonic()
        await until(lambda: self.spooled() >= count, f"{count} orders are on disk", 30)
        self.run.to_disk_s.append(time.monotonic() - begun_s)

    async def end(self) -> None:
        begun_s = time.monotonic()
        self.run.exit_codes.append(await self.process.end(signal.SIGTERM))
        self.run.to_end_s.append(time.monotonic() - begun_s)

    def close(self) -> None:
        self.process.close()
        self.reader.close()
        self.run.log = self.log.read_text()


async def play(base_dir: Path, server: str) -> Run:
    engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE hung"))
    engine.dispose()
    moment = Time(START + 20_000)
    async with quiet_exchange(moment) as sim:
        story = Story(sim, base_dir, f"{server}/hung")
        try:
            await story.start()
            story.send(10)
            await story.all_stored()
            # Hung, and back.
            with postgres.stopped(server):
                story.send(15)
                await story.on_disk(30)
                story.send(5)
                await story.on_disk(40)
            await story.all_stored()
            await until(lambda: not story.files.spool.exists(), "the spool is empty")
            story.run.drained = True
            # Hung, and asked to end.
            with postgres.stopped(server):
                story.send(15)
                await story.on_disk(30)
                story.send(10)
                await asyncio.sleep(1.5)  # an exchange gathers orders for up to a second
                await story.end()
                # Hung when it starts, and asked to end again.
                await story.start()
                story.send(5)
                await asyncio.sleep(1.5)
                await story.end()
                assert story.spooled() >= 60
            await story.start()
            await story.all_stored()
            table = "SELECT venue, notional_usd FROM liquidations"
            engine = create_engine(f"{server}/hung")
            with engine.connect() as connection:
                story.run.orders = [(row[0], row[1]) for row in connection.execute(text(table))]
            engine.dispose()
            await story.end()
        finally:
            story.close()
        return story.run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    bin_dir = postgres.binaries()
    if bin_dir is None:
        pytest.skip("no PostgreSQL server is installed (initdb, pg_ctl); apt install postgresql")
    with postgres.server(bin_dir) as server:
        yield asyncio.run(play(tmp_path_factory.mktemp("hung"), server))


def test_what_waits_for_a_hung_server_is_on_disk_within_seconds(run: Run) -> None:
    assert max(run.to_disk_s) < 5 + SLACK_S, run.to_disk_s


def test_a_sidecar_ends_within_seconds_although_its_server_hangs(run: Run) -> None:
    assert max(run.to_end_s) < 5 + SLACK_S, run.to_end_s
    assert set(run.exit_codes) == {0}
    assert "Traceback" not in run.log


def test_a_server_that_goes_on_is_given_what_waited(run: Run) -> None:
    assert run.drained


def test_every_order_that_was_sent_is_stored_exactly_once(run: Run) -> None:
    assert len(run.orders) == len(set(run.orders)) == run.sent
