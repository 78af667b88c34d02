"""Window sums: against the definition, after giant prints, and independent of the beginning."""

import math

import numpy as np
import pytest

from liq_provider.measure.window_sums import (
    strided_count,
    strided_sum,
    trailing_count,
)

WINDOWS = [(1, 1), (1, 5), (5, 1), (5, 288), (60, 168), (3, 7), (7, 64)]


def heavy(size: int, seed: int = 3) -> np.ndarray:
    """Mostly zero, else over eight orders of magnitude."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(size) < 0.6, 0.0, rng.lognormal(8, 3, size))


@pytest.mark.parametrize(("stride", "width"), WINDOWS)
def test_strided_sum_is_the_sum_of_the_elements_before(stride: int, width: int) -> None:
    values = heavy(4_000)
    sums = strided_sum(values, stride, width)
    for t in range(0, len(values), 17):
        before = [values[i] for k in range(1, width + 1) if (i := t - k * stride) >= 0]
        assert math.isclose(sums[t], math.fsum(before), rel_tol=1e-14)


@pytest.mark.parametrize(("stride", "width"), WINDOWS)
def test_counts_are_exact(stride: int, width: int) -> None:
    flags = heavy(3_000) > 0
    strided, trailing = strided_count(flags, stride, width), trailing_count(flags, width)
    for t in range(0, len(flags), 11):
        before = [flags[i] for k in range(1, width + 1) if (i := t - k * stride) >= 0]
        assert strided[t] == sum(before)
        assert trailing[t] == flags[max(0, t - width + 1) : t + 1].sum()


def test_quiet_windows_after_a_giant_print_are_exact() -> None:
    values = np.full(5_000, 0.01)
    values[1_000] = 1e15
    sums = strided_sum(values, 5, 288)
    assert sums[1_000] == sums[1_001]
    assert sums[1_005] >= 1e15
    assert math.isclose(sums[1_005 + 5 * 288], 2.88, rel_tol=1e-14)
    assert sums[1_005 + 5 * 288] == sums[999 + 5 * 288]


@pytest.mark.parametrize("cut", [1, 4, 5, 37, 1_444])
def test_sums_do_not_depend_on_where_the_series_begins(cut: int) -> None:
    values = heavy(6_000)
    whole, later = strided_sum(values, 5, 288), strided_sum(values[cut:], 5, 288)
    assert (whole[cut + 1_440 :] == later[1_440:]).all()


@pytest.mark.parametrize("size", [0, 1, 3, 5])
def test_series_shorter_than_the_window(size: int) -> None:
    values = np.arange(1.0, size + 1)
    assert strided_sum(values, 5, 288).tolist() == [0.0] * size
    assert strided_count(values > 0, 5, 288).tolist() == [0] * size


def test_the_input_is_left_alone() -> None:
    values = heavy(500)
    kept = values.copy()
    for width in (1, 2, 5):
        strided_sum(values, 3, width)[:] = -1.0
    assert (values == kept).all()
