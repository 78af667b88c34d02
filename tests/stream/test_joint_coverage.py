"""What several lines of a venue heard together."""

from liq_provider.core.coverage import CoverageTracker
from liq_provider.stream.joint_coverage import JointCoverage
from tests.store.helpers import MINUTE, T0


def of_two() -> tuple[CoverageTracker, JointCoverage]:
    tracker = CoverageTracker("example", settle_ms=2_000)
    return tracker, JointCoverage(tracker)


def test_a_minute_is_heard_once_the_slowest_proved_its_close() -> None:
    tracker, joint = of_two()
    one, other = joint.share(), joint.share()
    one.begin(T0 - 5)
    assert not tracker.covering
    other.begin(T0)
    assert tracker.since_ms == T0
    one.prove(T0 + MINUTE, T0 + MINUTE + 10)
    assert not tracker.heard(T0 + MINUTE)
    other.prove(T0 + MINUTE - 1, T0 + MINUTE + 20)
    assert not tracker.heard(T0 + MINUTE) and tracker.proven_ms == T0 + MINUTE - 1
    other.prove(T0 + MINUTE + 1, T0 + MINUTE + 30)
    assert tracker.heard(T0 + MINUTE) and tracker.proven_ms == T0 + MINUTE


def test_one_that_is_lost_ends_the_span_and_begins_the_next() -> None:
    tracker, joint = of_two()
    one, other = joint.share(), joint.share()
    one.begin(T0)
    other.begin(T0)
    other.lose()
    assert not tracker.covering
    one.prove(T0 + 9_000, T0 + 9_000)
    assert tracker.proven_ms == T0
    other.begin(T0 + 10_000)
    assert tracker.since_ms == T0 + 10_000


def test_one_that_is_added_while_the_others_are_heard_counts_from_its_beginning() -> None:
    tracker, joint = of_two()
    one = joint.share()
    one.begin(T0)
    added = joint.share()
    added.lose()
    assert tracker.covering and not added.counts
    added.begin(T0 + 7)
    assert tracker.since_ms == T0
    one.prove(T0 + 50, T0 + 50)
    assert tracker.proven_ms == T0 + 7
    added.lose()
    assert not tracker.covering
    joint.drop(added, T0 + 90)
    # Until now nothing was known without it.
    assert tracker.since_ms == T0 + 90
    added.lose()
    assert tracker.covering
