"""Spans of unknown segments say of each what the minutes say."""

import numpy as np
import pytest

from liq_provider.measure.unknown_segments import UnknownSegments

SIZE = 300


def minutes(seed: int, holes: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    known = np.ones(SIZE, dtype=bool)
    for first in rng.integers(0, SIZE, holes):
        known[first : first + int(rng.integers(1, 9))] = False
    return known


def unknown(venues: list[np.ndarray], end: int, segment_min: int) -> bool:
    segment = range(end - segment_min + 1, end + 1)
    return segment[0] < 0 or not all(known[minute] for known in venues for minute in segment)


@pytest.mark.parametrize(("stride", "width"), [(1, 20), (2, 9), (5, 30), (7, 4)])
@pytest.mark.parametrize("holes", [0, 1, 12, 80])
@pytest.mark.parametrize("seed", range(3))
def test_they_are_those_that_some_minutes_are_missing_of(
    seed: int, holes: int, stride: int, width: int
) -> None:
    venues = [minutes(seed, holes), minutes(seed + 9, holes // 3), minutes(seed, 0)]
    venues[0][: 3 * seed] = False
    back = stride * (width + 2) + 1
    each = [UnknownSegments.of(known, stride, back) for known in venues]
    positions = np.arange(-1, SIZE)
    for some in ([0], [2], [0, 1], [0, 1, 2]):
        spans = UnknownSegments.of_any([each[venue] for venue in some])
        of = [venues[venue] for venue in some]
        at = [unknown(of, int(end), stride) for end in positions]
        assert spans.at(positions).tolist() == at
        counted = [
            sum(unknown(of, int(end) - k * stride, stride) for k in range(1, width + 1))
            for end in positions
        ]
        assert spans.in_baselines(positions, stride, width).tolist() == counted
        every = positions[::3]
        assert spans.in_baselines(every, stride, width).tolist() == counted[::3]


def test_nothing_may_be_known_at_all() -> None:
    spans = UnknownSegments.of(np.zeros(SIZE, dtype=bool), 5, 100)
    assert spans.at(np.arange(-1, SIZE)).all()
    assert (spans.in_baselines(np.arange(SIZE), 5, 10) == 10).all()
