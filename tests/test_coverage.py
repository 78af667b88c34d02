"""Coverage grows by proof and never reaches into minutes that were settled without it."""

import pytest

from liq_provider.coverage import CoverageTracker, Interval, merge, whole_minutes


@pytest.fixture
def tracker() -> CoverageTracker:
    return CoverageTracker("binance")


def test_a_span_grows_with_every_proof(tracker: CoverageTracker) -> None:
    tracker.begin(1_000)
    assert tracker.covering and tracker.since_ms == 1_000
    assert tracker.changed() == []
    tracker.prove(2_000)
    assert tracker.changed() == [Interval(1_000, 2_000)]
    assert tracker.changed() == []
    tracker.prove(5_000)
    tracker.prove(4_000)
    assert tracker.proven_ms == 5_000
    assert tracker.changed() == [Interval(1_000, 5_000)]


def test_what_was_not_proven_is_not_covered(tracker: CoverageTracker) -> None:
    tracker.begin(1_000)
    tracker.prove(2_000)
    tracker.lose()
    tracker.prove(9_000)
    assert not tracker.covering and tracker.since_ms is None
    assert tracker.changed() == [Interval(1_000, 2_000)]


def test_begin_within_a_span_is_ignored(tracker: CoverageTracker) -> None:
    tracker.begin(1_000)
    tracker.begin(3_000)
    tracker.prove(4_000)
    assert tracker.changed() == [Interval(1_000, 4_000)]


def test_a_new_span_does_not_overlap_the_old_one(tracker: CoverageTracker) -> None:
    tracker.begin(1_000)
    tracker.prove(5_000)
    tracker.lose()
    tracker.begin(4_000)
    tracker.prove(6_000)
    assert sorted(tracker.changed()) == [Interval(1_000, 5_000), Interval(5_000, 6_000)]


def test_a_proof_older_than_the_span_proves_nothing(tracker: CoverageTracker) -> None:
    tracker.begin(5_000)
    tracker.prove(4_000)
    assert tracker.changed() == []
    assert tracker.proven_ms == 5_000


def test_a_proven_minute_keeps_its_span_when_sealed(tracker: CoverageTracker) -> None:
    tracker.begin(0)
    tracker.prove(60_000)
    assert tracker.seal(60_000)
    tracker.prove(70_000)
    assert tracker.changed() == [Interval(0, 70_000)]


def test_an_unproven_minute_is_cut_out_for_good(tracker: CoverageTracker) -> None:
    tracker.begin(0)
    tracker.prove(59_000)
    assert not tracker.seal(60_000)
    tracker.prove(130_000)
    assert sorted(tracker.changed()) == [Interval(0, 59_000), Interval(60_000, 130_000)]


def test_sealing_without_a_feed_is_not_covered(tracker: CoverageTracker) -> None:
    assert not tracker.seal(60_000)


def test_a_minute_that_was_given_up_is_not_covered(tracker: CoverageTracker) -> None:
    tracker.begin(0)
    tracker.prove(65_000)
    tracker.void(60_000, 120_000)
    tracker.prove(130_000)
    covered = merge(tracker.changed())
    assert Interval(0, 60_000) in covered
    assert all(item.end_ms <= 60_000 or item.start_ms >= 120_000 for item in covered)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], []),
        ([(0, 5), (5, 9)], [(0, 9)]),
        ([(6, 9), (0, 5)], [(0, 5), (6, 9)]),
        ([(0, 10), (2, 3)], [(0, 10)]),
        ([(0, 4), (2, 8), (8, 8)], [(0, 8)]),
    ],
)
def test_union(given: list[tuple[int, int]], expected: list[tuple[int, int]]) -> None:
    assert merge(Interval(*item) for item in given) == [Interval(*item) for item in expected]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((0, 60_000), (0, 60_000)),
        ((1, 119_999), (60_000, 60_000)),
        ((59_999, 180_001), (60_000, 180_000)),
        ((61_000, 119_000), (120_000, 120_000)),
    ],
)
def test_only_whole_minutes_count(given: tuple[int, int], expected: tuple[int, int]) -> None:
    assert whole_minutes(Interval(*given)) == Interval(*expected)
