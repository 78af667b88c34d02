"""Features against a plain two-pass calculation, and every reason for a missing z."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from liq_provider.config.measuring import feature_params_of, windows_of
from liq_provider.config.settings import Settings
from liq_provider.errors import UsageError
from liq_provider.measure.feature_rows import FeatureRows, State, long_ratio, purity
from liq_provider.measure.features import compute_features
from liq_provider.measure.minute_grid import FeatureParams, MinuteGrid
from liq_provider.measure.robust_scores import percentile
from liq_provider.measure.scales import EVERY_SCORE
from tests.two_pass import SMALL, START_MS, Reference, assert_equal, check


def grid_of(
    long_usd: np.ndarray,
    short_usd: np.ndarray | None = None,
    covered: np.ndarray | None = None,
    names: Sequence[str] = ("binance", "bybit", "okx"),
) -> MinuteGrid:
    """One row per venue; every non-empty side of a minute is one order."""
    longs = np.atleast_2d(np.asarray(long_usd, dtype=float))
    shorts = np.zeros_like(longs) if short_usd is None else np.atleast_2d(short_usd)
    known = np.ones(longs.shape, dtype=bool) if covered is None else np.atleast_2d(covered)
    count = (longs > 0).astype(np.int64) + (shorts > 0)
    return MinuteGrid(START_MS, tuple(names[: len(longs)]), longs, shorts, count, known)


def random_grid(seed: int, venues: int, minutes: int, empty: float, gaps: int) -> MinuteGrid:
    """Heavy-tailed minutes with holes in the coverage; what lies in a hole must not matter."""
    rng = np.random.default_rng(seed)
    sides = [
        np.where(
            rng.random((venues, minutes)) < empty, 0.0, rng.lognormal(7, 2.5, (venues, minutes))
        )
        for _ in range(2)
    ]
    covered = np.ones((venues, minutes), dtype=bool)
    for _ in range(gaps):
        first = int(rng.integers(0, minutes))
        covered[rng.integers(0, venues), first : first + int(rng.integers(1, 12))] = False
    names = ("binance", "bybit", "okx") if venues <= 3 else [f"venue{n:02}" for n in range(venues)]
    return grid_of(sides[0], sides[1], covered, names)


@pytest.mark.slow
def test_a_heavy_tailed_year_equals_the_two_pass_calculation() -> None:
    size = 525_600
    rng = np.random.default_rng(11)
    longs = np.where(rng.random(size) < 0.5, 0.0, rng.lognormal(7, 3, size))
    shorts = np.where(rng.random(size) < 0.5, 0.0, rng.pareto(0.7, size) * 500)
    covered = np.ones(size, dtype=bool)
    for first in rng.integers(0, size, 40):
        covered[first : first + int(rng.integers(1, 400))] = False
    grid, params = grid_of(longs, shorts, covered), FeatureParams()
    features = compute_features(grid, params)
    rows = np.sort(rng.choice(size, 300, replace=False))
    robust_z = features.robust_z(rows)
    for row in rows:
        first = max(0, int(row) - params.lookback_min)
        expected = Reference(grid.between(first, int(row) + 1), params).row(int(row) - first)
        assert_equal(features, expected, int(row), float(robust_z[row]))
    assert (features.state == State.READY).mean() > 0.9


@pytest.mark.parametrize("venues", [1, 2, 3])
@pytest.mark.parametrize("empty", [0.1, 0.8])
@pytest.mark.parametrize("seed", range(6))
def test_gaps_and_several_venues_equal_the_two_pass_calculation(
    seed: int, venues: int, empty: float
) -> None:
    grid = random_grid(seed, venues, 160, empty, gaps=3 * venues * seed)
    check(grid, SMALL, range(160))


@pytest.mark.parametrize("venues", [8, 9, 17, 40])
def test_more_than_seven_venues_equal_the_two_pass_calculation(venues: int) -> None:
    """A set of venues had no room for an eighth one."""
    grid = random_grid(venues, venues, 120, empty=0.8, gaps=16)
    check(grid, SMALL, range(120))
    features = compute_features(grid, SMALL)
    assert max(len(features.venues_at(row)) for row in range(120)) == venues
    assert len({int(mask) for mask in features.venue_mask}) > 2


def test_what_a_set_of_venues_has_no_room_for_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match="64 venues are more than can be added up"):
        compute_features(grid_of(np.ones((64, 12)), names=[f"v{n}" for n in range(64)]), SMALL)


def test_a_year_is_computed_in_pieces_that_do_not_show() -> None:
    params = FeatureParams()
    grid = random_grid(5, 2, 70_000, 0.7, gaps=60)
    whole = compute_features(grid, params)
    for first in (1, 31_000, 32_768, 65_530):
        part = compute_features(grid.between(first, first + 3_000), params)
        for name in ("long_usd", "count", "z", "mean_usd", "std_usd", "state", "venue_mask"):
            left = getattr(whole, name)[first + 1_445 : first + 3_000]
            assert np.array_equal(left, getattr(part, name)[1_445:], equal_nan=name[0] in "zms")


def test_a_nearly_constant_series_is_the_same_in_any_piece() -> None:
    rng = np.random.default_rng(9)
    grid = grid_of(1e6 * (1 + 1e-4 * rng.standard_normal(40_000)))
    whole = compute_features(grid, FeatureParams())
    for row in (1_444, 20_000, 33_000, 39_999):
        part = compute_features(grid.between(row - 1_444, row + 1), FeatureParams())
        assert (part.z[-1], part.std_usd[-1]) == (whole.z[row], whole.std_usd[row])


def test_the_baseline_excludes_the_scored_segment_and_what_is_older() -> None:
    params = FeatureParams(
        segment_min=5, baseline_segments=4, min_baseline_segments=4, min_active_segments=0
    )
    minutes = np.zeros(60)
    minutes[[29, 34, 39, 44]] = [1.0, 2.0, 3.0, 10.0]  # the four segments before 45..49
    minutes[24], minutes[49] = 1e9, 100.0  # too old; scored
    features = compute_features(grid_of(minutes), params)
    assert features.mean_usd[49] == 4.0
    assert features.std_usd[49] == math.sqrt(12.5)
    assert features.z[49] == 96.0 / math.sqrt(12.5)
    assert features.baseline_at(49).tolist() == [10.0, 3.0, 2.0, 1.0]


def test_quiet_windows_after_a_giant_print_are_still_exact() -> None:
    rng = np.random.default_rng(2)
    minutes = rng.uniform(0.5, 1.5, 4_000)
    minutes[1_000] = 1e13
    grid, params = grid_of(minutes), FeatureParams()
    check(grid, params, [999, 1_000, 1_004, 1_005, 1_010, 2_439, 2_440, 2_444, 2_445, 2_450, 3_999])
    features = compute_features(grid, params)
    assert features.z[1_000] > 1e6
    assert abs(features.z[1_500]) < 0.1  # the print is in the baseline
    assert features.std_usd[3_000] < 2.0  # and gone from it


def test_a_constant_series_has_no_spread_and_z_0() -> None:
    features = compute_features(grid_of(np.full(3_000, 0.1)), FeatureParams())
    ready = features.state == State.READY
    assert (features.std_usd[ready] == 0.0).all()
    assert (features.z[ready] == 0.0).all()
    assert (features.robust_z()[ready] == 0.0).all()


def test_a_baseline_that_differs_by_rounding_alone_counts_as_constant() -> None:
    pattern = np.array([0.1, 0.2, 0.3, 0.3, 0.2, 0.1, 0.2, 0.3, 0.1])  # each three are 0.6
    minutes = np.tile(pattern, 60)
    minutes[-1] = 50.0
    params = FeatureParams(3, 100, 20, 0)
    sums = minutes[:9].reshape(3, 3)
    assert len({row[0] + row[1] + row[2] for row in sums}) > 1
    features = compute_features(grid_of(minutes), params)
    assert features.std_usd[-1] == 0.0
    assert features.z[-1] == 0.0
    assert features.robust_z()[-1] == 0.0


def test_a_nearly_constant_series_keeps_its_digits() -> None:
    rng = np.random.default_rng(4)
    minutes = 1e6 * (1 + 1e-5 * rng.standard_normal(6_000))
    check(grid_of(minutes), FeatureParams(), [1_500, 3_333, 5_999])


def test_all_zero_segments_are_too_thin_not_anomalous() -> None:
    features = compute_features(grid_of(np.zeros(3_000)), FeatureParams())
    assert State(int(features.state[-1])) is State.TOO_THIN
    assert math.isnan(features.z[-1])
    assert (features.mean_usd[-1], features.std_usd[-1]) == (0.0, 0.0)
    assert features.purity[-1] == features.long_ratio[-1] == 0.5
    check(grid_of(np.zeros(400)), SMALL, [0, 1, 399])


def test_z_is_missing_until_the_baseline_is_long_and_busy_enough() -> None:
    params = FeatureParams()
    minutes = np.zeros(2_000)
    minutes[::50] = 1_000.0  # every tenth segment
    features = compute_features(grid_of(minutes), params)
    states = [State(int(s)) for s in features.state]
    assert states[3] is State.UNCOVERED  # the grid knows nothing before its first minute
    assert states[4] is State.WARMING_UP
    first = states.index(State.TOO_THIN)
    assert features.baseline_n[first] == params.min_baseline_segments
    assert first == 4 + 5 * 72
    ready = states.index(State.READY)
    assert features.active_n[ready] == params.min_active_segments
    assert features.active_n[ready - 1] == params.min_active_segments - 1
    assert (np.isfinite(features.z) == (features.state == State.READY)).all()


def test_one_uncovered_minute_makes_five_segments_unknown() -> None:
    covered = np.ones(600, dtype=bool)
    covered[500] = False
    features = compute_features(grid_of(np.ones(600), covered=covered), FeatureParams())
    unknown = np.flatnonzero(features.state == State.UNCOVERED)
    assert unknown.tolist() == [0, 1, 2, 3, 500, 501, 502, 503, 504]
    assert features.venues_at(500) == ()
    assert (features.long_usd[500:505] == 0).all()
    assert features.baseline_n[520] == features.baseline_n[519] == 102


def covered_from(starts: Sequence[int], size: int) -> np.ndarray:
    """Coverage that begins at these minutes, one per venue."""
    return np.arange(size)[None, :] >= np.array(starts)[:, None]


def test_a_venue_that_just_came_is_dropped_for_the_baselines_sake() -> None:
    minutes = np.ones((3, 200)) * np.array([[1.0], [10.0], [100.0]])
    grid = grid_of(minutes, covered=covered_from([0, 150, 0], 200))
    features = compute_features(grid, SMALL)
    assert features.venues_at(160) == ("binance", "okx")
    assert features.long_usd[160] == 202.0
    assert features.venues_at(199) == ("binance", "bybit", "okx")
    assert features.long_usd[199] == 222.0
    check(grid, SMALL, range(140, 200))


def test_of_venues_with_equal_coverage_the_first_in_the_alphabet_is_dropped() -> None:
    params = FeatureParams(1, 39, 20, 0)
    covered = np.ones((3, 100), dtype=bool)
    covered[0, 84:99] = False
    covered[1, 60:75] = False
    alone = covered[:, 60:99].sum(axis=1)
    assert alone.tolist() == [24, 24, 39]  # binance and bybit together: 9
    grid = grid_of(np.ones((3, 100)), covered=covered)
    features = compute_features(grid, params)
    assert features.venues_at(99) == ("bybit", "okx")
    assert features.baseline_n[99] == 24
    check(grid, params, range(80, 100))


def test_the_venue_with_the_worst_coverage_is_dropped_whatever_its_name() -> None:
    covered = np.ones((3, 100), dtype=bool)
    covered[2, 60:90] = False
    grid = grid_of(np.ones((3, 100)), covered=covered)
    features = compute_features(grid, FeatureParams(1, 39, 20, 0))
    assert features.venues_at(99) == ("binance", "bybit")


def test_where_no_choice_of_venues_is_enough_all_stay_and_it_is_warming_up() -> None:
    grid = grid_of(np.ones((2, 12)))
    features = compute_features(grid, SMALL)
    assert State(int(features.state[-1])) is State.WARMING_UP
    assert features.venues_at(11) == ("binance", "bybit")
    assert features.baseline_n[11] == 5
    check(grid, SMALL, range(12))


def test_hourly_segments_against_a_week() -> None:
    params = feature_params_of(
        Settings(segment_min=60, baseline_hours=168, min_baseline_segments=72)
    )
    assert (params.baseline_segments, params.lookback_min) == (168, 60 * 169)
    rng = np.random.default_rng(8)
    minutes = np.where(rng.random(15_000) < 0.9, 0.0, rng.lognormal(9, 2, 15_000))
    check(grid_of(minutes), params, [59, 10_139, 10_140, 12_000, 14_999])


def test_bars_without_counts_say_so() -> None:
    rows = FeatureRows.empty()
    assert rows.has_counts
    grid = grid_of(np.ones(30))
    bars = MinuteGrid(
        grid.start_ms, grid.venues, grid.long_usd, grid.short_usd, grid.count, grid.covered, False
    )
    features = compute_features(bars, SMALL)
    assert not features.has_counts
    assert not features.at(np.arange(30)).has_counts


@pytest.mark.parametrize(
    ("long_usd", "short_usd", "ratio", "pure"),
    [(0, 0, 0.5, 0.5), (1, 0, 1, 1), (0, 1, 0, 1), (3, 1, 0.75, 0.75), (1, 3, 0.25, 0.75)],
)
def test_long_ratio_and_purity(
    long_usd: float, short_usd: float, ratio: float, pure: float
) -> None:
    sides = np.array([float(long_usd)]), np.array([float(short_usd)])
    assert long_ratio(*sides)[0] == ratio
    assert purity(*sides)[0] == pure


def test_purity_is_symmetric_to_the_last_bit() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.lognormal(8, 3, 1_000), rng.lognormal(8, 3, 1_000)
    assert (purity(one, other) == purity(other, one)).all()
    assert purity(np.array([1e300]), np.array([5e-324]))[0] == 1.0


@pytest.mark.parametrize("size", [0, 1, 4, 5, 6])
def test_grids_shorter_than_a_segment(size: int) -> None:
    features = compute_features(grid_of(np.ones((1, size))), FeatureParams())
    assert len(features) == size
    assert (features.state[4:] == State.WARMING_UP).all()


def test_windows_name_everything_that_a_stored_feature_depends_on() -> None:
    known = windows_of(Settings())
    assert windows_of(Settings(segment_min=10)) != known
    assert windows_of(Settings.model_validate({"venues": {"okx": {"enabled": False}}})) != known
    assert windows_of(Settings(z_threshold=4.0)) == known


# -- the close before, and the segment without its newest minute --------------------------------


def test_the_close_before_speaks_only_if_it_was_scored_for_the_same_venues() -> None:
    size = 200
    covered = np.ones((2, size), dtype=bool)
    covered[1, 100:110] = False  # one venue goes and comes back
    covered[:, 150:152] = False  # both do
    features = compute_features(
        grid_of(np.full((2, size), 100.0), np.full((2, size), 50.0), covered), SMALL
    )
    ready = features.state == State.READY
    first = int(np.argmax(ready))
    assert ready[first:150].all()
    # The first that is READY; two venues to one; one to two; the first after the hole.
    unsteady = [first, 100, 111, 153]
    assert np.flatnonzero(ready & ~features.steady).tolist() == unsteady
    assert np.flatnonzero(np.isfinite(features.before_long_usd)).tolist() == unsteady
    # Segments of two minutes: one minute of the venues that both know now.
    assert features.before_long_usd[unsteady].tolist() == [200.0, 100.0, 200.0, 200.0]
    assert features.before_short_usd[unsteady].tolist() == [100.0, 50.0, 100.0, 100.0]
    assert features.before_z[100] == 0.0, "a constant baseline"


def test_a_segment_of_one_minute_has_nothing_before_its_newest() -> None:
    params = FeatureParams(1, 20, 8, 3)
    covered = np.ones((1, 60), dtype=bool)
    covered[0, 40] = False
    features = compute_features(grid_of(np.arange(60.0), np.zeros(60), covered), params)
    assert not features.steady[41]
    assert features.before_long_usd[41] == features.before_short_usd[41] == 0.0
    assert features.before_count[41] == 0


def test_a_long_recording_says_of_each_close_what_a_short_one_does() -> None:
    """Long ones are computed in pieces, and the first row of a piece follows one of another."""
    size = 70_000
    covered = np.ones((2, size), dtype=bool)
    rng = np.random.default_rng(5)
    edges = np.array([32_767, 32_768, 32_769, 65_535, 65_536])
    covered[1, edges - 1] = False
    sides = rng.exponential(1e4, (2, 2, size))
    grid = grid_of(sides[0], sides[1], covered)
    features = compute_features(grid, SMALL)
    for row in (*edges, *(edges + 1), *(edges + 2)):
        start = row - SMALL.lookback_min
        alone = compute_features(grid.between(start, row + 1), SMALL)
        for name in ("steady", "before_long_usd", "before_count", "before_z", "z", "venue_mask"):
            assert np.array_equal(
                getattr(alone, name)[-1], getattr(features, name)[row], equal_nan=True
            ), (row, name)


# The examples that the percentile is specified by.
SPECIFIED = np.array([0.0] * 70 + [10.0] * 20 + [50.0] * 2 + [100.0] * 8)


@pytest.mark.parametrize(("usd", "expected"), [(50, 0.91), (0, 0.35), (101, 1.0)])
def test_the_percentile_is_the_share_that_is_smaller_with_ties_half(
    usd: float, expected: float
) -> None:
    assert percentile(usd, SPECIFIED) == expected


def test_rows_are_joined_without_repeats_and_cut_by_time() -> None:
    features = compute_features(grid_of(np.ones(20)), SMALL)
    rows = features.at(np.arange(20), features.compared(None, EVERY_SCORE))
    first, second = rows.since(rows.close_ms[0]), rows.since(int(rows.close_ms[8]))
    assert len(second) == 12
    joined = FeatureRows.empty().then(first).then(second)
    assert joined.close_ms.tolist() == rows.close_ms.tolist()
