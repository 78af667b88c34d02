"""Prices, candles and tape of the synthetic market."""

from collections import defaultdict

import numpy as np
import pytest

from liq_provider.core.durations import MINUTE_MS
from liq_provider.simulator.market import SimulatedMarket
from liq_provider.simulator.world import World
from liq_provider.venues import VENUES
from tests.simulator.helpers import START_MS, read_tape

NOW = START_MS + 41_500


def test_the_same_seed_and_start_give_the_same_market() -> None:
    one, two, other = World(START_MS), World(START_MS), World(START_MS, seed=2)
    one.price("BTCUSDT", NOW)  # the order of questions must not matter
    span = (START_MS - 3_600_000, NOW)
    assert one.tape(*span) == two.tape(*span) != other.tape(*span)
    assert one.candles("BTCUSDT", MINUTE_MS, *span, NOW) == two.candles(
        "BTCUSDT", MINUTE_MS, *span, NOW
    )


def test_there_are_enough_candles_and_all_are_on_the_tick() -> None:
    world = World(START_MS)
    for symbol, spec in world.symbols.items():
        rows = world.candles(symbol, MINUTE_MS, NOW - 1_500 * MINUTE_MS, NOW, NOW)
        assert len(rows) == 1_500
        prices = np.array([row[1:5] for row in rows])
        ticks = prices / float(spec.tick)
        assert np.abs(ticks - np.rint(ticks)).max() < 1e-3
        assert (prices[:, 1] >= prices.max(axis=1)).all()
        assert (prices[:, 2] <= prices.min(axis=1)).all()
        assert all(row[5] > 0 for row in rows)


def test_the_last_candle_is_unfinished_and_agrees_with_the_ticker() -> None:
    world = World(START_MS)
    row = world.candles("ETHUSDT", MINUTE_MS, NOW - MINUTE_MS, NOW, NOW)[-1]
    assert row[0] == NOW - NOW % MINUTE_MS
    assert row[4] == world.price("ETHUSDT", NOW)
    assert len(world.seconds("ETHUSDT", row[0] // 1000, NOW // 1000 + 1)) < 60


@pytest.mark.parametrize("minutes", [3, 5, 15, 60])
def test_larger_candles_are_made_of_smaller_ones(minutes: int) -> None:
    world = World(START_MS)
    span = minutes * MINUTE_MS
    since = (NOW // span - 10) * span
    small = world.candles("SOLUSDT", MINUTE_MS, since, NOW, NOW)
    grouped = defaultdict(list)
    for row in small:
        grouped[row[0] // span * span].append(row)
    for row in world.candles("SOLUSDT", span, since, NOW, NOW):
        parts = grouped[row[0]]
        assert row[1:5] == (
            parts[0][1],
            max(part[2] for part in parts),
            min(part[3] for part in parts),
            parts[-1][4],
        )


def test_the_tape_is_what_the_sockets_send() -> None:
    world = World(START_MS, background=20.0)
    from_ms, to_ms = START_MS - 120_000, START_MS
    live = []
    for venue, known in VENUES.items():
        bucket_ms = known.dialect.bucket_ms
        for bucket in range(from_ms // bucket_ms - 5, to_ms // bucket_ms + 5):
            live += [
                (frame.emit_ms, venue, frame.payload)
                for frame in world.frames(venue, bucket)
                if from_ms <= frame.emit_ms < to_ms
            ]
    tape = [(row.received_ms, row.venue, row.frame) for row in world.tape(from_ms, to_ms)]
    assert sorted(live) == sorted(tape)
    assert len(tape) > 10


def test_parsers_read_the_orders_that_the_market_made() -> None:
    """Sides, quantities, contracts and multipliers survive every dialect."""
    world = World(START_MS, background=5.0, throttle=False)
    span = (START_MS - 6 * 3_600_000, START_MS)
    made, read = defaultdict(list), defaultdict(list)
    for order in world.orders(span[0], span[1] - 5_000):
        made[order.venue, order.position_side].append(round(order.notional_usd, 4))
    for one in read_tape(world, world.tape(*span)):
        if span[0] <= one.event_ms < span[1] - 5_000:
            read[one.venue, one.position_side].append(round(one.notional_usd, 4))
    assert made.keys() == read.keys()
    for key in made:
        assert sorted(made[key]) == pytest.approx(sorted(read[key]), rel=1e-5)


def test_binance_publishes_the_largest_order_per_symbol_and_second() -> None:
    throttled, full = (
        World(START_MS, background=500.0),
        World(START_MS, background=500.0, throttle=False),
    )
    span = (START_MS - 60_000, START_MS)

    def binance(market: SimulatedMarket) -> dict[tuple[str, int], list[float]]:
        frames = defaultdict(list)
        for row in read_tape(market, market.tape(*span)):
            if row.venue == "binance":
                frames[row.pair, row.event_ms // 1000].append(row.notional_usd)
        return frames

    all_orders, kept = binance(full), binance(throttled)
    assert any(len(sizes) > 1 for sizes in all_orders.values())
    assert kept == {key: [max(sizes)] for key, sizes in all_orders.items()}


def test_a_gap_and_a_ramp() -> None:
    world = World(START_MS, volatility=0.0)
    before = world.price("BTCUSDT", NOW)
    world.move("BTCUSDT", NOW, 0, before * 0.95)
    assert world.price("BTCUSDT", NOW) == pytest.approx(before * 0.95, abs=0.1)
    assert world.price("BTCUSDT", NOW - 1_000) == before
    world.move("BTCUSDT", NOW + 10_000, 10, before)
    assert world.price("BTCUSDT", NOW + 10_000) == pytest.approx(before * 0.95, rel=1e-2)
    assert world.price("BTCUSDT", NOW + 21_000) == pytest.approx(before, abs=0.1)


def test_before_the_history_there_are_no_candles() -> None:
    world = World(START_MS, history_h=2)
    rows = world.candles("BTCUSDT", MINUTE_MS, 0, NOW, NOW)
    assert rows[0][0] == world.first_ms
    assert world.candles("BTCUSDT", MINUTE_MS, 0, world.first_ms - 1, NOW) == []
