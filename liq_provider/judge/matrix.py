"""
The decision matrix: what three facts allow.

(1) How strong and how one-sided is the wave? (2) Do the candles agree, so that it is likely to
run on, or not, so that it may only be a clearing? (3) Is there substantive news in the same
direction, none, or news against it? All three are looked at for every wave.
"""

from collections.abc import Callable
from enum import IntEnum, StrEnum
from typing import Final

import numpy as np

from liq_provider.core.arrays import IntArray
from liq_provider.measure.waves import Strength


class News(StrEnum):
    """What the news says about the wave's direction."""

    SUPPORTS = "supports"
    NONE = "none"
    CONTRADICTS = "contradicts"
    NOT_ASKED = "not_asked"


class Action(StrEnum):
    """What to do with a wave."""

    ENTER = "enter"
    HOLD = "hold"
    SKIP = "skip"


class Confidence(IntEnum):
    """How sure; comparable."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3

    @property
    def word(self) -> str:
        """Lower-case name, as used in verdicts and tags."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> "Confidence":
        """:return: the confidence of that name"""
        return cls[word.upper()]


Cell = tuple[Action, Confidence]

_SKIP: Final[Cell] = (Action.SKIP, Confidence.LOW)

_STRONG_ALIGNED: Final = {
    News.SUPPORTS: (Action.ENTER, Confidence.HIGH),
    News.NONE: (Action.ENTER, Confidence.MEDIUM),
    News.NOT_ASKED: (Action.ENTER, Confidence.MEDIUM),
}
_STRONG_OPPOSED: Final = {News.SUPPORTS: (Action.HOLD, Confidence.LOW)}
_MEDIUM_ALIGNED: Final = {
    News.SUPPORTS: (Action.ENTER, Confidence.MEDIUM),
    News.NOT_ASKED: (Action.ENTER, Confidence.LOW),
}


def decide(strength: Strength, aligned: bool | None, news: News) -> Cell:
    """
    One cell of the matrix.

    :param aligned: does the trend equal the direction; None if the candles are unknown
    :return: action and confidence
    """
    if strength is Strength.NONE or aligned is None or news is News.CONTRADICTS:
        return _SKIP
    if strength is Strength.STRONG:
        return (_STRONG_ALIGNED if aligned else _STRONG_OPPOSED).get(news, _SKIP)
    return _MEDIUM_ALIGNED.get(news, _SKIP) if aligned else _SKIP


NEWS_CODES: Final = tuple(News)
# From the least to the most.
ACTIONS: Final = (Action.SKIP, Action.HOLD, Action.ENTER)
_ALIGNED_CODES: Final = (False, True, None)


def _table_of(value: Callable[[Action, Confidence], int]) -> IntArray:
    table = np.zeros((len(Strength), len(_ALIGNED_CODES), len(NEWS_CODES)), dtype=np.int64)
    for strength in Strength:
        for a, aligned in enumerate(_ALIGNED_CODES):
            for n, news in enumerate(NEWS_CODES):
                table[strength, a, n] = value(*decide(strength, aligned, news))
    return table


_ENTRY_TABLE: Final = _table_of(lambda action, sure: int(sure) if action is Action.ENTER else 0)
_ACTION_TABLE: Final = _table_of(lambda action, _: ACTIONS.index(action))


def entry_levels(strength: IntArray, aligned: IntArray, news: IntArray) -> IntArray:
    """
    The same matrix for arrays, reduced to what a strategy asks: enter, and how sure?

    :param strength: ``Strength`` codes
    :param aligned: 1 yes, 0 no, 2 unknown
    :param news: positions in ``NEWS_CODES``
    :return: 0 for do not enter, else a ``Confidence``
    """
    levels: IntArray = _ENTRY_TABLE[strength, aligned, news]
    return levels


def actions(strength: IntArray, aligned: IntArray, news: IntArray) -> IntArray:
    """:return: the matrix's actions for the same arrays, as positions in ``ACTIONS``"""
    positions: IntArray = _ACTION_TABLE[strength, aligned, news]
    return positions
