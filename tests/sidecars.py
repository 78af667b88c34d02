"""A sidecar against the simulator, with minutes that pass as fast as a test wants."""

import asyncio
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from liq_provider.core.clock import ExchangeClock
from liq_provider.core.coverage import Interval
from liq_provider.core.liquidation import Liquidation
from liq_provider.sidecar.sidecar_config import SidecarConfig
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.sidecar.sidecar_lock import SidecarLock
from liq_provider.simulator.control import OrderRequest
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.urls import freqtrade_exchange_config, venue_urls
from liq_provider.simulator.world import World
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer

MINUTE = 60_000
# A wait ends with what it waits for; only where that never comes does it cost this much more.
PATIENCE = 3
_BEFORE_CLOSE_MS = 1_500


def running_pid(files: SidecarFiles) -> int | None:
    """:return: of the sidecar that holds the lock"""
    mark = SidecarLock(files).holder()
    return None if mark is None else mark.pid


class Time:
    """
    Real time that can be moved forward; the exchange and the sidecar share it.

    :param shared: a file, over which a sidecar that is a process of its own does so, too
    """

    def __init__(self, start_ms: int, shared: Path | None = None) -> None:
        self._offset_ms = start_ms - time.time_ns() // 1_000_000
        self._jumped_ms = 0
        self._shared = shared
        self._share()

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._offset_ms

    def seconds(self) -> float:
        return self.now_ms() / 1000

    def jump_to(self, ms: int) -> None:
        assert ms >= self.now_ms()
        jump_ms = ms - self.now_ms()
        self._offset_ms += jump_ms
        self._jumped_ms += jump_ms
        self._share()

    def near_close(self) -> int:
        """
        Just before the close of the running minute.

        :return: that close
        """
        now_ms = self.now_ms()
        close_ms = now_ms // MINUTE * MINUTE + MINUTE
        self.jump_to(max(close_ms - _BEFORE_CLOSE_MS, now_ms))
        return close_ms

    def clock(self) -> ExchangeClock:
        return ExchangeClock(wall_ms=self.now_ms)

    @property
    def environment(self) -> dict[str, str]:
        """Of a process that shares it."""
        if self._shared is None:
            return {}
        paths = [str(Path(__file__).parent / "preload"), os.environ.get("PYTHONPATH", "")]
        return {
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "TESTS_JUMPED_MS": str(self._shared),
        }

    def _share(self) -> None:
        if self._shared is not None:
            number = os.open(self._shared, os.O_WRONLY | os.O_CREAT)
            os.pwrite(number, struct.pack("<q", self._jumped_ms), 0)
            os.close(number)


def quiet_exchange(moment: Time) -> Simulator:
    """An exchange on which nothing happens by itself."""
    world = World(moment.now_ms(), background=0.0, volatility=0.0, history_h=2)
    return Simulator(world, clock=moment.seconds)


def freqtrade_config(sim: Simulator, base_dir: Path, **section: Any) -> dict[str, Any]:
    """What the sidecar reads; windows so short that a baseline is known within minutes."""
    return {
        "base_dir": str(base_dir),
        "user_data_dir": str(base_dir / "user_data"),
        "timeframe": "1m",
        "exchange": freqtrade_exchange_config(sim.url),
        "liq_provider": {
            "settle_s": 0.5,
            "segment_min": 1,
            "baseline_hours": 0.5,
            "min_baseline_segments": 10,
            "min_active_segments": 5,
            "venues": venue_urls(sim.url),
            "dashboard": {"enabled": False},
        }
        | section,
    }


def sidecar_config(sim: Simulator, base_dir: Path, **section: Any) -> SidecarConfig:
    return SidecarConfig.of(freqtrade_config(sim, base_dir, **section))


def remember(store_url: str, coins: Sequence[str], until_ms: int, known_min: int = 0) -> None:
    """
    Forty minutes of small liquidations of each coin up to a minute's open, so that a baseline
    is there.

    :param known_min: minutes after it that are stated to be known, too, so that a sidecar need
        not have heard the whole of the minute in which it starts
    """
    venues = ("binance", "bybit", "okx")
    writer = Writer(open_engine(store_url))
    writer.import_batch(
        [
            Incoming(
                Liquidation(
                    *(venue, f"{coin}USDT", f"{coin}/USDT:USDT", coin, "long", 50_000.0, 0.02),
                    notional_usd=1_000.0 + 100 * (n % 7),
                    event_ms=until_ms - n * MINUTE + 5_000,
                    received_ms=until_ms - n * MINUTE + 5_500,
                )
            )
            for coin in coins
            for venue in venues
            for n in range(1, 41)
        ]
    )
    for venue in venues:
        span = Interval(until_ms - 40 * MINUTE, until_ms + known_min * MINUTE)
        writer.cover(venue, [span], "import", until_ms)
    writer.close()


def liquidate(sim: Simulator, venue: str, count: int, usd: float, **changes: Any) -> None:
    """Publish ``count`` long liquidations of BTC on one venue, of different sizes."""
    values: dict[str, Any] = {"venue": venue, "symbol": "BTCUSDT", "position_side": "long"}
    values |= changes
    sim.liquidate([OrderRequest(**values, notional_usd=usd * (1 + n / 100)) for n in range(count)])


class Process:
    """
    A sidecar as the command line starts it.

    :param moment: if it is shared, the process has its time
    """

    def __init__(self, config: Path, log: Path, moment: Time | None = None) -> None:
        self._command = [sys.executable, "-m", "liq_provider.cli", "run", "-c", str(config)]
        self._directory = config.parent
        self._shared = {} if moment is None else moment.environment
        self._log = log.open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            cwd=self._directory,
            env={**os.environ, **self._shared},
            stdout=self._log,
            stderr=self._log,
        )

    async def second(self) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(
            subprocess.run,
            self._command,
            cwd=self._directory,
            capture_output=True,
            text=True,
            timeout=30 * PATIENCE,
        )

    async def end(self, number: int) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return await asyncio.to_thread(self._process.wait, 20 * PATIENCE)

    @property
    def pid(self) -> int:
        """Of a sidecar that was started."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Has it not ended?"""
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        if self._process is not None and self.alive:
            self._process.kill()
            self._process.wait(10 * PATIENCE)
        self._log.close()


async def until(condition: Callable[[], Any], what: str, timeout_s: float = 20.0) -> Any:
    """
    Wait for something to become true.

    :param timeout_s: how long it may take on a machine with nothing else to do
    :return: its value
    """
    timeout_s *= PATIENCE
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {timeout_s:g} s: {what}")


def covered_minutes(reader: Reader, venue: str, from_ms: int, minutes: int) -> list[bool]:
    """Which of the minutes from ``from_ms`` on a live feed of the venue covered."""
    spans = reader.coverage([venue], from_ms, from_ms + minutes * MINUTE, ("live",))[venue]
    opens = (from_ms + n * MINUTE for n in range(minutes))
    return [any(s.start_ms <= ms and s.end_ms >= ms + MINUTE for s in spans) for ms in opens]
