"""
Minutes of a simulated market, as live as a test can have them in little time, and what a backtest
of them is made of.

The sidecar's own parsers, writer, settler and judge, on the test's clock; the candles that the
exchange would have had; the trades of both worlds in one shape.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any

import pandas as pd
import pytest
import time_machine
from freqtrade.data.btanalysis import load_backtest_data
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType

from liq_provider.bot import clock_watch, source, store_reading
from liq_provider.config.measuring import windows_of
from liq_provider.config.settings import Settings, sidecar_settings
from liq_provider.core.coverage import CoverageTracker, Interval
from liq_provider.core.durations import MINUTE_MS
from liq_provider.exchange.bot_exchange import BotExchange
from liq_provider.exchange.wave_candles import WaveCandles
from liq_provider.judge.case_source import CaseSource
from liq_provider.judge.matrix_judge import MatrixJudge
from liq_provider.judge.verdict_log import VerdictLog
from liq_provider.judge.wave_judge import WaveJudge
from liq_provider.measure.minute_results import Settled
from liq_provider.sidecar.pair_of_coin import PairOfCoin
from liq_provider.sidecar.settle_minute import Settler
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.urls import freqtrade_exchange_config
from liq_provider.simulator.world import World
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from liq_provider.venues import VENUES
from tests.live_hour import disturbed
from tests.simulator.helpers import tables


@contextmanager
def passing(from_ms: int, tick: bool = True) -> Iterator[Any]:
    """
    :param tick: whether it goes on by itself between two moves, as far as the machine takes long
    :return: the clock, which can be moved; a bot takes that for time that passes
    """
    with (
        pytest.MonkeyPatch.context() as patch,
        time_machine.travel(from_ms / 1000, tick=tick) as clock,
    ):
        # A clock that is moved would refuse its entries.
        for module in (clock_watch, store_reading):
            patch.setattr(module, "elapsed_s", time)
        # Each of many loops waits for two looks at the store, which are 0.2 s apart.
        patch.setattr(source, "_EVERY_S", 0.01)
        yield clock


class LiveMinutes:
    """
    The sidecar's parts, minute by minute, on the test's clock. History is there.

    :param minutes: that are lived
    :param hole: minutes in which all venues are lost, and are back
    """

    def __init__(
        self,
        world: World,
        sim: Simulator,
        url: str,
        settings: Settings,
        minutes: int,
        hole: tuple[int, int] = (0, 0),
    ) -> None:
        self.world, self.settings, self.hole = world, settings, hole
        self.start_ms = world.start_ms
        self.writer = Writer(open_engine(url))
        self.reader = Reader(url)
        self.markets = tables(world)
        for venue, table in self.markets.items():
            self.writer.put_markets(venue, table)
        self.names = PairOfCoin()
        self.names.update({spec.coin: spec.pair for spec in world.symbols.values()})
        self.settler = Settler(self.writer, self.reader, settings, self.names)
        self.trackers = {venue: CoverageTracker(venue, settings.settle_ms) for venue in VENUES}
        self.since = dict.fromkeys(VENUES, self.start_ms)
        self.now_ms = self.start_ms
        self._pool = ThreadPoolExecutor(1)
        self.judge = self._judge(sim)
        self._import_history()
        end_ms = self.start_ms + (minutes + 1) * MINUTE_MS
        self.tape = iter(disturbed(world.tape(self.start_ms, end_ms), 1))
        self.ahead = next(self.tape, None)
        for tracker in self.trackers.values():
            tracker.begin(self.start_ms)

    def _judge(self, sim: Simulator) -> WaveJudge:
        exchange = freqtrade_exchange_config(sim.url)
        candles = WaveCandles(
            BotExchange("binance", exchange["ccxt_config"]),
            "1m",
            MINUTE_MS,
            self.settings.trend_candles + 1,
            self._pool,
            self._pool,
        )

        def now_ms() -> int:
            # As for a real one, no two writes are of one millisecond.
            self.now_ms += 1
            return self.now_ms

        log = VerdictLog(self.writer, self._pool, now_ms)
        cases = CaseSource(candles, None, self.settings)
        return WaveJudge(MatrixJudge(), log, cases, self.settings, now_ms)

    def _import_history(self) -> None:
        first_ms = -(-self.world.first_ms // MINUTE_MS) * MINUTE_MS
        self.writer.import_batch(
            [
                Incoming(order)
                for row in self.world.tape(first_ms, self.start_ms)
                for order in VENUES[row.venue]
                .parse(row.frame, self.markets[row.venue], row.received_ms)
                .liquidations
            ]
        )
        for venue in VENUES:
            self.writer.cover(venue, [Interval(first_ms, self.start_ms)], "import", self.start_ms)

    def minute(self, number: int) -> int:
        """:return: how many waves the minute brought"""
        settled = self.settle(number)
        self.judge_waves(settled)
        return len(settled.anomalies)

    def hear(self, until_ms: int) -> None:
        """What the feeds bring until then is stored."""
        batch: list[Incoming] = []
        while self.ahead is not None and self.ahead.received_ms <= until_ms:
            row = self.ahead
            if self.trackers[row.venue].covering:
                said = VENUES[row.venue].parse(row.frame, self.markets[row.venue], row.received_ms)
                batch += [Incoming(order, self.since[row.venue]) for order in said.liquidations]
            self.ahead = next(self.tape, None)
        self.writer.append(batch)

    def settle(self, number: int) -> Settled:
        """:return: the minute, which is final"""
        close_ms = self.start_ms + number * MINUTE_MS
        self._connections(number)
        self.hear(close_ms + 2_000)
        for tracker in self.trackers.values():
            tracker.prove(close_ms + 1_000, close_ms + 1_000)
        heard = [venue for venue, tracker in self.trackers.items() if tracker.heard(close_ms)]
        self.now_ms = close_ms + 2_000
        self.settler.settle(close_ms, heard, self.now_ms)
        self.writer.put_state("sidecar", self.status(), self.now_ms)
        return self.settler.compute(close_ms, self.now_ms)

    def judge_waves(self, settled: Settled) -> None:
        """Its verdicts are there."""
        self.now_ms += 200
        if settled.anomalies:
            asyncio.run(self.judge.judge(settled))

    def _connections(self, number: int) -> None:
        if number == self.hole[0]:
            for tracker in self.trackers.values():
                tracker.lose()
        elif number == self.hole[1]:
            begin_ms = self.start_ms + number * MINUTE_MS - 30_000
            for venue, tracker in self.trackers.items():
                tracker.begin(begin_ms)
                self.since[venue] = begin_ms

    def status(self) -> dict[str, Any]:
        """What the sidecar tells of itself."""
        feeds = {venue: {"state": "live", "markets": len(self.world.symbols)} for venue in VENUES}
        return {
            "skew_ms": 0,
            "windows": windows_of(self.settings),
            "settings": sidecar_settings(self.settings),
            "feeds": feeds,
        }

    def close(self) -> None:
        """Give the store back."""
        self._pool.shutdown()
        self.reader.close()
        self.writer.close()


def write_candles(base: Path, world: World, minutes: int) -> None:
    """
    Of all symbols, an hour before the start until the end, where Freqtrade looks for them.

    :param base: parent of user_data
    """
    datadir = base / "user_data" / "data" / "binance"
    (datadir / "futures").mkdir(parents=True)
    handler = get_datahandler(datadir, "feather")
    end_ms = world.start_ms + minutes * MINUTE_MS
    for spec in world.symbols.values():
        rows = world.candles(
            spec.symbol, MINUTE_MS, world.start_ms - 60 * MINUTE_MS, end_ms - 1, end_ms + MINUTE_MS
        )
        frame = pd.DataFrame(rows, columns=["date", "open", "high", "low", "close", "volume"])
        frame = frame[frame["date"] < end_ms]
        frame["date"] = pd.to_datetime(frame["date"], unit="ms", utc=True)
        handler.ohlcv_store(spec.pair, "1m", frame, CandleType.FUTURES)


@dataclass(frozen=True)
class TakenTrade:
    """
    :param candle: of the order; its wave is entered once
    :param tag: side, strength and level
    """

    pair: str
    is_short: bool
    candle: pd.Timestamp
    tag: str
    exit_candle: pd.Timestamp
    reason: str
    entry: float
    exit: float

    @property
    def key(self) -> tuple[object, ...]:
        """What live and a backtest must have alike."""
        return self.candle, self.pair, self.is_short, self.tag


def taken(trade: Any) -> TakenTrade:
    """:param trade: of a bot"""
    return TakenTrade(
        trade.pair,
        trade.is_short,
        pd.Timestamp(trade.open_date_utc).floor("min"),
        trade.enter_tag,
        pd.Timestamp(trade.close_date_utc).floor("min"),
        trade.exit_reason,
        trade.open_rate,
        trade.close_rate,
    )


def backtested(results: Path) -> list[TakenTrade]:
    """:param results: folder of a backtest"""
    return [
        TakenTrade(
            row.pair,
            row.is_short,
            row.open_date,
            row.enter_tag,
            row.close_date,
            row.exit_reason,
            row.open_rate,
            row.close_rate,
        )
        for row in load_backtest_data(results).sort_values("open_date").itertuples()
    ]
