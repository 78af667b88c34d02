"""A minute is heard by one unbroken connection that was proven in time."""

import pytest

from liq_provider.core.coverage import CoverageTracker, Interval, merge, whole_minutes, without

MINUTE = 60_000


@pytest.fixture
def tracker() -> CoverageTracker:
    return CoverageTracker("binance", settle_ms=2_000)


def heard(tracker: CoverageTracker, last: int = 6) -> list[int]:
    """Numbers of the closes, in minutes, whose minutes were heard."""
    return [close for close in range(1, last + 1) if tracker.heard(close * MINUTE)]


def test_a_minute_is_heard_once_its_close_is_proven(tracker: CoverageTracker) -> None:
    tracker.begin(0)
    assert tracker.covering and tracker.since_ms == 0
    tracker.prove(59_999, 60_100)
    assert heard(tracker) == []
    tracker.prove(60_000, 60_200)
    assert heard(tracker) == [1]
    assert tracker.proven_ms == 60_000


def test_a_minute_that_was_not_heard_from_its_open_is_not_heard(tracker: CoverageTracker) -> None:
    tracker.begin(1)
    tracker.prove(61_000, 61_100)
    tracker.prove(121_000, 121_100)
    assert heard(tracker) == [2]


def test_a_proof_counts_although_the_connection_ends_before_the_minute_is_settled(
    tracker: CoverageTracker,
) -> None:
    tracker.begin(0)
    tracker.prove(61_000, 61_100)
    tracker.lose()
    assert not tracker.covering and tracker.since_ms is None
    tracker.begin(61_500)
    tracker.prove(121_000, 121_100)
    tracker.prove(181_000, 181_100)
    assert heard(tracker) == [1, 3]


def test_nothing_is_proven_after_the_end(tracker: CoverageTracker) -> None:
    tracker.begin(0)
    tracker.prove(30_000, 30_100)
    tracker.lose()
    tracker.prove(61_000, 61_100)
    assert heard(tracker) == [] and tracker.proven_ms == 30_000


def test_begin_within_a_span_is_ignored(tracker: CoverageTracker) -> None:
    tracker.begin(0)
    tracker.begin(30_000)
    tracker.prove(61_000, 61_100)
    assert heard(tracker) == [1]


def test_a_new_span_does_not_overlap_the_old_one(tracker: CoverageTracker) -> None:
    tracker.begin(0)
    tracker.prove(70_000, 70_100)
    tracker.lose()
    tracker.begin(60_000)
    assert tracker.since_ms == 70_000


def test_a_proof_older_than_the_span_proves_nothing(tracker: CoverageTracker) -> None:
    tracker.begin(60_000)
    tracker.prove(59_000, 60_500)
    assert tracker.proven_ms == 60_000


def test_a_process_that_stood_still_did_not_hear_the_minutes_in_between(
    tracker: CoverageTracker,
) -> None:
    tracker.begin(0)
    tracker.prove(61_000, 61_100)
    # Frozen for three minutes; the socket's buffer held everything, and the ping is answered.
    tracker.prove(100_000, 270_000)
    tracker.prove(271_000, 271_100)
    tracker.prove(301_000, 301_100)
    assert heard(tracker) == [1, 5]


def test_a_proof_that_is_a_little_late_still_counts(tracker: CoverageTracker) -> None:
    tracker.begin(0)
    tracker.prove(60_500, 63_000)
    assert heard(tracker) == [1]
    tracker.prove(120_500, 123_001)
    assert heard(tracker) == [1]


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
    ("taken", "left"),
    [
        ([], [(0, 10), (20, 30)]),
        ([(0, 30)], []),
        ([(5, 25)], [(0, 5), (25, 30)]),
        ([(2, 3), (8, 21), (29, 40)], [(0, 2), (3, 8), (21, 29)]),
        ([(10, 20)], [(0, 10), (20, 30)]),
    ],
)
def test_what_is_left(taken: list[tuple[int, int]], left: list[tuple[int, int]]) -> None:
    spans = [Interval(0, 10), Interval(20, 30)]
    assert without(spans, [Interval(*item) for item in taken]) == [Interval(*x) for x in left]


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
