"""
How long a year of one pair's features takes, beside pandas rolling windows of the same width.

    .venv/bin/python benchmarks/features.py

The two do not compute the same: pandas gives mean and std of all 1,440 segments that END in the
baseline's span, overlapping, with sums that lose small windows after a giant print. It is shown
because it is what one would otherwise write, timed in the same run on the same machine.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from liq_provider.core.durations import DAY_MIN, DAY_MS, MINUTE_MS
from liq_provider.measure.features import compute_features
from liq_provider.measure.minute_grid import FeatureParams, MinuteGrid

YEAR_MIN = 525_600
START_MS = 1_735_689_600_000


def grid_of(rng: np.random.Generator, venues: int, share: float, minutes: int) -> MinuteGrid:
    """
    :param share: share of minutes with liquidations
    :return: heavy-tailed minutes, every one covered
    """
    shape = (venues, minutes)
    usd = np.where(rng.random(shape) < share, rng.lognormal(7, 2.5, shape), 0.0)
    longs = np.where(rng.random(shape) < 0.5, usd, 0.0)
    count = (usd > 0).astype(np.int64) * 2
    names = ("binance", "bybit", "okx")[:venues]
    return MinuteGrid(START_MS, names, longs, usd - longs, count, np.ones(shape, dtype=bool))


def pandas_rolling(grid: MinuteGrid) -> pd.Series:
    """:return: z by pandas"""
    minute = pd.Series((grid.long_usd + grid.short_usd).sum(axis=0))
    segment = minute.rolling(5).sum()
    baseline = segment.shift(5).rolling(DAY_MIN, min_periods=360)
    return (segment - baseline.mean()) / baseline.std(ddof=0)


def timed(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """:return: best and median, in milliseconds"""
    work()
    took = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1e3)
    return min(took), float(np.median(took))


def main() -> None:
    """Print one line per case."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    rng, params = np.random.default_rng(1), FeatureParams()
    cases = {
        "year, dense": grid_of(rng, 1, 1.0, YEAR_MIN),
        "year, 2 % of minutes": grid_of(rng, 1, 0.02, YEAR_MIN),
        "year, dense, 3 venues": grid_of(rng, 3, 1.0, YEAR_MIN),
        "one live minute": grid_of(rng, 1, 0.05, params.lookback_min + 1),
        "one live minute, 3 venues": grid_of(rng, 3, 0.05, params.lookback_min + 1),
    }
    print(f"{'':28}{'features':>22}{'pandas rolling':>24}   (ms, best / median)")
    for name, grid in cases.items():
        ours = timed(lambda grid=grid: compute_features(grid, params), repeats)
        theirs = timed(lambda grid=grid: pandas_rolling(grid), repeats)
        print(f"{name:28}{ours[0]:>13.2f} /{ours[1]:>7.2f}{theirs[0]:>15.2f} /{theirs[1]:>7.2f}")
    print(
        f"segment {params.segment_min} min, baseline {params.baseline_segments} segments,", end=" "
    )
    print(f"span {YEAR_MIN * MINUTE_MS / DAY_MS:.0f} days")


if __name__ == "__main__":
    main()
