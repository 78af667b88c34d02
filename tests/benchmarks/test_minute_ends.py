"""Around the end of a minute whoever computes stands still, if somebody waits for it."""

import pytest

from benchmarks.minute_ends import MinuteEnds


@pytest.mark.parametrize(
    ("now_s", "still_s"), [(660.0, 10.0), (669.5, 0.5), (670.0, 0.0), (718.9, 0.0), (719.0, 11.0)]
)
def test_around_the_end_of_a_minute_one_stands_still(now_s: float, still_s: float) -> None:
    ends = MinuteEnds()
    with ends.waited_for():
        assert ends.still_s(now_s) == pytest.approx(still_s)


def test_nobody_stands_still_for_nobody() -> None:
    ends = MinuteEnds()
    assert ends.still_s(660.0) == 0
    with ends.waited_for():
        with ends.waited_for():
            pass
        assert ends.still_s(660.0) > 0
    assert ends.still_s(660.0) == 0
