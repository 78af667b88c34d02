"""What is anomalous, which way, and which minutes are one wave."""

from typing import Any

import numpy as np
import pytest

from liq_provider.features import FeatureRows, State
from liq_provider.liquidation import MINUTE_MS
from liq_provider.pipeline import Anomaly, wave_row
from liq_provider.settings import Settings
from liq_provider.wave import (
    Direction,
    Strength,
    Thresholds,
    direction_word,
    qualifies,
    score,
    signs,
    strengths,
    wave_starts,
)

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
    }
    return FeatureRows(**values | changes)


def strength_of(long_usd: float, short_usd: float, z: float, **thresholds: Any) -> Strength:
    """:return: the strength of one segment"""
    found = strengths(rows((long_usd, short_usd, z)), Thresholds(**thresholds))
    return Strength(int(found[0]))


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
    found = strengths(rows((1e6, 0, 9.0), count=count), Thresholds())
    assert found.tolist() == [expected]


@pytest.mark.parametrize(("usd", "expected"), [(24_999.99, NONE), (25_000.0, STRONG)])
def test_a_segment_needs_min_segment_usd(usd: float, expected: Strength) -> None:
    assert strength_of(usd, 0.0, 9.0) is expected
    assert strength_of(0.0, usd, 9.0) is expected


def test_bars_without_counts_skip_only_min_count() -> None:
    bars = rows((1e6, 0, 9.0), (1e4, 0, 9.0), count=0, has_counts=False)
    assert strengths(bars, Thresholds()).tolist() == [STRONG, NONE]
    assert qualifies(bars, Thresholds()).tolist() == [True, False]


def test_the_chosen_z_is_thresholded() -> None:
    found = rows((1e6, 0, 9.0), robust_z=np.array([1.0]))
    assert score(found, Thresholds()).tolist() == [9.0]
    assert score(found, Thresholds(zscore="robust")).tolist() == [1.0]
    assert strengths(found, Thresholds(zscore="robust")).tolist() == [NONE]


def test_longs_wiped_out_is_short_and_fade_turns_it_round() -> None:
    found = rows((1e6, 0, 9.0), (0, 1e6, 9.0), (7.5e5, 2.5e5, 9.0), (0, 0, np.nan))
    assert signs(found, Thresholds()).tolist() == [-1, 1, 0, 0]
    assert signs(found, Thresholds(direction_mode="fade")).tolist() == [1, -1, 0, 0]
    fade = strengths(found, Thresholds(direction_mode="fade"))
    assert (strengths(found, Thresholds()) == fade).all()


def test_both_sides_equal_is_no_direction_even_at_the_lowest_threshold() -> None:
    lowest = Thresholds(purity_threshold=0.5, purity_strong=0.5)
    equal = rows((5e5, 5e5, 9.0))
    assert signs(equal, lowest).tolist() == [0]
    assert strengths(equal, lowest).tolist() == [NONE]


def test_settings_and_floor_become_thresholds() -> None:
    settings = Settings(z_threshold=3.5, z_strong=7, min_count=4, zscore="robust")
    assert Thresholds.of(settings) == Thresholds(3.5, 7, 0.75, 0.90, 4, 25_000, "robust")
    floor = Thresholds.floor_of(settings)
    assert (floor.z_threshold, floor.purity_threshold) == (2.5, 0.7)
    assert (floor.z_strong, floor.purity_strong, floor.min_count) == (7, 0.90, 4)


def starts(*minutes: int, sign: int = -1, segment_min: int = 5) -> list[int]:
    """Waves of anomalous minutes, as minutes."""
    close_ms = T0 + MINUTE_MS * np.array(minutes)
    size = len(minutes)
    found = wave_starts(close_ms, np.full(size, int(MEDIUM)), np.full(size, sign), segment_min)
    return ((found - T0) // MINUTE_MS).tolist()


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
    found = wave_starts(close_ms, np.full(6, 2), sign, 2)
    first, second = close_ms[0], close_ms[1]
    assert found.tolist() == [first, second, first, second, second, close_ms[5]]


def test_no_rows_no_waves() -> None:
    nothing = np.array([], dtype=np.int64)
    assert wave_starts(nothing, nothing, nothing, 5).tolist() == []


def test_direction_words() -> None:
    assert (direction_word(1), direction_word(-1)) == ("LONG", "SHORT")


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
        found = minute(int(t), side, Strength(int(strength[i])), float(z[i]), float(usd[i]))
        now_ms = found.close_ms + 2_000
        row = wave_row(found, newest.get(side), "BTC/USDT:USDT", segment_min, now_ms)
        assert row["start_ms"] == expected[i]
        assert row["last_ms"] == found.close_ms
        newest[side] = table[side, row["start_ms"]] = row
    for (side, start_ms), row in table.items():
        wave = (expected == start_ms) & (sign == (1 if side == "LONG" else -1))
        assert row["minutes"] == wave.sum()
        assert row["peak_z"] == z[wave].max()
        assert row["peak_usd"] == usd[wave].max()
        assert row["strength"] == Strength(int(strength[wave].max())).word
        assert row["available_at"] == start_ms + 2_000


def test_a_minute_that_is_settled_twice_counts_once() -> None:
    found = minute(0, "LONG", STRONG, 6.0, 1e5)
    first = wave_row(found, None, "BTC/USDT:USDT", 5, T0 + 2_000)
    again = wave_row(found, first, "BTC/USDT:USDT", 5, T0 + 9_000)
    assert again == first


def test_a_wave_never_weakens() -> None:
    first = wave_row(minute(0, "LONG", STRONG, 6.0, 1e5), None, "p", 5, T0)
    later = wave_row(minute(1, "LONG", MEDIUM, 4.0, 5e4), first, "p", 5, T0 + MINUTE_MS)
    assert (later["strength"], later["peak_z"], later["peak_usd"]) == ("strong", 6.0, 1e5)
    assert (later["start_ms"], later["last_ms"], later["minutes"]) == (T0, T0 + MINUTE_MS, 2)
