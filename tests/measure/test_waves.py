"""What is anomalous, which way, and which minutes are one wave."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from liq_provider.config.measuring import floor_of, thresholds_of
from liq_provider.config.settings import Settings
from liq_provider.core.durations import MINUTE_MS
from liq_provider.measure.feature_rows import FeatureRows, State
from liq_provider.measure.minute_results import Anomaly, wave_row
from liq_provider.measure.waves import (
    Direction,
    Strength,
    Thresholds,
    direction_word,
    passes,
    score,
    wave_starts,
    waves_of,
)
from tests.bot.helpers import begun

T0 = 1_735_689_600_000
NONE, MEDIUM, STRONG = Strength.NONE, Strength.MEDIUM, Strength.STRONG


def rows(*segments: tuple[float, float, float], count: int = 5, **changes: Any) -> FeatureRows:
    """Segments of (long_usd, short_usd, z)."""
    longs, shorts, z = (np.array(column, dtype=float) for column in zip(*segments, strict=True))
    size = len(z)
    values: dict[str, Any] = {
        "close_ms": T0 + MINUTE_MS * np.arange(size),
        "long_usd": longs,
        "short_usd": shorts,
        "count": np.full(size, count),
        "z": z,
        "robust_z": np.full(size, np.nan),
        "state": np.full(size, int(State.READY)),
        "baseline_n": np.full(size, 288),
        "active_n": np.full(size, 100),
        "percentile": np.full(size, np.nan),
        **begun(np.ones(size, dtype=bool)),
    }
    return FeatureRows(**values | changes)


def signs(segments: FeatureRows, thresholds: Thresholds) -> Any:
    """:return: the direction of each segment"""
    return waves_of(segments, thresholds, 5).sign


def strength_of(long_usd: float, short_usd: float, z: float, **thresholds: Any) -> Strength:
    """:return: the strength of one segment"""
    strength = passes(rows((long_usd, short_usd, z)), Thresholds(**thresholds)).strength
    return Strength(int(strength[0]))


@pytest.mark.parametrize(
    ("z", "expected"),
    [
        (2.999999, NONE),
        (3.0, MEDIUM),
        (4.999999, MEDIUM),
        (5.0, STRONG),
        (1e9, STRONG),
        (np.nan, NONE),
        (-9.0, NONE),
    ],
)
def test_z_reaches_its_thresholds_at_equality(z: float, expected: Strength) -> None:
    assert strength_of(100_000, 0, z) is expected


@pytest.mark.parametrize(
    ("long_usd", "expected"),
    [
        (75_000, NONE),  # purity must be ABOVE purity_threshold
        (75_001, MEDIUM),
        (89_999, MEDIUM),
        (90_000, STRONG),  # and may EQUAL purity_strong
        (100_000, STRONG),
        (50_000, NONE),
    ],
)
@pytest.mark.parametrize("side", ["long", "short"])
def test_purity_is_strict_below_and_inclusive_above(
    side: str, long_usd: float, expected: Strength
) -> None:
    one, other = float(long_usd), 100_000.0 - long_usd
    assert strength_of(*((one, other) if side == "long" else (other, one)), 6.0) is expected


def test_a_strong_z_with_medium_purity_is_medium() -> None:
    assert strength_of(80_000, 20_000, 50.0) is MEDIUM


@pytest.mark.parametrize(("count", "expected"), [(0, NONE), (2, NONE), (3, STRONG)])
def test_a_segment_needs_min_count_orders(count: int, expected: Strength) -> None:
    strength = passes(rows((1e6, 0, 9.0), count=count), Thresholds()).strength
    assert strength.tolist() == [expected]


@pytest.mark.parametrize(("usd", "expected"), [(24_999.99, NONE), (25_000.0, STRONG)])
def test_a_segment_needs_min_segment_usd(usd: float, expected: Strength) -> None:
    assert strength_of(usd, 0.0, 9.0) is expected
    assert strength_of(0.0, usd, 9.0) is expected


def test_bars_without_counts_skip_only_min_count() -> None:
    bars = rows((1e6, 0, 9.0), (1e4, 0, 9.0), count=0, has_counts=False)
    assert passes(bars, Thresholds()).strength.tolist() == [STRONG, NONE]
    assert passes(bars, Thresholds()).qualifies.tolist() == [True, False]


def test_the_chosen_z_is_thresholded() -> None:
    features = rows((1e6, 0, 9.0), robust_z=np.array([1.0]))
    assert score(features, Thresholds()).tolist() == [9.0]
    assert score(features, Thresholds(zscore="robust")).tolist() == [1.0]
    assert passes(features, Thresholds(zscore="robust")).strength.tolist() == [NONE]
    high = rows((1e6, 0, 0.5), (1e6, 0, 0.5), percentile=np.array([0.981, 0.995]))
    own = Thresholds(z_threshold=0.98, z_strong=0.99, zscore="percentile")
    assert passes(high, own).strength.tolist() == [MEDIUM, STRONG]


def test_longs_wiped_out_is_short_and_fade_turns_it_round() -> None:
    features = rows((1e6, 0, 9.0), (0, 1e6, 9.0), (7.5e5, 2.5e5, 9.0), (0, 0, np.nan))
    assert signs(features, Thresholds()).tolist() == [-1, 1, 0, 0]
    assert signs(features, Thresholds(direction_mode="fade")).tolist() == [1, -1, 0, 0]
    fade = passes(features, Thresholds(direction_mode="fade")).strength
    assert (passes(features, Thresholds()).strength == fade).all()


def test_both_sides_equal_is_no_direction_even_at_the_lowest_threshold() -> None:
    lowest = Thresholds(purity_threshold=0.5, purity_strong=0.5)
    equal = rows((5e5, 5e5, 9.0))
    assert signs(equal, lowest).tolist() == [0]
    assert passes(equal, lowest).strength.tolist() == [NONE]


def test_settings_and_floor_become_thresholds() -> None:
    settings = Settings(z_threshold=2.2, z_strong=4, min_count=4, zscore="robust")
    assert thresholds_of(settings) == Thresholds(2.2, 4, 0.75, 0.90, 4, 25_000, "robust")
    floor = floor_of(settings)
    assert (floor.z_threshold, floor.purity_threshold) == (1.7, 0.7)
    assert (floor.z_strong, floor.purity_strong, floor.min_count) == (4, 0.90, 4)


def starts(*minutes: int, sign: int = -1, segment_min: int = 5) -> list[int]:
    """Waves of anomalous minutes, as minutes."""
    close_ms = T0 + MINUTE_MS * np.array(minutes)
    size = len(minutes)
    starts = wave_starts(close_ms, np.full(size, int(MEDIUM)), np.full(size, sign), segment_min)
    return ((starts - T0) // MINUTE_MS).tolist()


@pytest.mark.parametrize("segment_min", [1, 2, 5, 60])
def test_a_wave_ends_by_exactly_segment_min_minutes_without_an_anomaly(segment_min: int) -> None:
    # One minute less of quiet, and it goes on.
    assert starts(0, segment_min, segment_min=segment_min) == [0, 0]
    assert starts(0, segment_min + 1, segment_min=segment_min) == [0, segment_min + 1]


def test_a_wave_may_go_on_for_long_with_pauses() -> None:
    assert starts(1, 2, 3, 8, 13, 18, 24, 25) == [1, 1, 1, 1, 1, 1, 24, 24]


def test_quiet_minutes_and_missing_rows_end_a_wave_alike() -> None:
    close_ms = T0 + MINUTE_MS * np.arange(8)
    strength = np.array([1, 0, 0, 0, 0, 0, 2, 0])
    dense = wave_starts(close_ms, strength, np.full(8, 1), 5)
    assert dense.tolist() == [close_ms[0], 0, 0, 0, 0, 0, close_ms[6], 0]
    sparse = wave_starts(close_ms[[0, 6]], strength[[0, 6]], np.full(2, 1), 5)
    assert sparse.tolist() == [close_ms[0], close_ms[6]]


def test_the_directions_have_waves_of_their_own() -> None:
    close_ms = T0 + MINUTE_MS * np.arange(6)
    sign = np.array([1, -1, 1, -1, -1, 1])
    starts = wave_starts(close_ms, np.full(6, 2), sign, 2)
    first, second = close_ms[0], close_ms[1]
    assert starts.tolist() == [first, second, first, second, second, close_ms[5]]


def test_no_rows_no_waves() -> None:
    nothing = np.array([], dtype=np.int64)
    assert wave_starts(nothing, nothing, nothing, 5).tolist() == []


def test_direction_words() -> None:
    assert (direction_word(1), direction_word(-1)) == ("LONG", "SHORT")


# -- was the beginning seen? -------------------------------------------------------------------


def late(*minutes: tuple[float, float, float], **changes: Any) -> FeatureRows:
    """
    Rows of 1 million of longs each, z 9, the first of which follows unknown minutes.

    :param minutes: of the first, its segment without the newest minute: long, short, z
    """
    size = 4
    columns: dict[str, Any] = {name: np.full(size, np.nan) for name in begun(np.ones(size))}
    columns |= {"steady": np.array([False, True, True, True])}
    columns |= {"before_count": np.full(size, 5)}
    for name, value in zip(("long_usd", "short_usd", "z"), minutes[0], strict=True):
        columns[f"before_{name}"] = np.array([value, np.nan, np.nan, np.nan])
    return rows(*((1e6, 0.0, 9.0),) * size, **columns | changes)


def test_a_beginning_is_seen_after_a_known_minute_and_all_minutes_of_the_wave_say_so() -> None:
    waves = waves_of(rows(*((1e6, 0.0, 9.0),) * 3), Thresholds(), 5)
    assert waves.start_ms.tolist() == [T0] * 3
    assert waves.seen.tolist() == [True] * 3


def test_money_that_was_there_before_the_newest_minute_is_no_beginning() -> None:
    waves = waves_of(late((9e5, 0.0, 8.0)), Thresholds(), 5)
    assert waves.seen.tolist() == [False] * 4, "of no minute of that wave, upgrades included"


@pytest.mark.parametrize(
    "before",
    [(0.0, 0.0, -0.2), (2e5, 0.0, 2.9), (2e4, 0.0, 9.0), (5e5, 4e5, 8.0), (1e4, 9e5, 8.0)],
    ids=["empty", "below z", "too small", "mixed", "the other direction"],
)
def test_what_the_newest_minute_made_a_wave_is_a_beginning(
    before: tuple[float, float, float],
) -> None:
    assert waves_of(late(before), Thresholds(), 5).seen.all()


def test_the_strategys_own_thresholds_say_what_stood_out_before() -> None:
    features = late((9e5, 0.0, 4.0))
    assert not waves_of(features, Thresholds(), 5).seen.any()
    assert waves_of(features, Thresholds(z_threshold=4.5), 5).seen.all()


@pytest.mark.parametrize("zscore", ["robust", "percentile"])
def test_every_score_has_its_own_segment_without_the_newest_minute(zscore: Any) -> None:
    name = {"robust": "robust_z", "percentile": "percentile"}[zscore]
    own = Thresholds(z_threshold=0.98, z_strong=0.99, zscore=zscore)
    for value, seen in ((0.985, False), (0.97, True)):
        columns = {name: np.full(4, 0.985), f"before_{name}": np.full(4, value)}
        waves = waves_of(late((9e5, 0.0, 0.0), **columns), own, 5)
        assert waves.start_ms.all()
        assert (waves.seen == seen).all()


def test_a_wave_after_one_whose_beginning_was_missed_is_judged_by_its_own_beginning() -> None:
    features = late((9e5, 0.0, 8.0), close_ms=T0 + MINUTE_MS * np.array([0, 1, 7, 8]))
    assert waves_of(features, Thresholds(), 5).seen.tolist() == [False, False, True, True]


def test_rows_that_do_not_say_how_they_began_are_not_seen() -> None:
    older = late((np.nan, np.nan, np.nan))
    assert not waves_of(older, Thresholds(), 5).seen.any()


def test_no_wave_has_no_beginning() -> None:
    assert not waves_of(rows((100.0, 0.0, 0.1)), Thresholds(), 5).seen.any()
    assert waves_of(FeatureRows.empty(), Thresholds(), 5).seen.tolist() == []


def test_a_wave_row_keeps_what_its_first_minute_said() -> None:
    first = wave_row(replace(minute(0, "LONG", STRONG, 6.0, 1e5), seen=False), None, "p", 5, T0)
    later = wave_row(minute(1, "LONG", STRONG, 9.0, 2e5), first, "p", 5, T0 + MINUTE_MS)
    other = wave_row(minute(9, "LONG", STRONG, 9.0, 2e5), later, "p", 5, T0 + MINUTE_MS)
    assert [row["seen"] for row in (first, later, other)] == [False, False, True]


# -- the sidecar, minute by minute, against the strategy, all at once ---------------------------


def minute(at: int, direction: Direction, strength: Strength, z: float, usd: float) -> Anomaly:
    """One anomalous minute."""
    return Anomaly("BTC", T0 + at * MINUTE_MS, direction, strength, z, 1.0, usd, usd, 0.0, 5)


@pytest.mark.parametrize("segment_min", [1, 3, 5])
@pytest.mark.parametrize("seed", range(8))
def test_wave_rows_and_wave_starts_agree_on_random_sequences(seed: int, segment_min: int) -> None:
    rng = np.random.default_rng(seed)
    at = np.flatnonzero(rng.random(600) < 0.25)
    sign = rng.choice([1, -1], len(at))
    strength = rng.choice([1, 2], len(at))
    z, usd = rng.uniform(3, 9, len(at)), rng.lognormal(11, 1, len(at))
    expected = wave_starts(T0 + MINUTE_MS * at, strength, sign, segment_min)
    table: dict[tuple[str, int], dict[str, Any]] = {}
    newest: dict[str, dict[str, Any]] = {}
    for i, t in enumerate(at):
        side = direction_word(int(sign[i]))
        anomalous = minute(int(t), side, Strength(int(strength[i])), float(z[i]), float(usd[i]))
        now_ms = anomalous.close_ms + 2_000
        row = wave_row(anomalous, newest.get(side), "BTC/USDT:USDT", segment_min, now_ms)
        assert row["start_ms"] == expected[i]
        assert row["last_ms"] == anomalous.close_ms
        newest[side] = table[side, row["start_ms"]] = row
    for (side, start_ms), row in table.items():
        wave = (expected == start_ms) & (sign == (1 if side == "LONG" else -1))
        assert row["minutes"] == wave.sum()
        assert row["peak_z"] == z[wave].max()
        assert row["peak_usd"] == usd[wave].max()
        assert row["strength"] == Strength(int(strength[wave].max())).word
        assert row["available_at"] == start_ms + 2_000


def test_a_minute_that_is_settled_twice_counts_once() -> None:
    wave = minute(0, "LONG", STRONG, 6.0, 1e5)
    first = wave_row(wave, None, "BTC/USDT:USDT", 5, T0 + 2_000)
    again = wave_row(wave, first, "BTC/USDT:USDT", 5, T0 + 9_000)
    assert again == first


def test_a_wave_never_weakens() -> None:
    first = wave_row(minute(0, "LONG", STRONG, 6.0, 1e5), None, "p", 5, T0)
    later = wave_row(minute(1, "LONG", MEDIUM, 4.0, 5e4), first, "p", 5, T0 + MINUTE_MS)
    assert (later["strength"], later["peak_z"], later["peak_usd"]) == ("strong", 6.0, 1e5)
    assert (later["start_ms"], later["last_ms"], later["minutes"]) == (T0, T0 + MINUTE_MS, 2)
