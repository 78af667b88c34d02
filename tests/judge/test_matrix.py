"""Every cell of the decision matrix."""

import itertools

import numpy as np
import pytest

from liq_provider.judge.matrix import NEWS_CODES, Action, Confidence, News, decide, entry_levels
from liq_provider.measure.waves import Strength

# strength, candles aligned, news, action, confidence; as the design states it, cell by cell.
TABLE = """
strong  yes      supports     enter  high
strong  yes      none         enter  medium
strong  yes      not_asked    enter  medium
strong  yes      contradicts  skip   low
strong  no       supports     hold   low
strong  no       none         skip   low
strong  no       not_asked    skip   low
strong  no       contradicts  skip   low
strong  unknown  supports     skip   low
strong  unknown  none         skip   low
strong  unknown  not_asked    skip   low
strong  unknown  contradicts  skip   low
medium  yes      supports     enter  medium
medium  yes      not_asked    enter  low
medium  yes      none         skip   low
medium  yes      contradicts  skip   low
medium  no       supports     skip   low
medium  no       none         skip   low
medium  no       not_asked    skip   low
medium  no       contradicts  skip   low
medium  unknown  supports     skip   low
medium  unknown  none         skip   low
medium  unknown  not_asked    skip   low
medium  unknown  contradicts  skip   low
none    yes      supports     skip   low
none    yes      none         skip   low
none    yes      not_asked    skip   low
none    yes      contradicts  skip   low
none    no       supports     skip   low
none    no       none         skip   low
none    no       not_asked    skip   low
none    no       contradicts  skip   low
none    unknown  supports     skip   low
none    unknown  none         skip   low
none    unknown  not_asked    skip   low
none    unknown  contradicts  skip   low
"""
CELLS = [tuple(line.split()) for line in TABLE.strip().splitlines()]
ALIGNED = {"yes": True, "no": False, "unknown": None}
ALIGNED_CODES = {"no": 0, "yes": 1, "unknown": 2}


@pytest.mark.parametrize(("strength", "aligned", "news", "action", "confidence"), CELLS)
def test_cell(strength: str, aligned: str, news: str, action: str, confidence: str) -> None:
    row = decide(Strength[strength.upper()], ALIGNED[aligned], News(news))
    assert row == (Action(action), Confidence.of(confidence))
    level = entry_levels(
        np.array([Strength[strength.upper()]]),
        np.array([ALIGNED_CODES[aligned]]),
        np.array([NEWS_CODES.index(News(news))]),
    )
    assert level.tolist() == [Confidence.of(confidence) if action == "enter" else 0]


def test_the_table_above_has_every_cell() -> None:
    named = {cell[:3] for cell in CELLS}
    words = [s.word for s in Strength], ALIGNED, [n.value for n in News]
    assert named == set(itertools.product(*words))
    assert len(CELLS) == len(named) == 36


def test_levels_of_whole_arrays() -> None:
    rows = [
        (Strength[s.upper()], ALIGNED_CODES[a], NEWS_CODES.index(News(n)))
        for s, a, n, _, _ in CELLS
    ]
    strength, aligned, news = np.array(rows * 3).T
    expected = [Confidence.of(cell[4]) if cell[3] == "enter" else 0 for cell in CELLS] * 3
    assert entry_levels(strength, aligned, news).tolist() == expected


def test_confidences_are_ordered_and_named() -> None:
    assert Confidence.LOW < Confidence.MEDIUM < Confidence.HIGH
    assert all(Confidence.of(item.word) is item for item in Confidence)
