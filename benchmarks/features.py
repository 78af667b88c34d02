"""
How long a year of one pair's features takes, beside pandas rolling windows of the same width.

    .venv/bin/python benchmarks/features.py

Every close is ``compute_features``; those that have something in their segment, which is all that
live trading stores, are ``compute_busy``. Their results are compared first, bit by bit.

pandas does not compute the same: it gives mean and std of all 1,440 segments that END in the
baseline's span, overlapping, with sums that lose small windows after a giant print. It is shown
because it is what one would otherwise write, timed in the same run on the same machine.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from liq_provider.core.durations import DAY_MIN, DAY_MS, MINUTE_MS
from liq_provider.measure.features import compute_busy, compute_features
from liq_provider.measure.measures import BEFORE, MEASURES
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


def medians(work: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """:return: CPU time of each, in milliseconds; one after the other, so that all see the same"""
    took: dict[str, list[float]] = {name: [] for name in work}
    for one in work.values():
        one()
    for _ in range(repeats):
        for name, one in work.items():
            began = time.process_time()
            one()
            took[name].append((time.process_time() - began) * 1e3)
    return {name: float(np.median(times)) for name, times in took.items()}


def refuse_difference(grid: MinuteGrid, params: FeatureParams) -> None:
    """
    :raises SystemExit: the closes without the empty ones say something else
    """
    every, busy = compute_features(grid, params), compute_busy(grid, params)
    rows = np.flatnonzero(every.notional_usd)
    for name in ("close_ms", *MEASURES, *BEFORE):
        left, right = getattr(every, name)[rows], getattr(busy, name)
        if not np.array_equal(left, right, equal_nan=left.dtype.kind == "f"):
            raise SystemExit(f"{name} differs")


def main() -> None:
    """Print one line per case."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    rng, params = np.random.default_rng(1), FeatureParams()
    print(f"{'a year, ms of CPU time':28}{'every':>9}{'busy':>9}{'pandas':>9}{'busy/every':>12}")
    for venues in (1, 3):
        for share in (1.0, 0.1, 0.05, 0.02, 0.002):
            grid = grid_of(rng, venues, share / venues, YEAR_MIN)
            refuse_difference(grid, params)
            took = medians(
                {
                    "every": lambda grid=grid: compute_features(grid, params),
                    "busy": lambda grid=grid: compute_busy(grid, params),
                    "pandas": lambda grid=grid: pandas_rolling(grid),
                },
                repeats,
            )
            name = f"{share:.1%} of minutes, {venues} venue{'s' * (venues > 1)}"
            columns = "".join(f"{took[each]:>9.2f}" for each in ("every", "busy", "pandas"))
            print(f"{name:28}{columns}{took['busy'] / took['every']:>12.2f}")
    grid = grid_of(rng, 3, 0.05, params.lookback_min + 1)
    took = medians(
        {
            "minute": lambda: [compute_features(grid, params, grid.minutes - 2) for _ in range(20)],
            "all": lambda: [compute_features(grid, params) for _ in range(20)],
        },
        repeats,
    )
    print(f"one live minute, 3 venues: {took['minute'] / 20:.2f} ms; with its look-back, ", end="")
    print(f"{took['all'] / 20:.2f} ms")
    print(
        f"segment {params.segment_min} min, baseline {params.baseline_segments} segments,", end=" "
    )
    print(f"span {YEAR_MIN * MINUTE_MS / DAY_MS:.0f} days")


if __name__ == "__main__":
    main()
