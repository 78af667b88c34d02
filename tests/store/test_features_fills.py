"""Minutes that were filled later serve baselines, from the time on at which they were known."""

from dataclasses import replace

import numpy as np
import pytest

from liq_provider.core.durations import MINUTE_MS
from liq_provider.measure.feature_rows import State
from liq_provider.measure.features import compute_features
from liq_provider.measure.minute_grid import Fills, MinuteGrid
from tests.two_pass import SMALL, START_MS, check

SIZE, VENUES = 240, ("binance", "okx")


def holed(seed: int) -> MinuteGrid:
    """Two venues with holes, some of which are filled at three different times."""
    rng = np.random.default_rng(seed)
    shape = (len(VENUES), SIZE)
    covered = np.ones(shape, dtype=bool)
    known_ms = np.zeros(shape, dtype=np.int64)
    for _ in range(9):
        venue, first = int(rng.integers(2)), int(rng.integers(SIZE - 20))
        hole = slice(first, first + int(rng.integers(1, 12)))
        covered[venue, hole] = False
        if rng.random() < 0.7:
            later = hole.stop + int(rng.choice([1, 7, 40]))
            known_ms[venue, hole] = START_MS + later * MINUTE_MS

    def money() -> np.ndarray:
        return np.where(rng.random(shape) < 0.6, rng.lognormal(8, 2, shape), 0.0)

    count = rng.integers(0, 5, shape)
    fills = Fills(known_ms, money(), money(), rng.integers(0, 5, shape))
    return MinuteGrid(START_MS, VENUES, money(), money(), count, covered, fills=fills)


@pytest.mark.parametrize("seed", range(6))
def test_features_equal_the_two_pass_calculation(seed: int) -> None:
    check(holed(seed), SMALL, list(range(0, SIZE, 3)))


COMPARED = (
    *("state", "z", "baseline_n", "active_n", "long_usd", "venue_mask"),
    *("steady", "before_long_usd", "before_count", "before_z"),
)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_doubted_later_says_the_same_of_each_beginning_live_and_at_once(seed: int) -> None:
    grid, rng = holed(seed), np.random.default_rng(seed)
    opens = START_MS + MINUTE_MS * np.arange(SIZE)
    doubted_ms = np.where(
        rng.random(grid.covered.shape) < 0.01,
        opens + MINUTE_MS * rng.integers(1, 12, grid.covered.shape),
        0,
    )
    grid = replace(grid, doubted_ms=doubted_ms)
    whole = compute_features(grid, SMALL)
    for row in range(0, SIZE, 2):
        close_ms = START_MS + (row + 1) * MINUTE_MS
        assert grid.fills is not None
        seen = np.where(grid.fills.known_ms <= close_ms, grid.fills.known_ms, 0)
        then = replace(
            grid,
            fills=replace(grid.fills, known_ms=seen),
            doubted_ms=np.where(doubted_ms <= close_ms, doubted_ms, 0),
        )
        start = max(0, row + 1 - SMALL.before_ms() // MINUTE_MS)
        live = compute_features(then.between(start, row + 1), SMALL)
        for name in COMPARED:
            assert np.array_equal(
                getattr(live, name)[-1:], getattr(whole, name)[row : row + 1], equal_nan=True
            ), (row, name)
    assert (~whole.steady & (whole.state == State.READY)).sum() > 3


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.slow
def test_minute_by_minute_with_what_existed_then_is_the_same_as_all_at_once(seed: int) -> None:
    grid = holed(seed)
    whole = compute_features(grid, SMALL)
    assert grid.fills is not None
    for row in range(SIZE):
        close_ms = START_MS + (row + 1) * MINUTE_MS
        seen = np.where(grid.fills.known_ms <= close_ms, grid.fills.known_ms, 0)
        then = replace(grid, fills=replace(grid.fills, known_ms=seen)).between(0, row + 1)
        live = compute_features(then, SMALL)
        for name in COMPARED:
            assert np.array_equal(
                getattr(live, name)[-1:], getattr(whole, name)[row : row + 1], equal_nan=True
            ), (row, name)
        last = np.array([row])
        assert np.array_equal(live.robust_z(last)[-1], whole.robust_z(last)[row], equal_nan=True)


def test_a_filled_segment_is_never_scored() -> None:
    covered = np.ones((1, SIZE), dtype=bool)
    covered[:, 100:110] = False
    known_ms = np.where(covered, 0, START_MS)
    money, none = np.full((1, SIZE), 1e6), np.zeros((1, SIZE), dtype=np.int64)
    fills = Fills(known_ms, 50 * money, money, none)
    grid = MinuteGrid(START_MS, ("okx",), money, money, none, covered, fills=fills)
    features = compute_features(grid, SMALL)
    assert (features.state[100:111] == State.UNCOVERED).all()
    assert features.state[111] == State.READY
    assert features.baseline_n[111] == SMALL.baseline_segments
    unfilled = compute_features(replace(grid, fills=None), SMALL)
    assert unfilled.baseline_n[111] < SMALL.baseline_segments


def test_a_minute_that_is_learned_of_later_shows_no_beginning() -> None:
    """The close before was decided on without it, so it cannot say that there was no wave."""
    rng = np.random.default_rng(5)
    shape = (len(VENUES), SIZE)
    covered, learned_ms = np.ones(shape, dtype=bool), np.zeros(shape, dtype=np.int64)
    covered[1, 200], learned_ms[1, 200] = False, START_MS + 202 * MINUTE_MS
    money = [rng.lognormal(8, 1, shape) for _ in range(2)]
    count = np.full(shape, 3)
    grid = MinuteGrid(START_MS, VENUES, *money, count, covered, learned_ms=learned_ms)
    whole = compute_features(grid, SMALL)
    assert [int(mask) for mask in whole.venue_mask[199:203]] == [3, 1, 3, 3]
    assert whole.steady[199:203].tolist() == [True, False, False, True]
    assert np.isfinite(whole.before_z[[200, 201]]).all()
    for row in (200, 201, 202):
        close_ms = int(whole.close_ms[row])
        alone = compute_features(grid.between(0, row + 1).for_decision(close_ms), SMALL)
        for name in ("venue_mask", "steady", "z", "before_z"):
            both = getattr(alone, name)[-1], getattr(whole, name)[row]
            assert np.array_equal(*both, equal_nan=True), (row, name)
