"""
An hour and a half of a whole market, traded live by the short list of pairs that the sidecar keeps,
and backtested by a static list of all of them: how far the two may differ.

The list is the sidecar's own: what the running and the settled minutes show, and the positions that
the bot tells, written to the file that Freqtrade's RemotePairList reads in each loop of the real
bot. The exchange is simulated, and the clock is moved by the test. Most groups of waves are larger
than the list. The backtest is of the very same configuration.
"""

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from liq_provider.config.pair_list_file import entry_for, listed_in
from liq_provider.config.settings import Settings, load_settings
from liq_provider.core.durations import MINUTE_MS
from liq_provider.sidecar import pair_list as pair_list_module
from liq_provider.sidecar.pair_list import PairList
from liq_provider.sidecar.pair_of_coin import PairOfCoin
from liq_provider.sidecar.running_minute import RunningMinute
from liq_provider.sidecar.sidecar_config import SidecarConfig
from liq_provider.simulator.demo_script import wave_usd
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.many_symbols import many_symbols
from liq_provider.simulator.scenario import Scenario, ScriptedWave, make_wave
from liq_provider.simulator.symbols import DEMO_SYMBOLS
from liq_provider.simulator.world import World
from liq_provider.store.readiness_facts import assess
from tests.integration.harness import Bot, bot_config, simulator, until
from tests.integration.history import FreqtradeRuns
from tests.integration.live_minutes import (
    LiveMinutes,
    TakenTrade,
    backtested,
    passing,
    taken,
    write_candles,
)

pytestmark = pytest.mark.timeout(900)

Key = tuple[pd.Timestamp, str]
Names = Callable[[], Mapping[str, str]]
Bots = Callable[[], Sequence[Mapping[str, Any]]]

START_MS = int(pd.Timestamp("2026-03-02", tz="UTC").timestamp() * 1000)
MINUTES = 86
HISTORY_H = 8.0
PLACES = 3
# Names that Freqtrade knows leverage tiers of.
FURTHER = "TRX ATOM FIL APT INJ TIA SEI WLD AAVE ETC XLM HBAR"
SYMBOLS = many_symbols([*(spec.base for spec in DEMO_SYMBOLS), *FURTHER.split()])
SECTION: dict[str, Any] = {
    "max_entry_delay_s": 30,
    "max_skew_ms": 5_000,
    "min_coverage": 0,
    "baseline_hours": 6,
    "min_baseline_segments": 36,
    "market": {"pairs": PLACES},
}
# As documented: so many loops after the list has a pair its wave is entered, at the latest.
LOOPS = 2

# By minute: coin, kind of wave, side that is wiped out; ``!`` shows in the last second only, and
# ``+`` are stronger than the others.
GROUPS: dict[int, tuple[str, ...]] = {
    20: ("BTC runs_on long", "TRX runs_on short"),
    32: ("AVAX runs_on short", "LINK runs_on long", "LTC runs_on long", "SUI reverts short",
         "NEAR runs_on short"),
    44: ("DOGE+ not_aligned long", "XRP+ not_aligned short", "ADA+ not_aligned long",
         "DOT runs_on long", "UNI runs_on short"),
    56: ("ARB! runs_on long", "OP! runs_on short"),
    68: ("ATOM runs_on long", "FIL runs_on short", "APT! runs_on long", "INJ! reverts short",
         "TIA! runs_on short", "SEI mixed long"),
    80: ("WLD+ not_aligned short", "AAVE+ not_aligned long", "ETH+ runs_on long",
         "SOL runs_on short", "ETC! runs_on long"),
}  # fmt: skip
STRONGER = 4.0


def scripted() -> Iterator[ScriptedWave]:
    by_base = {spec.base: spec for spec in SYMBOLS}
    for minute, waves in GROUPS.items():
        close_ms = START_MS + minute * MINUTE_MS
        for words in waves:
            coin, kind, side = words.split()
            spec = by_base[coin.rstrip("+!")]
            usd = wave_usd(spec) * (STRONGER if coin.endswith("+") else 1.5)
            wave = make_wave(words, kind, spec.symbol, side, close_ms, usd)  # type: ignore[arg-type]
            if coin.endswith("!"):
                (burst,) = wave.bursts
                late = replace(burst, at_ms=close_ms - 900, over_ms=800)
                wave = replace(wave, bursts=(late,))
            yield wave


class KeptList:
    """The sidecar's list of pairs, in a thread of its own; it is written before one goes on."""

    def __init__(self, config: SidecarConfig, names: Names, bots: Bots) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.pairs = self._soon(self._make(config, names, bots)).result(60)
        self._run = self._soon(self.pairs.run())

    def _soon(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _make(self, config: SidecarConfig, names: Names, bots: Bots) -> PairList:
        return PairList(config, names, bots, lambda: int(time.time() * 1000))

    def told(self, take: Callable[[Any], None], what: Any) -> None:
        """:param take: method of the list, which is given that"""
        self._loop.call_soon_threadsafe(take, what)
        until(self._is_written, 20, 0.005)

    def _is_written(self) -> bool:
        kept = self.pairs
        assert not self._run.done()
        idle = not (kept._changed or kept._at_once or kept._wake.is_set() or kept._writing)
        return idle and set(self.listed) == set(kept.report()["pairs"])

    @property
    def listed(self) -> list[str]:
        return listed_in(self.pairs.path) or []

    def close(self) -> None:
        self._run.cancel()
        self.pairs.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class MarketMinutes(LiveMinutes):
    """The sidecar's parts, with the running minute and the list of pairs."""

    def __init__(
        self, world: World, sim: Simulator, url: str, settings: Settings, kept: KeptList
    ) -> None:
        super().__init__(world, sim, url, settings, MINUTES)
        self.kept = kept
        self.settled_ms = START_MS
        self._running = RunningMinute(self.reader, settings)

    def look(self, now_ms: int) -> None:
        """What the running minute shows so far."""
        self.hear(now_ms)
        close_ms = now_ms - now_ms % MINUTE_MS + MINUTE_MS
        covering = [name for name, tracker in self.trackers.items() if tracker.covering]
        running = self._running.look(close_ms, self.settled_ms, covering, self.names())
        self.kept.told(self.kept.pairs.take_running, running)

    def minute(self, number: int) -> int:
        """As in the sidecar the list comes before the verdicts."""
        settled = self.settle(number)
        self.settled_ms = settled.close_ms
        self.kept.told(self.kept.pairs.take_settled, settled)
        if number % 10 == 1:
            assessed = assess(self.reader, self.settings, {}, settled.close_ms)
            lively = {coin: active_n for coin, (*_, active_n) in assessed.coins.items()}
            self.kept.told(self.kept.pairs.take_liveliness, lively)
        self.writer.put_state("sidecar", self.status(), self.now_ms)
        self.judge_waves(settled)
        return len(settled.anomalies)

    def status(self) -> dict[str, Any]:
        return super().status() | {"pair_list": self.kept.pairs.report()}


@dataclass
class Market:
    """
    Trades by candle and coin.

    :param live: of the dry-run
    :param loops: after the first that could have entered it
    :param joined: whose pair came into the list after the minute was settled
    :param left_out: waves that the bot said its list left out, with the reason
    :param asked: pairs whose candles a loop asked for, positions excepted
    :param tested: of the backtest
    """

    live: dict[Key, TakenTrade] = field(default_factory=dict)
    loops: dict[Key, int] = field(default_factory=dict)
    joined: set[Key] = field(default_factory=set)
    left_out: dict[Key, str] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)
    tested: dict[Key, TakenTrade] = field(default_factory=dict)


def by_key(trades: Iterable[TakenTrade]) -> dict[Key, TakenTrade]:
    return {(trade.candle, trade.pair.partition("/")[0]): trade for trade in trades}


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    base, market = tmp_path_factory.mktemp("market"), Market()
    settings = load_settings({"liq_provider": SECTION}, {})
    script = Scenario(tuple(scripted()))
    world = World(START_MS, 5, SYMBOLS, HISTORY_H, script, background=1.5)
    with (
        pytest.MonkeyPatch.context() as patch,
        # A machine that is busy would have it move back from a loop to the next.
        passing(START_MS, tick=False) as clock,
        simulator(world) as sim,
    ):
        patch.setattr(pair_list_module, "time", SimpleNamespace(monotonic=time.time))
        patch.setattr(pair_list_module, "_EVERY_S", 0.01)
        patch.setattr(pair_list_module, "_CHANGED_S", 0.0)  # the test looks less often
        own = config(sim, base)
        names = PairOfCoin()
        names.update({spec.coin: spec.pair for spec in SYMBOLS})
        with ExitStack() as ending:
            bot = Bot(own, base)
            ending.callback(bot.close)
            live = bot.strategy.liq.live
            list_config = SidecarConfig.of(own | {"base_dir": str(base)})
            kept = KeptList(list_config, names, lambda: [live._told])
            ending.callback(kept.close)
            url = f"sqlite:///{base / 'store.sqlite'}"
            minutes = MarketMinutes(world, sim, url, settings, kept)
            ending.callback(minutes.close)
            trade_live(market, minutes, bot, clock)
            assert not bot.open
            market.live = by_key(taken(trade) for trade in bot.closed)
        write_candles(base, world, MINUTES)
        market.tested = by_key(backtest(FreqtradeRuns(sim, base), own))
    return market


def config(sim: Simulator, base: Path) -> dict[str, Any]:
    """Of bot, sidecar and backtest."""
    config = bot_config(sim, base, **SECTION)
    config["exchange"]["pair_whitelist"] = [".*/USDT:USDT"]
    config["pairlists"] = [entry_for(base / "user_data" / "liq_pairs.json")]
    return config | {"max_open_trades": -1}


def trade_live(market: Market, minutes: MarketMinutes, bot: Bot, clock: Any) -> None:
    for number in range(1, MINUTES + 1):
        close_ms = START_MS + number * MINUTE_MS
        if number in GROUPS:
            for ms in (close_ms - 15_000, close_ms - 1_100):
                clock.move_to(ms / 1000)
                minutes.look(ms)
            # Freqtrade has asked for candles before the minute is settled.
            clock.move_to(close_ms / 1000 + 1.05)
            bot.loop_at_once()
        clock.move_to(close_ms / 1000 + 2.1)
        minutes.minute(number)
        if number in GROUPS:
            enter(market, minutes, bot, clock, close_ms)
        elif bot.open:
            for second in (3, 20, 40):
                clock.move_to(close_ms / 1000 + second)
                bot.loop()


def enter(market: Market, minutes: MarketMinutes, bot: Bot, clock: Any, close_ms: int) -> None:
    """The loops after a close with waves, the last of them when it is too late for an order."""
    candle, before = pd.Timestamp(close_ms, unit="ms", tz="UTC"), set(bot.open)
    told = len(bot.messages)
    listed: dict[str, int] = {}
    for loop, second in enumerate((3, 4, 5, 6, 7, 8, 9, 10, 32, 50)):
        clock.move_to(close_ms / 1000 + second - 0.1)
        if loop:
            minutes.look(close_ms + second * 1_000 - 100)
            minutes.writer.put_state("sidecar", minutes.status(), close_ms + second * 1_000 - 100)
        for pair in minutes.kept.listed:
            listed.setdefault(pair, loop)
        clock.move_to(close_ms / 1000 + second)
        bot.loop()
        market.asked.append(len(set(bot.freqtrade.active_pair_whitelist) - before))
        for pair in set(bot.open) - before:
            before.add(pair)
            key = candle, pair.partition("/")[0]
            market.loops[key] = loop - listed[pair]
            if listed[pair]:
                market.joined.add(key)
    for text in bot.messages[told:]:
        said = re.search(r"coins that are not in the bot's list: (.*)", str(text).replace("`", ""))
        if said is not None:
            for coin, why in re.findall(r"(\w+) \((.+?)\)", said[1]):
                market.left_out[candle, coin] = why


def backtest(lab: FreqtradeRuns, own: dict[str, Any]) -> list[TakenTrade]:
    path, results = lab.base / "backtest.json", lab.base / "results"
    path.write_text(json.dumps({key: own[key] for key in own if key != "db_url"}))
    results.mkdir()
    start_s = START_MS // 1000
    lab.run(
        *("backtesting", "--export", "trades", "--cache", "none"),
        *("--timerange", f"{start_s}-{start_s + MINUTES * 60}"),
        *("--backtest-directory", str(results)),
        config=path,
    )
    return backtested(results)


def test_the_market_has_what_it_takes(market: Market) -> None:
    assert len(market.tested) >= 15
    assert {trade.is_short for trade in market.tested.values()} == {True, False}
    assert max(market.asked) <= PLACES, "all other waves are outside of the list at first"
    assert len(market.joined) >= 4, "places that positions free are taken"
    assert len(market.left_out) >= 2


def test_live_enters_the_same_waves_and_misses_what_it_says_its_list_left_out(
    market: Market,
) -> None:
    for key, trade in market.live.items():
        assert trade.key == market.tested[key].key, "same pair, wave, side and level"
    assert market.tested.keys() - market.live.keys() == market.left_out.keys()
    assert set(market.left_out.values()) == {"the list is full"}


def test_a_wave_is_entered_within_two_loops_of_its_pair_being_in_the_list(market: Market) -> None:
    assert market.loops.keys() == market.live.keys()
    assert max(market.loops.values()) <= LOOPS, market.loops
