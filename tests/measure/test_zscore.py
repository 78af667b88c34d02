"""One division makes a z, of the whole segment and of the one without its newest minute."""

import numpy as np
import pytest

from liq_provider.measure.features import compute_features
from liq_provider.measure.minute_grid import MinuteGrid
from liq_provider.measure.zscore import divide_by_std
from tests.two_pass import SMALL, START_MS


@pytest.mark.parametrize(
    ("std", "expected"), [([2.0, 4.0], [3.0, -0.25]), ([2.0, 0.0], [3.0, 0.0])]
)
def test_where_a_baseline_is_constant_the_z_is_0(std: list[float], expected: list[float]) -> None:
    z = np.array([6.0, -1.0])
    divide_by_std(z, np.array(std))
    assert z.tolist() == expected


def test_the_segment_without_its_newest_minute_is_divided_like_the_whole_one() -> None:
    """Its newest minute is empty, so both are worth the same."""
    rng, size = np.random.default_rng(5), 200
    covered = np.ones((1, size), dtype=bool)
    covered[0, 150 : 150 + SMALL.segment_min] = False
    row = 150 + 2 * SMALL.segment_min - 1  # the first after the hole
    longs = rng.lognormal(7, 1, (1, size))
    longs[0, row] = 0.0
    features = compute_features(
        MinuteGrid(
            *(START_MS, ("binance",), longs, np.zeros_like(longs)),
            *((longs > 0).astype(np.int64), covered),
        ),
        SMALL,
    )
    assert features.z[row] != 0.0
    assert features.before_z[row] == features.z[row]
