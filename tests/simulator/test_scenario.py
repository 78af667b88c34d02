"""The demo's script, checked on the tape and the candles that it makes."""

import math
from collections import defaultdict

import numpy as np
import pytest

from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.simulator.demo_script import demo_scenario, first_close_ms
from liq_provider.simulator.scenario import ScriptedWave
from liq_provider.simulator.world import World
from tests.simulator.helpers import START_MS, read_tape

pytestmark = pytest.mark.slow

SEGMENT_MS = 5 * MINUTE_MS
BASELINE = 288
MINUTE_OPEN = START_MS - START_MS % MINUTE_MS


def demo_world(start_ms: int, seed: int = 1) -> World:
    return World(start_ms, seed, scenario=demo_scenario(start_ms, seed))


def segments(tape: list[Liquidation], coin: str, end_ms: int) -> np.ndarray:
    """Long and short money in 289 segments before ``end_ms``, the newest last."""
    money = np.zeros((BASELINE + 1, 2))
    for order in tape:
        back = (end_ms - 1 - order.event_ms) // SEGMENT_MS
        if order.base_asset == coin and order.event_ms < end_ms and back <= BASELINE:
            money[BASELINE - back, 0 if order.position_side == "long" else 1] += order.notional_usd
    return money


def z_and_purity(tape: list[Liquidation], coin: str, end_ms: int) -> tuple[float, float]:
    money = segments(tape, coin, end_ms)
    totals = money.sum(axis=1)
    z = (totals[-1] - totals[:-1].mean()) / totals[:-1].std()
    return float(z), float(money[-1].max() / totals[-1])


def trend(world: World, symbol: str, close_ms: int) -> int:
    rows = world.candles(symbol, MINUTE_MS, close_ms - 16 * MINUTE_MS, close_ms - 1, close_ms)
    closes = np.array([row[4] for row in rows])
    assert len(closes) == 16
    change = closes[-1] / closes[0] - 1
    noise = np.diff(np.log(closes)).std() * math.sqrt(15)
    return 0 if abs(change) <= 0.5 * noise else int(math.copysign(1, change))


def wave_of(world: World, name: str) -> ScriptedWave:
    return next(wave for wave in world.waves if wave.name == name)


@pytest.fixture(scope="module")
def world() -> World:
    return demo_world(START_MS)


@pytest.mark.parametrize("second", [*range(0, 60, 5), 40, 41, 59])
def test_cascades_hit_before_the_first_close_wherever_the_demo_starts(second: int) -> None:
    start_ms = MINUTE_OPEN + second * 1000
    close_ms = first_close_ms(start_ms)
    assert 20_000 <= close_ms - start_ms < 80_000
    for wave in demo_scenario(start_ms).waves:
        for burst in wave.bursts:
            assert close_ms - MINUTE_MS <= burst.at_ms
            assert burst.at_ms + burst.over_ms < close_ms - 2_000


def test_every_frame_of_a_cascade_arrives_before_its_minute_settles(world: World) -> None:
    close_ms = first_close_ms(START_MS)
    rows = world.tape(close_ms - 25_000, close_ms + 2_000)
    assert len(rows) > 100
    assert {row.venue for row in rows} == {"binance", "bybit", "okx"}
    cascade = [order for order in read_tape(world, rows) if order.pair == "BTC/USDT:USDT"]
    assert max(order.received_ms for order in cascade) <= close_ms
    assert {order.venue for order in cascade} == {"binance", "bybit", "okx"}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("name", "pure", "follows"),
    [("A", True, -1), ("B", True, 1), ("C", True, 1), ("D", False, 0), ("E", True, 1)],
)
def test_each_wave_has_the_strength_and_trend_of_its_role(
    name: str, pure: bool, follows: int, seed: int
) -> None:
    world = demo_world(START_MS, seed)
    wave = wave_of(world, name)
    tape = read_tape(world, world.tape(world.first_ms, wave.close_ms + 1_000))
    z, purity = z_and_purity(tape, world.symbols[wave.symbol].coin, wave.close_ms)
    assert z > 6
    assert (purity > 0.93) if pure else (purity < 0.7)
    if name != "D":
        assert trend(world, wave.symbol, wave.close_ms) == follows
    if name == "E":  # longs are wiped out while the candles rise
        assert wave.position_side == "long"


@pytest.mark.parametrize(("name", "sign"), [("A", -1), ("B", 1)])
@pytest.mark.parametrize("entry_s", [2, 5, 10])
def test_runs_that_arm_and_hit_a_trailing_stop(
    world: World, name: str, sign: int, entry_s: int
) -> None:
    wave = wave_of(world, name)
    begin = wave.close_ms // 1000 + entry_s
    profit = sign * (
        world.seconds(wave.symbol, begin, begin + 100) / world.price(wave.symbol, begin * 1000) - 1
    )
    best = np.maximum.accumulate(profit)
    armed = best >= 0.012
    back = best - profit > 0.012
    assert 0.015 < best.max() < 0.03
    stopped = np.flatnonzero(armed & back)
    assert len(stopped) > 0
    assert begin + stopped[0] < wave.close_ms // 1000 + 60
    assert profit[: stopped[0]].min() > -0.005


@pytest.mark.parametrize("entry_s", [2, 5, 10])
def test_the_reversal_hits_the_fallback_and_never_arms(world: World, entry_s: int) -> None:
    wave = wave_of(world, "C")
    begin = wave.close_ms // 1000 + entry_s
    path = world.seconds(wave.symbol, begin, wave.close_ms // 1000 + 46)
    profit = path / path[0] - 1
    assert profit.min() < -0.022
    assert profit.max() < 0.005


def test_price_moves_with_the_cascade(world: World) -> None:
    for name, sign in (("A", -1), ("B", 1), ("C", 1), ("E", -1)):
        wave = wave_of(world, name)
        burst = wave.bursts[0]
        before = world.price(wave.symbol, burst.at_ms)
        after = world.price(wave.symbol, burst.at_ms + burst.over_ms)
        assert sign * (after / before - 1) > 0.003


@pytest.mark.parametrize("seed", [1, 2])
def test_the_baseline_is_warm_and_the_background_is_quiet(seed: int) -> None:
    """At most one accidental strong wave in a day over all symbols and minutes."""
    quiet = World(START_MS, seed)
    close_ms = MINUTE_OPEN
    tape = read_tape(quiet, quiet.tape(quiet.first_ms, START_MS))
    by_coin: dict[str, list[Liquidation]] = defaultdict(list)
    for order in tape:
        by_coin[order.base_asset].append(order)
    assert len(by_coin) == len(quiet.symbols)
    strong = 0
    for coin, own in by_coin.items():
        totals = segments(own, coin, close_ms).sum(axis=1)
        assert np.count_nonzero(totals) >= 60
        for minute in range(1_440):
            end_ms = close_ms - minute * MINUTE_MS
            inside = [i for i in own if end_ms - SEGMENT_MS <= i.event_ms < end_ms]
            money = sum(order.notional_usd for order in inside)
            if len(inside) < 3 or money < 25_000:
                continue
            longs = sum(i.notional_usd for i in inside if i.position_side == "long")
            z = (money - totals.mean()) / totals.std()
            strong += z >= 5 and max(longs, money - longs) / money >= 0.9
    assert strong <= 5  # minutes, that is at most one wave


def test_waves_follow_for_as_long_as_it_runs() -> None:
    world = demo_world(START_MS)
    world.prepare(START_MS + 3 * 3_600_000)
    closes = [wave.close_ms for wave in world.waves if wave.name.isdigit()]
    assert closes[0] == first_close_ms(START_MS) + 180_000
    gaps = np.diff([c for c in closes if c < START_MS + 3 * 3_600_000])
    assert gaps.max() <= 300_000
    assert gaps.min() >= 120_000
    assert {wave.kind for wave in world.waves} == {"runs_on", "reverts", "mixed", "not_aligned"}


def test_the_plan_never_rewrites_the_past() -> None:
    end_ms = START_MS + 2 * 3_600_000
    stepwise, at_once = demo_world(START_MS), demo_world(START_MS)
    seen = {
        s: [stepwise.price(s, START_MS + i * 60_000) for i in range(120)] for s in stepwise.symbols
    }
    at_once.prepare(end_ms)
    for symbol, prices in seen.items():
        assert prices == [at_once.price(symbol, START_MS + i * 60_000) for i in range(120)]
    assert stepwise.tape(START_MS, end_ms) == at_once.tape(START_MS, end_ms)


def test_symbols_rest_between_their_waves() -> None:
    world = demo_world(START_MS)
    world.prepare(START_MS + 2 * 3_600_000)
    last: dict[str, int] = {}
    for wave in world.waves:
        assert wave.close_ms - last.get(wave.symbol, 0) >= 1_500_000
        last[wave.symbol] = wave.close_ms


@pytest.mark.parametrize("waited_s", [0, 1, 31, 33, 100, 240])
def test_waves_that_are_held_come_whole_in_the_next_minute_that_has_room(waited_s: int) -> None:
    world = World(START_MS, scenario=demo_scenario(START_MS), hold=True)
    due_ms = first_close_ms(START_MS)
    now_ms = due_ms + waited_s * 1000
    assert not [order for order in world.orders(START_MS, now_ms) if order.notional_usd > 50_000]
    assert not set("ABCDE") & {wave["name"] for wave in world.describe(now_ms)["waves"]}
    close_ms = world.begin(now_ms)
    assert now_ms + 28_000 < close_ms <= now_ms + 88_000
    assert world.begin(now_ms + 1_000) == 0, "they come once"
    tape = read_tape(world, world.tape(world.first_ms, close_ms + 1_000))
    for name, pure, follows in (("A", 1, -1), ("B", 1, 1), ("C", 1, 1), ("D", 0, 0), ("E", 1, 1)):
        wave = wave_of(world, name)
        assert wave.close_ms == close_ms
        z, purity = z_and_purity(tape, world.symbols[wave.symbol].coin, close_ms)
        assert z > 6
        assert (purity > 0.93) if pure else (purity < 0.7)
        if name != "D":
            assert trend(world, wave.symbol, close_ms) == follows, name


def test_what_price_did_before_a_wave_is_not_changed_when_it_begins() -> None:
    world = World(START_MS, scenario=demo_scenario(START_MS), hold=True)
    begin_ms = first_close_ms(START_MS) + 100_000
    end_s = begin_ms // 1000 + 1
    before = {name: world.seconds(name, end_s - 3_600, end_s) for name in world.symbols}
    world.begin(begin_ms)
    for name, prices in before.items():
        assert (world.seconds(name, end_s - 3_600, end_s) == prices).all()
