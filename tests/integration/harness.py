"""A simulated exchange in a thread of its own, and the real bot that trades on it."""

import asyncio
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import time_machine
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.worker import Worker

from liq_provider.bot import clock_watch, store_reading
from liq_provider.core.durations import MINUTE_MS
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.prices import PriceLeg
from liq_provider.simulator.urls import freqtrade_exchange_config
from liq_provider.simulator.world import World
from liq_provider.store.reader import Reader
from tests.bot.helpers import Store, settings, stored, verdict
from tests.sidecars import PATIENCE

_Server = TypeVar("_Server", bound=AbstractAsyncContextManager[Any])

ROOT = Path(__file__).parents[2]
BTC, ETH, SOL = "BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"


def now_ms() -> int:
    """The machine's clock."""
    return time.time_ns() // 1_000_000


# Freqtrade asks for a new candle a second after its close.
_BEGINS_S = 1.2
_moved: list[Any] = []


@contextmanager
def moved_clock() -> Iterator[None]:
    """
    In this process a minute begins, and what waits for one moves the clock instead. It is only for
    where all that matters is in this process: bot and exchange, but no sidecar.
    """
    begin_s = time.time() // 60 * 60 + 60 + _BEGINS_S
    with pytest.MonkeyPatch.context() as patch, time_machine.travel(begin_s, tick=True) as clock:
        # A clock that jumps refuses entries; to the bot time passes.
        for module in (clock_watch, store_reading):
            patch.setattr(module, "elapsed_s", time.time)
        patch.setitem(globals(), "_moved", [clock])
        yield


def _pass(seconds: float) -> int:
    """:return: close of the last candle, once they are over"""
    for clock in _moved:
        clock.shift(seconds)
        seconds = 0
    time.sleep(seconds)
    now = now_ms()
    return now - now % MINUTE_MS


def fresh_minute(room_s: float = 20) -> int:
    """
    Wait until the running minute has at least ``room_s`` left.

    :return: close of the last candle
    """
    into_s = time.time() % 60
    if into_s < _BEGINS_S:
        return _pass(_BEGINS_S - into_s)
    return _pass(60 + _BEGINS_S - into_s if into_s > 60 - room_s else 0)


def next_minute() -> int:
    """Wait for the next candle; returns the close of the last one."""
    return _pass(60 + _BEGINS_S - time.time() % 60)


def until(true: Callable[[], Any], seconds: float, every_s: float = 0.1) -> None:
    """
    Wait for something that must come.

    :param seconds: how long it may take on a machine with nothing else to do
    """
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(every_s)


def live(reader: Reader, pid: int | None) -> bool:
    """All feeds of this sidecar are connected, with their market lists."""
    try:
        status = reader.states(["sidecar"])["sidecar"]
    except Exception:  # the store is being made
        return False
    feeds = status["feeds"].values()
    if status["pid"] != pid:
        return False
    return len(feeds) == 3 and all(f["state"] == "live" and f["markets"] for f in feeds)


@contextmanager
def served(server: _Server) -> Iterator[_Server]:
    """A server in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(60)
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


@contextmanager
def simulator(world: World | None = None) -> Iterator[Simulator]:
    """A flat market without liquidations, but that BTC falls and ETH and SOL rise."""
    start = now_ms()
    market = world or World(start, volatility=0.0, background=0.0, history_h=30)
    begin = start - 50 * MINUTE_MS
    market.add_legs(
        [
            PriceLeg(symbol, begin, 6_000, change)
            for symbol, change in (("BTCUSDT", -0.02), ("ETHUSDT", 0.02), ("SOLUSDT", 0.02))
        ]
    )
    with served(Simulator(market)) as sim:
        yield sim


# Tests may be slow, and must not depend on when in the minute they run.
PATIENT = {"max_entry_delay_s": 59, "max_skew_ms": 5_000}


def bot_config(sim: Simulator, base: Path, **section: Any) -> dict[str, Any]:
    """
    A dry-run on three pairs.

    :param base: parent of user_data
    :param section: keys of ``liq_provider``
    """
    pricing = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
    (base / "user_data").mkdir(exist_ok=True)
    # A copy, because the user's own parameter file may lie beside the original.
    (base / "strategies").mkdir(exist_ok=True)
    shutil.copy(ROOT / "strategies" / "LiqTrend.py", base / "strategies")
    return {
        "dry_run": True,
        "dry_run_wallet": 10_000,
        "db_url": f"sqlite:///{base / 'trades.sqlite'}",
        "strategy": "LiqTrend",
        "strategy_path": str(base / "strategies"),
        "user_data_dir": str(base / "user_data"),
        "trading_mode": "futures",
        "margin_mode": "isolated",
        "stake_currency": "USDT",
        "stake_amount": 500,
        "max_open_trades": 3,
        "entry_pricing": pricing,
        "exit_pricing": pricing,
        "exchange": freqtrade_exchange_config(sim.url) | {"pair_whitelist": [BTC, ETH, SOL]},
        "pairlists": [{"method": "StaticPairList"}],
        "initial_state": "running",
        "internals": {"process_throttle_secs": 1},
        "liq_provider": {
            "dashboard": {"enabled": False},
            "store": "sqlite:///store.sqlite",
            **PATIENT,
            **section,
        },
    }


class Bot:
    """The real bot; ``loop()`` is one of its loops."""

    def __init__(self, config: dict[str, Any], base: Path) -> None:
        path = base / "config.json"
        path.write_text(json.dumps(config))
        self.worker = Worker({"config": [str(path)]})
        self.messages: list[str] = []
        self.take_over()

    def take_over(self) -> None:
        """The worker has a bot, perhaps of a new configuration."""
        self.freqtrade: FreqtradeBot = self.worker.freqtrade
        self.strategy: Any = self.freqtrade.strategy
        self.freqtrade.rpc.process_msg_queue = self._keep
        self.freqtrade.startup()

    def _keep(self, queue: Any) -> None:
        while queue:
            self.messages.append(queue.popleft())

    def loop(self) -> None:
        """One loop, that sees what is in the store now."""
        self.catch_up()
        self.loop_at_once()

    def loop_at_once(self) -> None:
        """One loop, whatever its reader knows."""
        self.freqtrade.process()

    def catch_up(self) -> None:
        """Wait for a reading of the store that begins after this."""
        published = self.strategy.liq.engine.source._published
        for _ in range(2):
            before = published.take()
            until(lambda before=before: published.take() is not before, 20, 0.01)  # type: ignore[misc]

    @property
    def open(self) -> dict[str, Trade]:
        """Open trades by pair."""
        return {trade.pair: trade for trade in Trade.get_trades_proxy(is_open=True)}

    @property
    def closed(self) -> list[Trade]:
        """Closed trades, oldest first."""
        trades = Trade.get_trades_proxy(is_open=False)
        return sorted(trades, key=lambda trade: trade.id)

    def close(self) -> None:
        """End it."""
        self.worker.exit()
        Trade.session.remove()


@contextmanager
def running(config: dict[str, Any], base: Path) -> Iterator[Bot]:
    """A bot that is ended in any case."""
    bot = Bot(config, base)
    try:
        yield bot
    finally:
        bot.close()


def open_store(base: Path, url: str = "", **section: Any) -> Store:
    """The store that ``bot_config`` points to, or another."""
    return Store(base / "store.sqlite", settings(**(PATIENT | section)), url)


def wave(
    store: Store, close_ms: int, coins: dict[str, tuple[str, float]], news: str = "not_asked"
) -> None:
    """
    The minute is settled, with a strong wave in each coin, and judged at once.

    :param coins: direction and z by coin
    """
    rows = [
        stored(base, close_ms, z, 0.98 if direction == "SHORT" else 0.02)
        for base, (direction, z) in coins.items()
    ]
    store.settle(close_ms, rows)
    for base, (direction, _) in coins.items():
        judge(store, close_ms, base, direction, news=news)


def judge(store: Store, close_ms: int, base: str, direction: str, **values: Any) -> None:
    """A verdict about the wave that began in this minute."""
    made = {
        "wave_start_ms": close_ms,
        "close_ms": close_ms,
        "available_at": now_ms(),
        "expires_at": close_ms + 61_000,
    }
    store.judge(verdict(0, base=base, direction=direction) | made | values)
