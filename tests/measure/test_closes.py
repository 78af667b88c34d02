"""Features of the closes with something in their segment: the same bits as among all of them."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from liq_provider.measure import features as measured
from liq_provider.measure.closes import BusyCloses, BusyMinutes, busy_minutes
from liq_provider.measure.feature_rows import State
from liq_provider.measure.features import Features, compute_busy, compute_features
from liq_provider.measure.measures import BEFORE, MEASURES, measure
from liq_provider.measure.minute_grid import FeatureParams, MinuteGrid
from liq_provider.measure.scales import EVERY_SCORE
from tests.measure.test_features import grid_of, random_grid
from tests.two_pass import START_MS, Reference, assert_equal

COLUMNS = ("close_ms", *MEASURES, *BEFORE)
WINDOWS = [
    FeatureParams(2, 20, 8, 3),
    FeatureParams(5, 30, 10, 2),
    FeatureParams(1, 20, 6, 3),
    FeatureParams(7, 11, 4, 1),
]


@pytest.fixture(params=["by how many there are", "always without the empty ones"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of the two ways is gone."""
    if request.param.startswith("always"):
        monkeypatch.setattr(measured, "_BUSY_SHARE", 2.0)


def assert_same(some: Features, every: Features, rows: np.ndarray) -> None:
    assert len(some) == len(rows)
    for name in COLUMNS:
        left, right = getattr(some, name), getattr(every, name)[rows]
        assert left.dtype == right.dtype, name
        assert np.array_equal(left, right, equal_nan=left.dtype.kind == "f"), name


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("params", WINDOWS)
@pytest.mark.parametrize("empty", [0.3, 0.9, 0.99])
@pytest.mark.parametrize("venues", [1, 2, 3, 9])
def test_busy_closes_alone_say_what_they_say_among_all(
    venues: int, empty: float, params: FeatureParams
) -> None:
    for seed in range(4):
        grid = random_grid(seed, venues, 400 + 37 * seed, empty, gaps=2 * seed * venues)
        every = compute_features(grid, params)
        assert_same(compute_busy(grid, params), every, np.flatnonzero(every.notional_usd))


@pytest.mark.usefixtures("path")
def test_their_scores_are_the_same_too() -> None:
    grid, params = random_grid(2, 2, 400, 0.95, gaps=8), WINDOWS[1]
    every, busy = compute_features(grid, params), compute_busy(grid, params)
    rows = np.flatnonzero(every.notional_usd)
    scores = busy.compared(None, EVERY_SCORE), every.compared(rows, EVERY_SCORE)
    assert np.isfinite(scores[0].robust_z).sum() > 20
    for name in ("robust_z", "percentile", "before_robust_z", "before_percentile"):
        one, other = getattr(scores[0], name), getattr(scores[1], name)[rows]
        assert np.array_equal(one, other, equal_nan=True)


def test_bars_are_measured_like_minutes() -> None:
    grid = replace(random_grid(4, 2, 600, 0.98, gaps=6), step_min=5, has_counts=False)
    params = FeatureParams(10, 20, 8, 1)
    every, busy = compute_features(grid, params), compute_busy(grid, params)
    rows = np.flatnonzero(every.notional_usd)
    assert 0 < len(rows) < 0.2 * grid.minutes
    assert_same(busy, every, rows)
    for row in range(0, len(busy), 9):
        assert np.array_equal(busy.baseline_at(row), every.baseline_at(int(rows[row])))


def test_what_is_known_later_leaves_them_the_same() -> None:
    grid, params = random_grid(3, 2, 500, 0.97, gaps=6), WINDOWS[0]
    doubted_ms = np.zeros(grid.covered.shape, dtype=np.int64)
    doubted_ms[0, 200] = START_MS + 260 * 60_000
    grid = replace(grid, doubted_ms=doubted_ms)
    every = compute_features(grid, params)
    assert_same(compute_busy(grid, params), every, np.flatnonzero(every.notional_usd))


def test_closes_are_freed_as_soon_as_nobody_uses_them() -> None:
    grid, params = random_grid(3, 2, 500, 0.97, gaps=6), WINDOWS[0]
    gc.disable()
    try:
        closes = BusyCloses(
            grid, params, BusyMinutes.of(busy_minutes(grid), grid.minutes, params.segment_min)
        )
        measure(closes, params)
        there = weakref.ref(closes)
        del closes
        assert there() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("minutes", [0, 3, 200])
def test_without_liquidations_there_is_none(minutes: int) -> None:
    assert len(compute_busy(grid_of(np.zeros((2, minutes))), WINDOWS[0])) == 0


def bursts(size: int, seed: int = 7) -> MinuteGrid:
    """Few minutes with liquidations, most of them in a row, and one day of which is full."""
    rng = np.random.default_rng(seed)
    busy = rng.random((2, size)) < 0.012
    for first in rng.integers(0, size, size // 4_000):
        busy[rng.integers(2), first : first + int(rng.integers(5, 60))] = True
    busy[0, size // 2 : size // 2 + 1_700] = True
    longs = np.where(busy, rng.pareto(0.8, busy.shape) * 500, 0.0)
    shorts = np.where(busy & (rng.random(busy.shape) < 0.5), rng.lognormal(7, 3, busy.shape), 0.0)
    covered = np.ones(busy.shape, dtype=bool)
    for venue, first in zip(rng.integers(0, 2, 30), rng.integers(0, size, 30), strict=True):
        covered[venue, first : first + int(rng.integers(1, 400))] = False
    return grid_of(longs, shorts, covered)


@pytest.mark.slow
def test_a_heavy_tailed_sparse_year_equals_the_two_pass_calculation_and_each_minute_alone() -> None:
    grid, params = bursts(525_600), FeatureParams()
    busy = compute_busy(grid, params)
    assert 0.01 < len(busy) / grid.minutes < 0.2
    rng = np.random.default_rng(1)
    chosen = np.sort(rng.choice(len(busy), 250, replace=False))
    robust_z = busy.robust_z(chosen)
    for row in chosen.tolist():
        position = (int(busy.close_ms[row]) - grid.start_ms) // grid.step_ms - 1
        alone = grid.between(max(0, position - params.lookback_min), position + 1)
        expected = Reference(alone, params).row(alone.minutes - 1)
        assert_equal(busy, expected, row, float(robust_z[row]))
        live = compute_features(alone, params, alone.minutes - 2)
        for name in COLUMNS:
            left, right = getattr(live, name)[-1], getattr(busy, name)[row]
            assert left == right or (left != left and right != right), (name, row)
    assert (busy.state == State.READY).mean() > 0.7


@pytest.mark.parametrize("params", WINDOWS[:2])
def test_the_last_closes_alone_say_what_they_say_after_all_others(params: FeatureParams) -> None:
    for seed in range(6):
        grid = random_grid(seed, 3, 700, 0.6, gaps=9)
        every = compute_features(grid, params)
        for skipped in (1, 17, 300, 698):
            last = compute_features(grid, params, skipped)
            # The first one follows one that was not asked for.
            assert_same(last.picked(np.arange(1, len(last))), every, np.arange(skipped + 1, 700))
