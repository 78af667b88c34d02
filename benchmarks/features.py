"""
How long a year of one pair's features takes, beside pandas.

    python -m benchmarks.features [--rounds 9]

Three ways: *every* close (``compute_features``, what backtests read), those *busy* ones that have
something in their segment (``compute_busy``, what live trading stores), and pandas, which rolls
over the same windows: a column for each minute of a segment, 288 rows.

Before anything is timed, busy closes are compared with every close bit by bit; every close with the
definition, in two passes over the baselines of some hundred, within 1e-9; and pandas with both.
Pandas drags the rounding of a giant print along, so its z is compared where it has the digits, and
the share of closes where it has them is printed.
"""

import argparse
import math
from functools import partial

import numpy as np
import pandas as pd

from benchmarks.side_by_side import Row, Times, Way, growth, in_turns
from liq_provider.core.arrays import FloatArray
from liq_provider.measure.feature_rows import State
from liq_provider.measure.features import Features, compute_busy, compute_features
from liq_provider.measure.measures import BEFORE, MEASURES
from liq_provider.measure.minute_grid import FeatureParams, MinuteGrid

YEAR_MIN = 525_600
START_MS = 1_735_689_600_000
PARAMS = FeatureParams()
SHARES = (1.0, 0.1, 0.02, 0.002)
# What pandas and the definition may differ by, of a z.
_ALIKE = 1e-6
_CHECKED = 300


def grid_of(venues: int, share: float, minutes: int = YEAR_MIN, seed: int = 1) -> MinuteGrid:
    """
    :param share: share of minutes with liquidations
    :return: heavy-tailed minutes, every one covered
    """
    rng, shape = np.random.default_rng(seed), (venues, minutes)
    usd = np.where(rng.random(shape) < share / venues, rng.lognormal(7, 2.5, shape), 0.0)
    longs = np.where(rng.random(shape) < 0.5, usd, 0.0)
    count = (usd > 0).astype(np.int64) * 2
    names = ("binance", "bybit", "okx")[:venues]
    return MinuteGrid(START_MS, names, longs, usd - longs, count, np.ones(shape, dtype=bool))


def pandas_z(grid: MinuteGrid) -> FloatArray:
    """:return: z of every close by pandas, NaN where the baseline is shorter than it may be"""
    stride, width = PARAMS.segment_min, PARAMS.baseline_segments
    minute = pd.Series((grid.long_usd + grid.short_usd).sum(axis=0))
    segment = minute.rolling(stride).sum().to_numpy()
    lines = pd.DataFrame(segment.reshape(-1, stride))
    baseline = lines.shift(1).rolling(width, min_periods=PARAMS.min_baseline_segments)
    std = baseline.std(ddof=0)
    z: FloatArray = ((lines - baseline.mean()) / std).to_numpy().reshape(-1)
    return z


def refuse_difference(grid: MinuteGrid) -> float:
    """
    :return: share of closes whose z pandas has the digits of
    :raises SystemExit: what should be one result is not
    """
    every, busy = compute_features(grid, PARAMS), compute_busy(grid, PARAMS)
    rows = np.flatnonzero(every.notional_usd)
    for name in ("close_ms", *MEASURES, *BEFORE):
        left, right = getattr(every, name)[rows], getattr(busy, name)
        if not np.array_equal(left, right, equal_nan=left.dtype.kind == "f"):
            raise SystemExit(f"{name} of busy closes differs from that among every one")
    # Of a coin with few liquidations no z is told, but mean and std are there.
    known = np.flatnonzero((every.state >= State.TOO_THIN) & (every.std_usd > 0.0))
    ours = (every.notional_usd[known] - every.mean_usd[known]) / every.std_usd[known]
    for n in np.random.default_rng(2).choice(len(known), _CHECKED).tolist():
        z = two_pass_z(every, int(known[n]))
        if abs(float(ours[n]) - z) > 1e-9 * max(1.0, abs(z)):
            raise SystemExit(f"z of close {known[n]}: {ours[n]!r}, by its definition {z!r}")
    alike = np.isclose(pandas_z(grid)[known], ours, rtol=_ALIKE, atol=_ALIKE)
    if alike.mean() < 0.5:
        raise SystemExit(f"pandas agrees on {alike.mean():.1%} of the z only")
    return float(alike.mean())


def two_pass_z(features: Features, row: int) -> float:
    """:return: by the definition; the std is not 0"""
    baseline = features.baseline_at(row).tolist()
    mean = math.fsum(baseline) / len(baseline)
    std = math.sqrt(math.fsum((usd - mean) ** 2 for usd in baseline) / len(baseline))
    return (float(features.notional_usd[row]) - mean) / std


def year(venues: int, share: float, rounds: int) -> Row:
    """:return: a pair-year with so many minutes that are not empty"""
    grid = grid_of(venues, share)
    agreed = refuse_difference(grid)
    ways: dict[str, Way] = {
        "busy closes": partial(compute_busy, grid, PARAMS),
        "every close": partial(compute_features, grid, PARAMS),
        "pandas, every close": partial(pandas_z, grid),
    }
    name = f"a year, {share:.1%} of minutes, {venues} venue{'s' * (venues > 1)}"
    return Row(f"{name}; pandas agrees on {agreed:.1%}", in_turns(ways, rounds))


def minute(rounds: int) -> Row:
    """:return: a settled minute, twenty times"""
    grid, params = grid_of(3, 0.15, PARAMS.lookback_min + 1), PARAMS

    def last(skipped: int) -> None:
        for _ in range(20):
            compute_features(grid, params, skipped)

    ways: dict[str, Way] = {
        "its close": partial(last, grid.minutes - 2),
        "its look-back, too": partial(last, 0),
    }
    return Row("20 settled minutes of 3 venues", in_turns(ways, rounds))


def by_liquidations(rounds: int) -> tuple[list[Times], list[Times]]:
    """:return: of a year with 0.5, 2 and 8 % of minutes not empty, busy closes and every close"""
    ways: dict[str, Way] = {}
    for share in (0.005, 0.02, 0.08):
        grid = grid_of(1, share)
        ways[f"busy {share}"] = partial(compute_busy, grid, PARAMS)
        ways[f"every {share}"] = partial(compute_features, grid, PARAMS)
    times = list(in_turns(ways, rounds).values())
    return times[::2], times[1::2]


def by_years(rounds: int) -> tuple[list[Times], list[Times]]:
    """:return: of a quarter, a year and four with 2 % of minutes, busy closes and every close"""
    ways: dict[str, Way] = {}
    for years in (0.25, 1, 4):
        grid = grid_of(1, 0.02, round(years * YEAR_MIN))
        ways[f"busy {years}"] = partial(compute_busy, grid, PARAMS)
        ways[f"every {years}"] = partial(compute_features, grid, PARAMS)
    times = list(in_turns(ways, rounds).values())
    return times[::2], times[1::2]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    print(f"median CPU time of {rounds} rounds, between the quartiles, and the first's share")
    for venues in (1, 3):
        for share in SHARES:
            print("\n".join(year(venues, share, rounds).lines()))
    print("\n".join(minute(rounds).lines()))
    for what, measured in (
        ("liquidations x1, x4, x16 in a year", by_liquidations(rounds)),
        ("years x1, x4, x16", by_years(rounds)),
    ):
        for name, times in zip(("busy closes", "every close"), measured, strict=True):
            ms = ", ".join(f"{one.median_ms:.1f}" for one in times)
            print(f"{what}: {name} {ms} ms, by the power of {growth((1, 4, 16), times):.2f}")


if __name__ == "__main__":
    main()
