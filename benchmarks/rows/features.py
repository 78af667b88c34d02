"""Features of a pair's year in which something happens in 2 % of the minutes, beside pandas."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contest import Contestant, Goal, Growth, Measured, Row
from benchmarks.measuring import measured, run_and_measure
from benchmarks.peers.rolling import z_of
from benchmarks.years import START_MS, YEAR_MIN, usd_of_year
from liq_provider.core.durations import MINUTE_MS

_HERE = "benchmarks.rows.features"
_CHECKED = 300
_ALIKE = 1e-6
# Of a year without a gap.
_PER_MILLE = 1_000


def _grid(minutes: int, share: float) -> Any:
    from liq_provider.measure.minute_grid import MinuteGrid

    longs, shorts = (usd[np.newaxis] for usd in usd_of_year(minutes, share))
    count = (longs + shorts > 0).astype(np.int64)
    return MinuteGrid(
        START_MS, ("binance",), longs, shorts, count, np.ones(longs.shape, dtype=bool)
    )


def _measure(minutes: int, share: float, quiet: bool) -> tuple[Any, Any, float, float]:
    """:param quiet: every close, not those alone that have something in their segment"""
    from liq_provider.measure.features import compute_busy, compute_features
    from liq_provider.measure.minute_grid import FeatureParams

    grid, params = _grid(minutes, share), FeatureParams()
    compute = compute_features if quiet else compute_busy
    compute(grid, params)
    return grid, *run_and_measure(lambda: compute(grid, params))


def _checked(minutes: int, quiet: bool) -> Measured:
    """
    :raises ValueError: it is not what two passes or pandas come to
    """
    grid, features, cpu_s, wall_s = _measure(minutes, 0.02, quiet)
    agreed = _refuse_difference(grid, features)
    ready = features.z[np.isfinite(features.z) & (features.notional_usd > 0)]
    said = f"300 rows within 1e-9 of two passes; pandas agrees with {agreed:.1%} of the scores"
    return measured(cpu_s * 1e3, [ready.tobytes()], cpu_s, wall_s, said)


def liqtrend(folder: Path, size: int) -> Measured:
    """
    :param size: minutes
    """
    return _checked(size, quiet=False)


def every_close(folder: Path, size: int) -> Measured:
    """
    :param size: minutes
    """
    return _checked(size, quiet=True)


def by_share(folder: Path, size: int) -> Measured:
    """:param size: minutes of a thousand in which something happens"""
    _, features, cpu_s, wall_s = _measure(YEAR_MIN, size / _PER_MILLE, quiet=False)
    return measured(cpu_s * 1e3, [features.z.tobytes()], cpu_s, wall_s)


def by_years(folder: Path, size: int) -> Measured:
    """:param size: quarters of a year"""
    _, features, cpu_s, wall_s = _measure(size * YEAR_MIN // 4, 0.02, quiet=False)
    return measured(cpu_s * 1e3, [features.z.tobytes()], cpu_s, wall_s)


def _refuse_difference(grid: Any, features: Any) -> float:
    """:return: share of the scores of which pandas has the same six digits"""
    from liq_provider.measure.feature_rows import State

    ready = np.flatnonzero((features.state == State.READY) & (features.notional_usd > 0))
    for row in np.random.default_rng(2).choice(ready, _CHECKED).tolist():
        z = _two_pass_z(features, row)
        if abs(float(features.z[row]) - z) > 1e-9 * max(1.0, abs(z)):
            raise ValueError(f"z of row {row}: {features.z[row]!r}, in two passes {z!r}")
    at = (features.close_ms[ready] - START_MS) // MINUTE_MS - 1
    theirs = z_of((grid.long_usd + grid.short_usd)[0])[at]
    alike = np.abs(features.z[ready] - theirs) <= _ALIKE * np.maximum(1.0, np.abs(theirs))
    if alike.mean() < 0.5:
        raise ValueError(f"pandas agrees with {alike.mean():.1%} of the scores only")
    return float(alike.mean())


def _two_pass_z(features: Any, row: int) -> float:
    baseline = features.baseline_at(row).tolist()
    mean = math.fsum(baseline) / len(baseline)
    std = math.sqrt(math.fsum((usd - mean) ** 2 for usd in baseline) / len(baseline))
    return (float(features.notional_usd[row]) - mean) / std if std else 0.0


ROW = Row(
    name="features",
    work="features of a pair's year, 2 % of its minutes not empty",
    unit="milliseconds",
    better="less",
    goal=Goal(5, peer="pandas", peer_made=21),
    contestants=(
        Contestant("LiqTrend", f"{_HERE}:liqtrend"),
        Contestant("LiqTrend, every close", f"{_HERE}:every_close"),
        Contestant(
            "pandas",
            "benchmarks.peers.rolling:pandas",
            peer=True,
            differs=(
                "its rolling sums drag the rounding of a giant print along; how many of its z have "
                "LiqTrend's first six digits is counted in each round, and half of them must"
            ),
        ),
    ),
    size=YEAR_MIN,
    compares=(
        "LiqTrend makes all columns of the closes that have something in their segment, as live "
        "trading stores them; among every close, as backtests read them, they have the same bits. "
        "300 rows of each round are held against mean and deviation in two passes. Pandas makes z "
        "alone, of every close."
    ),
    growth=(
        Growth("per mille of the minutes not empty", f"{_HERE}:by_share", (5, 20, 80)),
        Growth("quarters of a year", f"{_HERE}:by_years", (1, 4, 16)),
    ),
)
