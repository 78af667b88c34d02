"""Candles as they are sent: the same whoever asks, and true after the script was changed."""

import orjson
import pytest

from liq_provider.simulator.candle_rows import CandleRows
from liq_provider.simulator.many_symbols import many_symbols
from liq_provider.simulator.prices import PriceLeg
from liq_provider.simulator.world import World

MINUTE = 60_000
START_MS = 1_750_000_000_000 // MINUTE * MINUTE
NOW_MS = START_MS + 20_000


@pytest.fixture
def world() -> World:
    return World(START_MS, seed=3, background=0.0, history_h=3)


def asked(
    rows: CandleRows, world: World, from_ms: int, to_ms: int, now_ms: int = NOW_MS
) -> list[list[object]]:
    spec = world.symbols["BTCUSDT"]
    answer = orjson.loads(rows.between(spec, MINUTE, from_ms, to_ms, now_ms, True))
    return list(answer)


def test_a_candle_is_the_same_whatever_was_asked_for_before(world: World) -> None:
    kept, span = CandleRows(world), (START_MS - 30 * MINUTE, START_MS)
    asked(kept, world, START_MS - 10 * MINUTE, START_MS - 5 * MINUTE)
    for later_ms in range(0, 3 * MINUTE, 20_000):
        first, last = span[0] + later_ms, span[1] + later_ms
        now_ms = NOW_MS + later_ms
        fresh = asked(CandleRows(world), world, first, last, now_ms)
        assert asked(kept, world, first, last, now_ms) == fresh
        assert len(fresh) == 30 + (later_ms % MINUTE == 0)


def test_a_candle_has_the_same_volume_alone_and_among_others(world: World) -> None:
    many = asked(CandleRows(world), world, START_MS - 5 * MINUTE, START_MS - MINUTE)
    one = asked(CandleRows(world), world, START_MS - 3 * MINUTE, START_MS - 3 * MINUTE)
    assert one == [many[2]]


def test_the_running_candle_is_not_kept(world: World) -> None:
    rows = CandleRows(world)
    early = asked(rows, world, START_MS, START_MS, START_MS + 5_000)
    late = asked(rows, world, START_MS, START_MS, START_MS + 59_000)
    done = asked(rows, world, START_MS, START_MS, START_MS + 61_000)
    assert float(str(early[0][5])) < float(str(late[0][5])) <= float(str(done[0][5]))


def test_a_price_that_is_moved_in_the_past_is_seen_in_its_candles(world: World) -> None:
    rows = CandleRows(world)
    before = asked(rows, world, START_MS - 10 * MINUTE, START_MS - MINUTE)
    world.add_legs([PriceLeg("BTCUSDT", START_MS - 5 * MINUTE, 0, 0.1)])
    after = asked(rows, world, START_MS - 10 * MINUTE, START_MS - MINUTE)
    assert after[:4] == before[:4]
    assert float(str(after[-1][4])) > 1.09 * float(str(before[-1][4]))


def test_nothing_is_told_of_before_the_history_or_of_the_future(world: World) -> None:
    rows = CandleRows(world)
    first = asked(rows, world, world.first_ms - 5 * MINUTE, world.first_ms + MINUTE)
    assert [row[0] for row in first] == [world.first_ms, world.first_ms + MINUTE]
    last = asked(rows, world, START_MS - MINUTE, START_MS + 5 * MINUTE)
    assert [row[0] for row in last] == [START_MS - MINUTE, START_MS]
    assert asked(rows, world, START_MS + MINUTE, START_MS + 5 * MINUTE) == []


def test_a_price_that_is_not_traded_has_no_volume(world: World) -> None:
    spec = world.symbols["BTCUSDT"]
    span = (START_MS - 2 * MINUTE, START_MS - MINUTE, NOW_MS)
    mark = orjson.loads(CandleRows(world).between(spec, MINUTE, *span, False))
    traded = orjson.loads(CandleRows(world).between(spec, MINUTE, *span, True))
    assert [row[5] for row in mark] == ["0", "0"]
    assert [row[1:5] for row in mark] == [row[1:5] for row in traded]


def test_five_hundred_pairs_are_asked_for_their_candles_at_little_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    specs = many_symbols([f"COIN{n}" for n in range(500)])
    world = World(START_MS, symbols=specs, background=0.0, volatility=0.0, history_h=1)
    rows, from_ms = CandleRows(world), START_MS - 40 * MINUTE
    for spec in specs:
        rows.between(spec, MINUTE, from_ms, START_MS, START_MS, True)
    counted: list[int] = []
    seconds = world.seconds

    def counting(symbol: str, from_s: int, to_s: int) -> object:
        counted.append(to_s - from_s)
        return seconds(symbol, from_s, to_s)

    monkeypatch.setattr(world, "seconds", counting)
    for spec in specs:
        rows.between(spec, MINUTE, from_ms, START_MS + MINUTE, START_MS + MINUTE, True)
    assert max(counted) <= 61, "only the new candle is computed, and the running one"
    assert len(counted) == 2 * len(specs)
