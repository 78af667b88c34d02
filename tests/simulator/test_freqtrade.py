"""The unmodified bot trades against the simulator, in dry-run."""

import asyncio
import json
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.urls import freqtrade_exchange_config
from liq_provider.simulator.world import World
from tests.freqtradelog import without_torn_session

pytestmark = pytest.mark.processes

STRATEGY = '''
from freqtrade.strategy import IStrategy


class EnterAtOnce(IStrategy):
    """Goes short on whatever it sees."""

    timeframe = "1m"
    can_short = True
    stoploss = -0.5
    minimal_roi = {"0": 10}
    startup_candle_count = 30

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe["enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe["exit_short"] = 0
        return dataframe
'''


def config(base_url: str) -> dict[str, object]:
    pricing = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
    exchange = freqtrade_exchange_config(base_url)
    exchange["pair_whitelist"] = ["BTC/USDT:USDT", "1000PEPE/USDT:USDT"]
    return {
        "dry_run": True,
        "dry_run_wallet": 10_000,
        "trading_mode": "futures",
        "margin_mode": "isolated",
        "stake_currency": "USDT",
        "stake_amount": 100,
        "max_open_trades": 2,
        "timeframe": "1m",
        "entry_pricing": pricing,
        "exit_pricing": pricing,
        "order_types": {
            "entry": "market",
            "exit": "market",
            "stoploss": "market",
            "stoploss_on_exchange": False,
        },
        "exchange": exchange,
        "pairlists": [{"method": "StaticPairList"}],
        "initial_state": "running",
        "internals": {"process_throttle_secs": 1},
    }


def open_trades(database: Path) -> list[tuple[str, float, int]]:
    """Trades with price, as soon as the bot has written any."""
    if not database.exists():
        return []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            rows = connection.execute("select pair, open_rate, is_short from trades").fetchall()
        except sqlite3.OperationalError:  # the tables are not there yet
            return []
    return [(str(pair), float(rate or 0.0), int(short)) for pair, rate, short in rows]


async def test_the_real_bot_opens_trades_on_our_prices(tmp_path: Path) -> None:
    world = World(int(time.time() * 1000), volatility=0.0)
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "enter_at_once.py").write_text(STRATEGY)
    log = tmp_path / "bot.log"
    async with Simulator(world) as sim:
        (tmp_path / "config.json").write_text(json.dumps(config(sim.url)))
        with log.open("wb") as output:
            bot = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "freqtrade", "trade", "-c", str(tmp_path / "config.json")),
                *("--userdir", str(tmp_path), "--strategy", "EnterAtOnce"),
                *("--db-url", f"sqlite:///{tmp_path / 'trades.sqlite'}"),
                cwd=tmp_path,
                stdout=output,
                stderr=output,
            )
            try:
                trades = await first_trades(tmp_path / "trades.sqlite", bot)
            finally:
                if bot.returncode is None:
                    bot.terminate()
                await asyncio.wait_for(bot.wait(), 15)
    text = log.read_text()
    assert {trade[0] for trade in trades} == {"BTC/USDT:USDT", "1000PEPE/USDT:USDT"}, text
    assert all(trade[2] for trade in trades)
    for pair, rate, _ in trades:
        spec = next(s for s in world.symbols.values() if s.pair == pair)
        assert rate == pytest.approx(spec.price, rel=1e-3)
    assert not sim.unknown, sim.unknown
    assert "Traceback" not in without_torn_session(text)


async def first_trades(
    database: Path, bot: asyncio.subprocess.Process
) -> list[tuple[str, float, int]]:
    deadline = time.monotonic() + 120
    trades: list[tuple[str, float, int]] = []
    while time.monotonic() < deadline and bot.returncode is None:
        trades = open_trades(database)
        if len(trades) == 2:
            await asyncio.sleep(2)  # the bot now watches its exits: more kinds of requests
            return trades
        await asyncio.sleep(0.2)
    return trades
