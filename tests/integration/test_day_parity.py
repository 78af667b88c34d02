"""
A day traded live and the same day backtested: the same entries, and exits for the same reasons.

Live is the real bot in dry-run on the simulated exchange (HTTP on loopback), beside the
sidecar's own parsers, writer, settler and judge; only the clock is moved by the test. The bot
loops at every close that may matter, and every six seconds while a position is open; in the
quiet minutes in between it has nothing to do. Backtested is the store that this day left
behind, with the exchange's candles, by the real ``freqtrade backtesting``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from liq_provider.config.settings import load_settings
from liq_provider.core.durations import MINUTE_MS
from liq_provider.simulator.demo_script import wave_usd
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.prices import PriceLeg
from liq_provider.simulator.scenario import Scenario, ScriptedWave, make_wave
from liq_provider.simulator.symbols import DEMO_SYMBOLS
from liq_provider.simulator.world import World
from tests.integration.harness import Bot, bot_config, simulator
from tests.integration.history import FreqtradeRuns
from tests.integration.live_minutes import (
    LiveMinutes,
    TakenTrade,
    backtested,
    passing,
    taken,
    write_candles,
)

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
    with passing(START_MS) as clock:
        world = World(START_MS, 5, symbols=SYMBOLS, background=1.5, scenario=scenario)
        with simulator(world) as sim:
            url = f"sqlite:///{base / 'store.sqlite'}"
            sidecar = LiveMinutes(world, sim, url, settings, MINUTES, HOLE)
            bot = Bot(config(sim, base), base)
            waves = live_day(sidecar, bot, clock)
            live = [taken(trade) for trade in bot.closed]
            assert not bot.open
            bot.close()
            sidecar.close()
            write_candles(base, world, MINUTES)
            yield Day(FreqtradeRuns(sim, base), world, live, waves)


def config(sim: Simulator, base: Path) -> dict[str, Any]:
    config = bot_config(sim, base, **SECTION)
    config["exchange"]["pair_whitelist"] = PAIRS
    return config | {"max_open_trades": 4}


def live_day(sidecar: LiveMinutes, bot: Bot, clock: Any) -> int:
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
    return backtested(results)


FEATURES_OF_LAB = {"baseline_hours": 2, "min_baseline_segments": 12, "min_active_segments": 5}


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
    assert sorted(trade.key for trade in tested_entries) == sorted(trade.key for trade in day.live)


def _key(trade: TakenTrade) -> tuple[object, ...]:
    return trade.key


def test_they_exit_for_the_same_reasons_within_a_candle(day: Day, tested: list[TakenTrade]) -> None:
    pairs = list(zip(sorted(day.live, key=_key), sorted(tested, key=_key), strict=True))
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
    for live, back in zip(sorted(day.live, key=_key), sorted(tested, key=_key), strict=True):
        assert live.entry == pytest.approx(back.entry, rel=0.001), "a few seconds after the open"
        assert live.exit == pytest.approx(back.exit, rel=0.006), "live looks every few seconds"
