"""The newest closes of several coins, side by side: the same bits as coin by coin."""

from dataclasses import replace

import numpy as np
import pytest

from liq_provider.measure.feature_rows import State
from liq_provider.measure.features import Features, compute_features, compute_newest
from liq_provider.measure.measures import BEFORE, MEASURES
from liq_provider.measure.minute_grid import FeatureParams, MinuteGrid
from liq_provider.measure.scales import EVERY_SCORE
from tests.measure.test_features import random_grid
from tests.two_pass import START_MS

MINUTE = 60_000
WINDOWS = [
    FeatureParams(2, 20, 8, 3),
    FeatureParams(5, 30, 10, 2),
    FeatureParams(1, 20, 6, 3),
    FeatureParams(7, 11, 4, 1),
    FeatureParams(),
]
SCORES = ("robust_z", "percentile", "before_robust_z", "before_percentile")


def market(venues: int, params: FeatureParams, gaps: int, moved: int) -> list[MinuteGrid]:
    """Twenty coins of which the same is known: busy, sparse, empty and constant ones."""
    size = params.lookback_min + 1
    covered = random_grid(99, venues, size, 0.5, gaps=gaps).covered
    grids = []
    for seed in range(20):
        grid = random_grid(seed, venues, size, (0.1, 0.9, 0.99, 1.0)[seed % 4], gaps=0)
        usd = 0.0 if seed % 5 == 0 else grid.long_usd
        constant = 5.0 if seed % 7 == 3 else 0.0
        start_ms = grid.start_ms + moved * MINUTE
        long_usd = np.zeros(covered.shape) + usd + constant
        grids.append(replace(grid, covered=covered, start_ms=start_ms, long_usd=long_usd))
    return grids


def assert_same(newest: Features, alone: Features) -> bool:
    """:return: whether it has a score"""
    assert len(newest) == len(alone) == 2
    for name in ("close_ms", *MEASURES, *BEFORE):
        left, right = getattr(newest, name), getattr(alone, name)
        assert left.dtype == right.dtype, name
        assert left[1].tobytes() == right[1].tobytes(), name
    assert newest.venues_at(1) == alone.venues_at(1)
    if newest.state[1] != State.READY:
        return False
    last = np.array([1])
    scores = newest.compared(last, EVERY_SCORE), alone.compared(last, EVERY_SCORE)
    for name in SCORES:
        assert getattr(scores[0], name).tobytes() == getattr(scores[1], name).tobytes(), name
    return True


@pytest.mark.parametrize("params", WINDOWS)
@pytest.mark.parametrize("gaps", [0, 5])
@pytest.mark.parametrize("venues", [1, 2, 9])
def test_side_by_side_they_say_what_they_say_alone(
    venues: int, gaps: int, params: FeatureParams
) -> None:
    ready = 0
    for moved in (0, 1, 13):  # the order of additions depends on the clock
        grids = market(venues, params, gaps, moved)
        for grid, newest in zip(grids, compute_newest(grids, params), strict=True):
            ready += assert_same(newest, compute_features(grid, params, grid.minutes - 2))
    assert ready > 10 or gaps


def test_coins_of_which_different_things_are_known_keep_their_places() -> None:
    params = WINDOWS[1]
    grids = market(2, params, 0, 3)
    covered = grids[0].covered.copy()
    covered[1] = False
    grids[3], grids[17] = (replace(grids[n], covered=covered) for n in (3, 17))
    doubted_ms = np.zeros(covered.shape, dtype=np.int64)
    doubted_ms[0, 20] = START_MS + 40 * MINUTE
    grids[5] = replace(grids[5], doubted_ms=doubted_ms)
    for grid, newest in zip(grids, compute_newest(grids, params), strict=True):
        assert_same(newest, compute_features(grid, params, grid.minutes - 2))
    assert compute_newest([], params) == []
