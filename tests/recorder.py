"""A real sidecar, an exchange that sends it orders, and what became of them."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import text

from liq_provider.errors import StoreError
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.store.database import open_engine, store_errors
from liq_provider.store.reader import Reader
from tests.sidecars import Process, Time, freqtrade_config, liquidate, quiet_exchange, until

START = 1_795_350_000_000


class Recorder:
    """
    :ivar sent: orders so far
    :ivar ends_s: how long each end took
    """

    def __init__(self, sim: Simulator, base_dir: Path, store: str) -> None:
        self.sent = 0
        self.ends_s: list[float] = []
        self.store = store
        self.files = SidecarFiles.of(store, base_dir)
        self.files.prefix.parent.mkdir(exist_ok=True)
        self._sim = sim
        self._reader = Reader(store)
        self._config = config = base_dir / "config.json"
        config.write_text(json.dumps(freqtrade_config(sim, base_dir, store=store)))
        self._log = base_dir / "log"
        self.process = Process(config, self._log)

    @property
    def log(self) -> str:
        """What it said so far."""
        return self._log.read_text()

    async def start(self) -> None:
        self.process.start()
        await until(self._connected, "the feeds are connected", 60)

    def _connected(self) -> bool:
        assert self.process.alive, self.log
        return len(self._sim.state()["clients"]) == 3  # type: ignore[arg-type]

    async def end(self, number: int = signal.SIGTERM) -> int:
        begun_s = time.monotonic()
        code = await self.process.end(number)
        self.ends_s.append(time.monotonic() - begun_s)
        return code

    def send(self, count: int) -> None:
        """As many on each of two venues; each worth something else than any other."""
        for venue in ("bybit", "okx"):
            liquidate(self._sim, venue, count, 200_000.0 * (1 + self.sent))
        self.sent += 2 * count

    def orders(self) -> list[tuple[str, float]]:
        """What is in the store, once for each time that it is there."""
        engine = open_engine(self.store, read_only=True)
        try:
            with store_errors("Looking"), engine.connect() as connection:
                query = text("SELECT venue, notional_usd FROM liquidations")
                return [(row[0], row[1]) for row in connection.execute(query)]
        finally:
            engine.dispose()

    def stored(self) -> int:
        try:
            return len(self.orders())
        except StoreError:
            return -1

    async def all_stored(self, before: int = 0) -> None:
        """
        :param before: orders that this store does not have
        """
        wanted = self.sent - before
        await until(lambda: self.stored() == wanted, "everything is stored", 60)
        orders = self.orders()
        assert len(set(orders)) == len(orders) == wanted

    def spooled(self) -> int:
        try:
            return self.files.spool.read_bytes().count(b"\n")
        except FileNotFoundError:
            return 0

    async def on_disk(self, count: int) -> float:
        """:return: after how many seconds as many are in the spool"""
        begun_s = time.monotonic()
        await until(lambda: self.spooled() >= count, f"{count} orders are on disk", 30)
        return time.monotonic() - begun_s

    async def status(self) -> subprocess.CompletedProcess[str]:
        """What the command of that name says."""
        command = [sys.executable, "-m", "liq_provider.cli", "status", "-c", str(self._config)]
        return await asyncio.to_thread(
            subprocess.run,
            *(command,),
            cwd=self._config.parent,
            capture_output=True,
            text=True,
            timeout=180,
            env={**os.environ, "COLUMNS": "400"},
        )

    async def said(self, words: str, timeout_s: float = 90) -> None:
        await until(lambda: words in self.log, f"it says: {words}", timeout_s)


@asynccontextmanager
async def recorder(base_dir: Path, store: str | None = None) -> AsyncIterator[Recorder]:
    """Not started yet; by default with a store in a file."""
    store = store or f"sqlite:///{base_dir / 'user_data' / 'store.sqlite'}"
    async with quiet_exchange(Time(START + 20_000)) as sim:
        recorder = Recorder(sim, base_dir, store)
        try:
            yield recorder
        finally:
            recorder.process.close()
            recorder._reader.close()


def is_whole(path: Path) -> bool:
    """Does SQLite find nothing wrong with a file?"""
    connection = sqlite3.connect(path)
    try:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()
