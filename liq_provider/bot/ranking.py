"""Who may enter when slots are scarce: the surest first, then the highest z."""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from liq_provider.judge.decisions import Decisions

Wave = tuple[str, int, int]  # pair, sign, close of its first minute


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    :param level: its ``Confidence``
    :param z: its score
    :param sign: +1 LONG, -1 SHORT
    :param wave_ms: close of its wave's first minute
    """

    pair: str
    level: int
    z: float
    sign: int = 1
    wave_ms: int = 0

    @property
    def wave(self) -> Wave:
        """What identifies its wave."""
        return self.pair, self.sign, self.wave_ms


def wave_of(pair: str, decisions: Decisions, row: int) -> Wave:
    """:return: what identifies the wave that a candle's decision is about"""
    return pair, int(decisions.sign[row]), int(decisions.wave_ms[row])


def rank(
    candidates: Iterable[Candidate], free_slots: float, excluded: Collection[str]
) -> list[Candidate]:
    """
    :param free_slots: how many positions may still be opened; negative or infinite for any
        number
    :param excluded: pairs that cannot enter now: open, locked, or failed in this candle
    :return: the candidates that may enter, best first; equal ones in alphabetical order
    """
    eligible = sorted(
        (candidate for candidate in candidates if candidate.pair not in excluded),
        key=lambda candidate: (-candidate.level, -candidate.z, candidate.pair),
    )
    if free_slots < 0 or math.isinf(free_slots):
        return eligible
    return eligible[: int(free_slots)]
