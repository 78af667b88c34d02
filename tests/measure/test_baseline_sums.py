"""Sums over baselines: by the definition, wherever they begin, and without what is empty."""

import math

import numpy as np
import pytest

from liq_provider.measure.baseline_sums import BusyBaselines, baseline_sums
from liq_provider.measure.window_sums import strided_count

WINDOWS = [(1, 1), (1, 5), (5, 1), (5, 288), (60, 168), (3, 7), (7, 64)]


def heavy(size: int, empty: float = 0.6, seed: int = 3) -> np.ndarray:
    """Mostly zero, else over eight orders of magnitude."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(size) < empty, 0.0, rng.lognormal(8, 3, size))


@pytest.mark.parametrize(("stride", "width"), WINDOWS)
def test_they_are_sums_of_the_elements_before(stride: int, width: int) -> None:
    values = heavy(4_000)
    sums, squares = baseline_sums(values, 29_922_481, stride, width)
    for t in range(0, len(values), 17):
        before = [values[i] for k in range(1, width + 1) if (i := t - k * stride) >= 0]
        assert math.isclose(sums[t], math.fsum(before), rel_tol=1e-13)
        assert math.isclose(squares[t], math.fsum(x * x for x in before), rel_tol=1e-13)


def test_quiet_windows_after_a_giant_print_are_exact() -> None:
    values = np.full(5_000, 0.01)
    values[1_000] = 1e15
    sums, _ = baseline_sums(values, 0, 5, 288)
    assert sums[1_001] < 2.88
    assert sums[1_005] >= 1e15
    assert math.isclose(sums[1_005 + 5 * 288], 2.88, rel_tol=1e-13)


@pytest.mark.parametrize("cut", [1, 4, 5, 37, 1_439, 1_444])
def test_they_do_not_depend_on_where_the_series_begins(cut: int) -> None:
    values, number = heavy(6_000), 29_922_481
    whole, later = (
        baseline_sums(values, number, 5, 288),
        baseline_sums(values[cut:], number + cut, 5, 288),
    )
    for before, after in zip(whole, later, strict=True):
        assert (before[cut + 1_440 :] == after[1_440:]).all()


@pytest.mark.parametrize("number", [0, 1, 1_437, 29_922_481])
@pytest.mark.parametrize("empty", [0.0, 0.6, 0.98])
@pytest.mark.parametrize(("stride", "width"), WINDOWS)
def test_without_what_is_zero_they_are_the_same_to_the_last_bit(
    stride: int, width: int, empty: float, number: int
) -> None:
    values = heavy(3_000, empty)
    busy = np.flatnonzero(values)
    others = np.setdiff1d(np.arange(-1, len(values), 7), busy)
    for zeroed in (0, 5):  # one of some venues may have nothing where another one has
        values[busy[:zeroed]] = 0.0
        sums, squares = baseline_sums(values, number, stride, width)
        active_n = strided_count(values > 0.0, stride, width)
        sparse = BusyBaselines(number, busy, others, stride, width).sums(values[busy])
        asked = values[busy] > 0.0
        assert (sparse[0][asked] == sums[busy[asked]]).all()
        assert (sparse[1][asked] == squares[busy[asked]]).all()
        assert (sparse[2] == active_n[busy]).all()
        within = others >= 0
        assert (sparse[3][within] == active_n[others[within]]).all()


@pytest.mark.parametrize("size", [0, 1, 3, 5])
def test_series_shorter_than_the_window(size: int) -> None:
    values = np.arange(1.0, size + 1)
    assert baseline_sums(values, 3, 5, 288)[0].tolist() == [0.0] * size


def test_the_input_is_left_alone() -> None:
    values = heavy(500)
    kept = values.copy()
    baseline_sums(values, 3, 3, 5)[0][:] = -1.0
    assert (values == kept).all()
