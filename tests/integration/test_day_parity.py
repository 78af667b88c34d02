"""
A day traded live and the same day backtested: the same entries, and exits for the same reasons.

Live is the real bot in dry-run on the simulated exchange (HTTP on loopback), beside the
sidecar's own parsers, writer, settler and judge; only the clock is moved by the test. The bot
loops at every close that may matter, and every six seconds while a position is open; in the
quiet minutes in between it has nothing to do. Backtested is the store that this day left
behind, with the exchange's candles, by the real ``freqtrade backtesting``.
"""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import time_machine
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType

from liq_provider.bot import clock_watch, source, store_reading
from liq_provider.config.measuring import windows_of
from liq_provider.config.settings import Settings, load_settings, sidecar_settings
from liq_provider.core.coverage import CoverageTracker, Interval
from liq_provider.core.durations import MINUTE_MS
from liq_provider.exchange.bot_exchange import BotExchange
from liq_provider.exchange.wave_candles import WaveCandles
from liq_provider.judge.case_source import CaseSource
from liq_provider.judge.matrix_judge import MatrixJudge
from liq_provider.judge.verdict_log import VerdictLog
from liq_provider.judge.wave_judge import WaveJudge
from liq_provider.sidecar.pair_of_coin import PairOfCoin
from liq_provider.sidecar.settle_minute import Settler
from liq_provider.simulator.demo_script import wave_usd
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.prices import PriceLeg
from liq_provider.simulator.scenario import Scenario, ScriptedWave, make_wave
from liq_provider.simulator.symbols import DEMO_SYMBOLS
from liq_provider.simulator.urls import freqtrade_exchange_config
from liq_provider.simulator.world import World
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from liq_provider.venues import VENUES
from tests.integration.harness import Bot, bot_config, simulator
from tests.integration.history import FreqtradeRuns
from tests.live_hour import disturbed
from tests.simulator.helpers import tables

pytestmark = pytest.mark.timeout(2_400)  # whichever comes first plays the day

START_MS = int(pd.Timestamp("2026-03-02", tz="UTC").timestamp() * 1000)
MINUTES = 1_440
SYMBOLS = DEMO_SYMBOLS[:4]
PAIRS = [spec.pair for spec in SYMBOLS]
LOOP_S = 6
# Sidecar and bot lose all venues for six minutes, in which a wave happens.
HOLE = (600, 606)
SECTION: dict[str, Any] = {"max_entry_delay_s": 30, "max_skew_ms": 5_000, "fallback_pct": 0.02}


def scripted() -> Iterator[ScriptedWave]:
    """About one an hour: fast and slow runs, reversals, and what must not be entered."""
    kinds = ("runs_on", "reverts", "slow", "not_aligned", "mixed", "slow_loss", "runs_on", "slow")
    for number in range(20):
        spec = SYMBOLS[number % len(SYMBOLS)]
        kind = kinds[number % len(kinds)]
        minute = HOLE[0] + 3 if number == 9 else 60 + 65 * number
        close_ms = START_MS + minute * MINUTE_MS
        side = "long" if number % 3 else "short"
        base_kind = "runs_on" if kind.startswith("slow") or number == 9 else kind
        wave = make_wave(str(number), base_kind, spec.symbol, side, close_ms, 2 * wave_usd(spec))
        if kind.startswith("slow"):
            sign = -1 if side == "long" else 1
            then = 0.03 if kind == "slow" else -0.03
            wave = replace(
                wave,
                legs=(
                    PriceLeg(spec.symbol, close_ms - 480_000, 470, sign * 0.012),
                    PriceLeg(spec.symbol, close_ms + 20_000, 720, sign * then),
                    PriceLeg(spec.symbol, close_ms + 800_000, 600, -sign * then),
                ),
            )
        yield wave


@dataclass(frozen=True)
class TakenTrade:
    """One trade."""

    pair: str
    is_short: bool
    candle: pd.Timestamp
    tag: str
    exit_candle: pd.Timestamp
    reason: str
    entry: float
    exit: float


class Sidecar:
    """The sidecar's parts, minute by minute, on the test's clock."""

    def __init__(self, world: World, sim: Simulator, url: str, settings: Settings) -> None:
        self.world, self.settings = world, settings
        self.writer = Writer(open_engine(url))
        self.reader = Reader(url)
        self.markets = tables(world)
        for venue, table in self.markets.items():
            self.writer.put_markets(venue, table)
        names = PairOfCoin()
        names.update({spec.coin: spec.pair for spec in SYMBOLS})
        self.settler = Settler(self.writer, self.reader, settings, names)
        self.trackers = {venue: CoverageTracker(venue, settings.settle_ms) for venue in VENUES}
        self.since = dict.fromkeys(VENUES, START_MS)
        self.now_ms = START_MS
        self._pool = ThreadPoolExecutor(1)
        exchange = freqtrade_exchange_config(sim.url)
        candles = WaveCandles(
            BotExchange("binance", exchange["ccxt_config"]),
            "1m",
            MINUTE_MS,
            settings.trend_candles + 1,
            self._pool,
            self._pool,
        )

        def now_ms() -> int:
            return self.now_ms

        log = VerdictLog(self.writer, self._pool, now_ms)
        cases = CaseSource(candles, None, settings)
        self.judge = WaveJudge(MatrixJudge(), log, cases, settings, now_ms)
        self._import_history()
        end_ms = START_MS + (MINUTES + 1) * MINUTE_MS
        self.tape = iter(disturbed(world.tape(START_MS, end_ms), 1))
        self.ahead = next(self.tape, None)
        for tracker in self.trackers.values():
            tracker.begin(START_MS)

    def _import_history(self) -> None:
        first_ms = -(-self.world.first_ms // MINUTE_MS) * MINUTE_MS
        self.writer.import_batch(
            [
                Incoming(order)
                for row in self.world.tape(first_ms, START_MS)
                for order in VENUES[row.venue]
                .parse(row.frame, self.markets[row.venue], row.received_ms)
                .liquidations
            ]
        )
        for venue in VENUES:
            self.writer.cover(venue, [Interval(first_ms, START_MS)], "import", START_MS)

    def minute(self, number: int) -> int:
        """:return: how many waves the minute brought"""
        close_ms = START_MS + number * MINUTE_MS
        self._connections(number)
        batch: list[Incoming] = []
        while self.ahead is not None and self.ahead.received_ms <= close_ms + 2_000:
            row = self.ahead
            if self.trackers[row.venue].covering:
                said = VENUES[row.venue].parse(row.frame, self.markets[row.venue], row.received_ms)
                batch += [Incoming(order, self.since[row.venue]) for order in said.liquidations]
            self.ahead = next(self.tape, None)
        self.writer.append(batch)
        for tracker in self.trackers.values():
            tracker.prove(close_ms + 1_000, close_ms + 1_000)
        heard = [venue for venue, tracker in self.trackers.items() if tracker.heard(close_ms)]
        self.now_ms = close_ms + 2_000
        self.settler.settle(close_ms, heard, self.now_ms)
        self.writer.put_state("sidecar", self._status(), self.now_ms)
        settled = self.settler.compute(close_ms, self.now_ms)
        self.now_ms += 200
        if settled.anomalies:
            asyncio.run(self.judge.judge(settled))
        return len(settled.anomalies)

    def _connections(self, number: int) -> None:
        if number == HOLE[0]:
            for tracker in self.trackers.values():
                tracker.lose()
        elif number == HOLE[1]:
            begin_ms = START_MS + number * MINUTE_MS - 30_000
            for venue, tracker in self.trackers.items():
                tracker.begin(begin_ms)
                self.since[venue] = begin_ms

    def _status(self) -> dict[str, Any]:
        feeds = {venue: {"state": "live", "markets": 4} for venue in VENUES}
        return {
            "skew_ms": 0,
            "windows": windows_of(self.settings),
            "settings": sidecar_settings(self.settings),
            "feeds": feeds,
        }

    def close(self) -> None:
        self._pool.shutdown()
        self.writer.close()


@dataclass(frozen=True)
class Day:
    """
    :param live: trades of the dry-run
    :param waves: minutes in which the sidecar saw a wave above its floor
    """

    lab: FreqtradeRuns
    world: World
    live: list[TakenTrade]
    waves: int


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    base = tmp_path_factory.mktemp("day")
    settings = load_settings({"liq_provider": SECTION}, {})
    scenario = Scenario(tuple(scripted()))
    with (
        pytest.MonkeyPatch.context() as patch,
        time_machine.travel(START_MS / 1000, tick=True) as clock,
    ):
        # To the bot the day passes; a clock that is moved would refuse its entries.
        for module in (clock_watch, store_reading):
            patch.setattr(module, "elapsed_s", time.time)
        # Each of a thousand loops waits for two looks at the store, which are 0.2 s apart.
        patch.setattr(source, "_EVERY_S", 0.01)
        world = World(START_MS, 5, symbols=SYMBOLS, background=1.5, scenario=scenario)
        with simulator(world) as sim:
            sidecar = Sidecar(world, sim, f"sqlite:///{base / 'store.sqlite'}", settings)
            bot = Bot(config(sim, base), base)
            waves = live_day(sidecar, bot, clock)
            live = [taken(trade) for trade in bot.closed]
            assert not bot.open
            bot.close()
            sidecar.close()
            write_candles(base, world)
            yield Day(FreqtradeRuns(sim, base), world, live, waves)


def config(sim: Simulator, base: Path) -> dict[str, Any]:
    config = bot_config(sim, base, **SECTION)
    config["exchange"]["pair_whitelist"] = PAIRS
    return config | {"max_open_trades": 4}


def live_day(sidecar: Sidecar, bot: Bot, clock: Any) -> int:
    waves, quiet = 0, 99
    for number in range(1, MINUTES + 1):
        close_ms = START_MS + number * MINUTE_MS
        clock.move_to(close_ms / 1000 + 2.2)
        minute = sidecar.minute(number)
        waves += minute
        quiet = 0 if minute else quiet + 1
        if quiet > 2 and not bot.open and number % 60:
            continue
        for second in range(3, 60, LOOP_S):
            clock.move_to(close_ms / 1000 + second)
            bot.loop()
            if not bot.open:
                break
    return waves


def taken(trade: Any) -> TakenTrade:
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


def write_candles(base: Path, world: World) -> None:
    datadir = base / "user_data" / "data" / "binance"
    (datadir / "futures").mkdir(parents=True)
    handler = get_datahandler(datadir, "feather")
    end_ms = START_MS + MINUTES * MINUTE_MS
    for spec in SYMBOLS:
        rows = world.candles(
            spec.symbol, MINUTE_MS, START_MS - 60 * MINUTE_MS, end_ms - 1, end_ms + MINUTE_MS
        )
        frame = pd.DataFrame(rows, columns=["date", "open", "high", "low", "close", "volume"])
        frame = frame[frame["date"] < end_ms]
        frame["date"] = pd.to_datetime(frame["date"], unit="ms", utc=True)
        handler.ohlcv_store(spec.pair, "1m", frame, CandleType.FUTURES)


@pytest.fixture(scope="module")
def tested(day: Day) -> list[TakenTrade]:
    """The same day, backtested with the verdicts that were recorded."""
    return backtest(day, "recorded")


def backtest(day: Day, verdicts: str) -> list[TakenTrade]:
    section = SECTION | {"backtest_verdicts": verdicts, "min_coverage": 0}
    overrides = {"max_open_trades": 4, "exchange": config(day.lab.sim, day.lab.base)["exchange"]}
    path = day.lab.config(overrides, **section)
    text = path.read_text()
    for key in ("baseline_hours", "min_baseline_segments", "min_active_segments"):
        text = text.replace(f'"{key}": {FEATURES_OF_LAB[key]}, ', "")
    path.write_text(text)
    results = day.lab.base / f"results-{verdicts}"
    results.mkdir()
    start_s = START_MS // 1000
    day.lab.run(
        *("backtesting", "--export", "trades", "--cache", "none"),
        *("--timerange", f"{start_s}-{start_s + MINUTES * 60}"),
        *("--backtest-directory", str(results)),
        config=path,
    )
    from freqtrade.data.btanalysis import load_backtest_data

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


FEATURES_OF_LAB = {"baseline_hours": 2, "min_baseline_segments": 12, "min_active_segments": 5}


def key(trade: TakenTrade) -> tuple[object, ...]:
    return trade.candle, trade.pair, trade.is_short, trade.tag


def test_the_day_has_what_it_takes(day: Day) -> None:
    assert day.waves >= 15
    reasons = {trade.reason for trade in day.live}
    assert {"stop_loss", "trailing_stop_loss"} <= reasons
    assert {trade.is_short for trade in day.live} == {True, False}
    assert len(day.live) >= 8
    hole = [START_MS + minute * MINUTE_MS for minute in (HOLE[0] - 1, HOLE[1] + 5)]
    entered = [int(trade.candle.timestamp() * 1000) for trade in day.live]
    assert not any(hole[0] <= ms <= hole[1] for ms in entered), "nobody knew of that wave"


@pytest.mark.parametrize("verdicts", ["recorded", "matrix"])
def test_live_and_backtest_take_the_same_entries(
    day: Day, tested: list[TakenTrade], verdicts: str
) -> None:
    tested_entries = tested if verdicts == "recorded" else backtest(day, verdicts)
    assert sorted(key(trade) for trade in tested_entries) == sorted(
        key(trade) for trade in day.live
    )


def test_they_exit_for_the_same_reasons_within_a_candle(day: Day, tested: list[TakenTrade]) -> None:
    pairs = list(zip(sorted(day.live, key=key), sorted(tested, key=key), strict=True))
    different = [
        (live, back)
        for live, back in pairs
        if live.reason != back.reason
        or abs(live.exit_candle - back.exit_candle) > pd.Timedelta(minutes=1)
    ]
    assert not different, different


def test_fill_prices_differ_by_what_happens_within_a_candle(
    day: Day, tested: list[TakenTrade]
) -> None:
    for live, back in zip(sorted(day.live, key=key), sorted(tested, key=key), strict=True):
        assert live.entry == pytest.approx(back.entry, rel=0.001), "a few seconds after the open"
        assert live.exit == pytest.approx(back.exit, rel=0.006), "live looks every few seconds"
