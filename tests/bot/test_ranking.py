"""Who gets the slots."""

import math

import pytest

from liq_provider.bot.ranking import Candidate, rank

CANDIDATES = [
    Candidate("AAA", 2, 9.0),
    Candidate("BBB", 3, 5.0),
    Candidate("CCC", 2, 9.5),
    Candidate("DDD", 3, 5.0),
]


def names(free_slots: float, excluded: set[str] = frozenset()) -> list[str]:  # type: ignore[assignment]
    return [candidate.pair for candidate in rank(CANDIDATES, free_slots, excluded)]


def test_confidence_comes_first_then_z_then_the_name() -> None:
    assert names(4) == ["BBB", "DDD", "CCC", "AAA"]


def test_at_most_as_many_as_there_are_slots() -> None:
    assert names(1) == ["BBB"]
    assert names(0) == []


@pytest.mark.parametrize("unlimited", [-1, math.inf])
def test_unlimited_slots(unlimited: float) -> None:
    assert len(names(unlimited)) == 4


def test_who_cannot_enter_takes_no_slot() -> None:
    assert names(2, {"BBB", "DDD"}) == ["CCC", "AAA"]
