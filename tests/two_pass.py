"""
The features once more, plainly: loops over minutes, exact sums, nothing shared with the package.

Slow on purpose; tests ask it about some rows.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liq_provider.measure.feature_rows import State
from liq_provider.measure.features import Features, compute_features
from liq_provider.measure.minute_grid import FeatureParams, MinuteGrid

START_MS = 1_735_689_600_000
SMALL = FeatureParams(
    segment_min=2, baseline_segments=20, min_baseline_segments=8, min_active_segments=3
)


@dataclass
class Expected:
    """One row of features; None where a number is missing."""

    state: State
    venues: tuple[str, ...] = ()
    long_usd: float = 0.0
    short_usd: float = 0.0
    count: int = 0
    baseline_n: int = 0
    active_n: int = 0
    mean_usd: float | None = None
    std_usd: float | None = None
    z: float | None = None
    robust_z: float | None = None
    percentile: float | None = None
    steady: bool = False
    before: tuple[float, float, int, float] | None = None  # long, short, count, z


class Reference:
    """:param grid: the same input that ``compute_features`` gets"""

    def __init__(self, grid: MinuteGrid, params: FeatureParams) -> None:
        self.venues = list(grid.venues)
        self.long = grid.long_usd.tolist()
        self.short = grid.short_usd.tolist()
        self.count = grid.count.tolist()
        self.covered = grid.covered.tolist()
        self.params = params.in_steps(grid.step_min)
        self.grid = grid

    def _minutes(self, end: int) -> range:
        return range(end - self.params.segment_min + 1, end + 1)

    def _covers(self, venue: int, end: int) -> bool:
        minutes = self._minutes(end)
        return minutes[0] >= 0 and all(self.covered[venue][m] for m in minutes)

    def _filled(self, venue: int, minute: int, row: int) -> bool:
        """Not listened to, but known from elsewhere when that row was decided on."""
        fills = self.grid.fills
        if fills is None or self.covered[venue][minute]:
            return False
        close_ms = self.grid.start_ms + (row + 1) * self.grid.step_ms
        return 0 < fills.known_ms[venue, minute] <= close_ms

    def _knows(self, venue: int, end: int, row: int) -> bool:
        minutes = self._minutes(end)
        return minutes[0] >= 0 and all(
            self.covered[venue][m] or self._filled(venue, m, row) for m in minutes
        )

    def _worth(self, venues: list[int], end: int, row: int) -> float:
        parts = []
        for venue in venues:
            for minute in self._minutes(end):
                if self._filled(venue, minute, row):
                    fills = self.grid.fills
                    parts += [fills.long_usd[venue, minute], fills.short_usd[venue, minute]]
                else:
                    parts += [self.long[venue][minute], self.short[venue][minute]]
        return math.fsum(parts)

    def _baseline(self, venues: list[int], row: int, at: int) -> list[float]:
        ends = [
            row - k * self.params.segment_min for k in range(1, self.params.baseline_segments + 1)
        ]
        return [
            self._worth(venues, end, at)
            for end in ends
            if all(self._knows(v, end, at) for v in venues)
        ]

    def _choose(self, covering: list[int], row: int, at: int) -> tuple[list[int], int]:
        alone = {v: len(self._baseline([v], row, at)) for v in covering}
        left, best = list(covering), 0
        while left:
            n = len(self._baseline(left, row, at))
            best = max(best, n)
            if n >= self.params.min_baseline_segments:
                return left, n
            worst = min(left, key=lambda v: (alone[v], self.venues[v]))
            left = [v for v in left if v != worst]
        return covering, best

    def row(self, row: int) -> Expected:
        """:return: what the features of one minute should be"""
        expected = self._measured(row, row)
        if expected.state is State.READY:
            # With what is known now, and not what was known then.
            last = self._measured(row - 1, row)
            expected.steady = last.state is State.READY and last.venues == expected.venues
            if not expected.steady:
                expected.before = self._before(row, expected)
        return expected

    def _before(self, row: int, expected: Expected) -> tuple[float, float, int, float]:
        venues = [self.venues.index(name) for name in expected.venues]
        earlier = self._minutes(row)[:-1]
        long_usd = math.fsum(self.long[v][m] for v in venues for m in earlier)
        short_usd = math.fsum(self.short[v][m] for v in venues for m in earlier)
        count = sum(self.count[v][m] for v in venues for m in earlier)
        assert expected.mean_usd is not None
        excess = long_usd + short_usd - expected.mean_usd
        flat = not expected.std_usd or expected.std_usd <= 1e-12 * expected.mean_usd
        return long_usd, short_usd, count, 0.0 if flat else excess / expected.std_usd

    def _measured(self, row: int, at: int) -> Expected:
        """:param at: the row at whose close it is known"""
        covering = [v for v in range(len(self.venues)) if self._covers(v, row)]
        if not covering:
            return Expected(State.UNCOVERED)
        venues, baseline_n = self._choose(covering, row, at)
        baseline = self._baseline(venues, row, at)
        expected = Expected(State.READY, tuple(self.venues[v] for v in venues))
        expected.long_usd = math.fsum(self.long[v][m] for v in venues for m in self._minutes(row))
        expected.short_usd = math.fsum(self.short[v][m] for v in venues for m in self._minutes(row))
        expected.count = sum(self.count[v][m] for v in venues for m in self._minutes(row))
        expected.baseline_n = baseline_n
        expected.active_n = sum(value > 0 for value in baseline)
        n = max(len(baseline), 1)
        expected.mean_usd = math.fsum(baseline) / n
        expected.std_usd = math.sqrt(math.fsum((x - expected.mean_usd) ** 2 for x in baseline) / n)
        if baseline_n < self.params.min_baseline_segments:
            expected.state = State.WARMING_UP
        elif expected.active_n < self.params.min_active_segments:
            expected.state = State.TOO_THIN
        else:
            value = self._worth(venues, row, at)
            excess = value - expected.mean_usd
            expected.z = (
                excess / expected.std_usd if expected.std_usd > 1e-12 * expected.mean_usd else 0.0
            )
            expected.robust_z = _robust_z(value, baseline)
            below = sum(x < value * (1 - 1e-12) for x in baseline)
            equal = sum(abs(x - value) <= 1e-12 * value for x in baseline)
            expected.percentile = (below + equal / 2) / n
        return expected


def _robust_z(value: float, baseline: list[float]) -> float | None:
    logs = [math.log1p(x) for x in baseline if x > 0]
    if not logs:
        return None
    median = statistics.median(logs)
    mad = statistics.median(abs(x - median) for x in logs)
    return (math.log1p(value) - median) / (1.4826 * mad) if mad > 1e-12 * median else 0.0


def assert_equal(features: Features, expected: Expected, row: int, robust_z: float) -> None:
    """To 1e-9 relative; what is counted, exactly."""
    assert State(int(features.state[row])) is expected.state
    assert features.venues_at(row) == expected.venues
    assert features.count[row] == expected.count
    assert features.baseline_n[row] == expected.baseline_n
    assert features.active_n[row] == expected.active_n
    _close(features.long_usd[row], expected.long_usd)
    _close(features.short_usd[row], expected.short_usd)
    _close(features.mean_usd[row], expected.mean_usd)
    scale = expected.mean_usd or 0.0
    _close(features.std_usd[row], expected.std_usd, abs_tol=1e-12 * scale)
    _close(features.z[row], expected.z)
    _close(robust_z, expected.robust_z)
    _close(features.percentile(np.array([row]))[row], expected.percentile)
    if expected.state is State.READY:
        assert features.steady[row] == expected.steady
    before = expected.before
    assert np.isnan(features.before_long_usd[row]) == (before is None)
    if before is not None:
        _close(features.before_long_usd[row], before[0])
        _close(features.before_short_usd[row], before[1])
        assert features.before_count[row] == before[2]
        _close(features.before_z[row], before[3], abs_tol=1e-9)


def _close(computed: float, expected: float | None, abs_tol: float = 1e-12) -> None:
    if expected is None:
        assert math.isnan(computed)
    else:
        assert math.isclose(computed, expected, rel_tol=1e-9, abs_tol=abs_tol), (computed, expected)


def check(grid: MinuteGrid, params: FeatureParams, rows: Sequence[int]) -> None:
    """Compare some rows with the reference."""
    features = compute_features(grid, params)
    reference = Reference(grid, params)
    robust_z = features.robust_z(np.array(rows))
    for row in rows:
        assert_equal(features, reference.row(row), row, float(robust_z[row]))
