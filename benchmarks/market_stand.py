"""
The simulated exchange with hundreds of pairs, and a real sidecar and a real bot on it, each a
process of its own. The exchange is in this process, in a thread.
"""

import asyncio
import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from freqtrade.configuration.load_config import load_config_file
from freqtrade.exchange import binance

from liq_provider.config.pair_list_file import entry_for
from liq_provider.config.settings import Settings, load_settings
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import minute_of
from liq_provider.errors import LiqError
from liq_provider.history.importer import import_files
from liq_provider.launch.processes import Child, python_module, stop_all
from liq_provider.simulator.control import OrderRequest
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.many_symbols import many_symbols
from liq_provider.simulator.prices import PriceLeg
from liq_provider.simulator.symbols import DEMO_SYMBOLS
from liq_provider.simulator.urls import freqtrade_exchange_config, venue_urls
from liq_provider.simulator.world import World
from liq_provider.store.booked_minute import BookingRules
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer

ROOT = Path(__file__).parents[1]
MOST_OPEN = 15
VENUES = ("binance", "bybit", "okx")
START_S = 240.0

# Before a first wave; the sidecar's first minutes are known from the import.
HISTORY_H = 9.0
AHEAD_MIN = 5
DRIFT_FROM_MIN, DRIFT_TO_MIN, DRIFT_A_MIN = -60, 60, -0.0007
AGAINST_PCT = 8.0


@dataclass(frozen=True, slots=True)
class Scene:
    """
    :param market: how many coins the exchange lists
    :param listed: how many are in the bot's static list; 0 for the whole market, by the sidecar's
    :param segment_min: LiqTrend's setting
    """

    market: int
    listed: int
    segment_min: int = 5

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.listed} pairs" if self.listed else f"whole market, {self.market} pairs"


def bases() -> list[str]:
    """Coins that Freqtrade knows leverage tiers of, those of the example's whitelist first."""
    tiers = Path(binance.__file__).parent / "binance_leverage_tiers.json"
    named = [pair.removesuffix("/USDT:USDT") for pair in json.loads(tiers.read_text())]
    first = [spec.base for spec in DEMO_SYMBOLS]
    others = sorted(base for base in named if base.isascii() and base.isalnum())
    return first + [base for base in others if base not in first]


class Stand:
    """
    One market, one sidecar and one bot.

    :param base: where everything is written
    """

    def __init__(self, scene: Scene, base: Path) -> None:
        self.scene, self.base = scene, base
        self.specs = many_symbols(bases()[: scene.market])
        start_ms = int(time.time() * 1000)
        self.world = World(start_ms, symbols=self.specs, volatility=0.0, history_h=HISTORY_H)
        begin_ms = start_ms + DRIFT_FROM_MIN * MINUTE_MS
        minutes = DRIFT_TO_MIN - DRIFT_FROM_MIN
        # All fall slowly, so that candles agree with a wave of longs.
        self.world.add_legs(
            [
                PriceLeg(spec.symbol, begin_ms, minutes * 60, minutes * DRIFT_A_MIN)
                for spec in self.specs
            ]
        )
        self.sim = Simulator(self.world)
        self.static = [spec.pair for spec in self.specs[: scene.listed or 13]]
        self.pair_list = base / "user_data" / "liq_pairs.json"
        self.trades_db = base / "trades.sqlite"
        self.children: list[Child] = []

    def start(self) -> None:
        """Until the bot trades."""
        (self.base / "user_data").mkdir(parents=True, exist_ok=True)
        config = self._config()
        path = self.base / "config.json"
        path.write_text(json.dumps(config))
        self.settings = load_settings(config)
        self.url = f"sqlite:///{self.base / 'store.sqlite'}"
        _remember(self.world, self.url, self.settings, self.base)
        # Freqtrade means the directory in which it is started.
        with _directory(self.base):
            self._spawn("sidecar", "liq_provider.cli", "run", "-c", str(path))
            self.reader = Reader(self.url)
            _until(self._feeds_live, "the feeds")
            self._spawn("bot", "freqtrade", "trade", "--strategy", "LiqTrend", "-c", str(path))
            _until(lambda: "state='RUNNING'" in _log(self.base / "bot.log"), "the bot")

    def _spawn(self, name: str, *module: str) -> None:
        env = {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
        log = self.base / f"{name}.log"
        self.children.append(Child(name, python_module(*module), log, env))

    def _config(self) -> dict[str, Any]:
        config = load_config_file(str(ROOT / "config.json.example"))
        exchange = freqtrade_exchange_config(self.sim.url)
        exchange["ccxt_config"] |= {
            "enableRateLimit": True,
            "rateLimiterAlgorithm": "rollingWindow",
        }
        whole = entry_for(self.pair_list)
        return dict(config) | {
            "exchange": exchange | {"pair_whitelist": self.static, "pair_blacklist": []},
            "pairlists": [{"method": "StaticPairList"} if self.scene.listed else whole],
            "internals": {"process_throttle_secs": 1, "heartbeat_interval": 20},
            "dry_run_wallet": 1_000_000,
            "max_open_trades": MOST_OPEN,
            "db_url": f"sqlite:///{self.trades_db}",
            "user_data_dir": str(self.base / "user_data"),
            "strategy_path": str(ROOT / "strategies"),
            "liq_provider": {
                "store": "sqlite:///store.sqlite",
                "autostart": False,
                "venues": venue_urls(self.sim.url),
                "judge": {"by": "matrix"},
                "dashboard": {"enabled": False},
                "baseline_hours": HISTORY_H - 1,
                "segment_min": self.scene.segment_min,
            },
        }

    def _feeds_live(self) -> bool:
        try:
            feeds = (self.reader.states(["sidecar"]).get("sidecar") or {}).get("feeds", {})
        except LiqError:
            return False
        return bool(feeds) and all(f["state"] == "live" and f["markets"] for f in feeds.values())

    def close(self) -> None:
        """End the bot, then the sidecar."""
        stop_all(self.children[::-1])

    def listed(self) -> list[str]:
        """:return: the bot's pairs at this moment"""
        if self.scene.listed:
            return self.static
        return list(json.loads(self.pair_list.read_text())["pairs"])

    def wipe_out(self, pairs: Sequence[str]) -> None:
        """Their longs, on three venues, for half a million dollars each."""
        orders = [
            OrderRequest(
                venue=venue,
                symbol=pair.replace("/USDT:USDT", "USDT"),
                position_side="long",
                notional_usd=61_000.0 + 1_000 * n,
            )
            for pair in pairs
            for venue in VENUES
            for n in range(4)
        ]
        self.sim.liquidate(orders)

    def end_positions(self, pairs: Sequence[str], until_s: float) -> None:
        """
        A jump against them and back, so that their stops make room for others, and no candle's
        close knows of it.

        :param until_s: when it goes back at the latest
        """
        symbols = [pair.replace("/USDT:USDT", "USDT") for pair in pairs]
        now_ms = self.sim.now_ms()
        before = {symbol: self.world.price(symbol, now_ms) for symbol in symbols}
        for symbol in symbols:
            self.sim.set_price(symbol, to_pct=AGAINST_PCT)
        while time.time() < until_s and any(is_open for *_, is_open in self._trades()):
            time.sleep(0.5)
        for symbol, price in before.items():
            self.sim.set_price(symbol, to_price=price)

    def opened(self, since_ms: int) -> Mapping[str, int]:
        """:return: when, by pair, of the trades since then"""
        at = {pair: _ms(text) for pair, text, _ in self._trades()}
        return {pair: ms for pair, ms in at.items() if ms >= since_ms}

    def _trades(self) -> list[tuple[str, str, bool]]:
        """:return: pair, when it was opened and whether it still is, the oldest first"""
        address = f"file:{self.trades_db}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=10)) as database:
            rows = database.execute("select pair, open_date, is_open from trades order by id")
            return [(pair, text, bool(is_open)) for pair, text, is_open in rows]

    def judged(self, close_ms: int) -> list[int]:
        """:return: when each wave of that minute was"""
        rows = self.reader.verdicts(close_ms, close_ms + MINUTE_MS)
        return sorted(row["available_at"] for row in rows if row["close_ms"] == close_ms)

    def cpu_s(self) -> tuple[float, float, float]:
        """:return: of bot, sidecar and exchange since they began"""
        bot, sidecar = (_cpu_of(child.pid) for child in self.children[::-1])
        return bot, sidecar, time.process_time()


@contextmanager
def standing(scene: Scene, base: Path) -> Iterator[Stand]:
    """A market with a bot that trades on it."""
    stand = Stand(scene, base)
    with _served(stand.sim):
        try:
            stand.start()
            yield stand
        finally:
            stand.close()


@contextmanager
def _served(sim: Simulator) -> Iterator[None]:
    """In a thread of its own, as the trials sleep."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(sim.__aenter__(), loop).result(60)
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(sim.__aexit__(None, None, None), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


def _remember(world: World, url: str, settings: Settings, base: Path) -> None:
    """The past, and that the first minutes are known, in which the sidecar starts."""
    now_ms = int(time.time() * 1000)
    path = base / "history.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for row in world.tape(world.first_ms, now_ms):
            told = {"venue": row.venue, "received_ms": row.received_ms, "frame": row.frame}
            file.write(json.dumps(told | {"simulated": True}) + "\n")
    span = Interval(world.first_ms, minute_of(now_ms) + AHEAD_MIN * MINUTE_MS)
    with closing(Writer(open_engine(url), BookingRules(settings.settle_ms))) as writer:
        import_files(writer, Reader(url), [path], "frames", covered=span, now_ms=span.end_ms)
        for venue in settings.venues.enabled:
            writer.cover(venue, [span], "import", now_ms)


@contextmanager
def _directory(path: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


def _until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_S
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {START_S:.0f} s")
        time.sleep(0.2)


def _log(path: Path) -> str:
    with suppress(FileNotFoundError):
        return path.read_text(errors="replace")
    return ""


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def _cpu_of(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
