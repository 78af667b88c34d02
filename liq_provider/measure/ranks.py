"""How many of some positions lie before another one, without a search: a bit for each of them."""

import numpy as np

from liq_provider.core.arrays import IntArray

_BITS = 64
_WORD = np.dtype("<u8")  # the first bit is the lowest one
_BELOW = (np.uint64(1) << np.arange(_BITS, dtype=np.uint64)) - np.uint64(1)


class Ranks:
    """
    :param positions: in any order, each of them once, below ``size``
    """

    def __init__(self, positions: IntArray, size: int) -> None:
        there = np.zeros((size // _BITS + 1) * _BITS, dtype=bool)
        there[positions] = True
        self._words = np.packbits(there, bitorder="little").view(_WORD)
        counts = np.bitwise_count(self._words)
        self._before = np.cumsum(counts, dtype=np.int64) - counts

    def before(self, positions: IntArray) -> IntArray:
        """
        >>> Ranks(np.array([3, 70, 5]), 100).before(np.array([0, 4, 5, 6, 100])).tolist()
        [0, 1, 1, 2, 3]

        :param positions: not above ``size``
        :return: for each, how many lie before it
        """
        word = positions >> 6
        below = self._words[word]
        below &= _BELOW[positions & (_BITS - 1)]
        rank: IntArray = self._before[word]
        rank += np.bitwise_count(below)
        return rank
