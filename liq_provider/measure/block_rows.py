"""Blocks of values, each added up from its oldest value and from its newest one."""

import numpy as np

from liq_provider.core.arrays import ComplexArray, IntArray

# Blocks of about one size are rows of one length, so that they are added up at once.
_ROOM = 1 << np.arange(31)
_EMPTY = 2  # cells; all blocks without values share one row


class BlockRows:
    """
    One table of all blocks: a row each, with a zero in front, and one or more at its end.

    :param first: how many values are in the blocks before each, and at last in all of them
    """

    def __init__(self, first: IntArray) -> None:
        counts = np.diff(first)
        kinds = np.where(counts, np.searchsorted(_ROOM, counts) + 1, 0)
        self._starts = np.zeros(len(counts), dtype=np.int64)
        lengths = np.full(len(counts), _EMPTY)
        self._parts: list[tuple[int, int, int]] = []
        self._size = _EMPTY
        for kind in range(1, int(kinds.max(initial=0)) + 1):
            rows = np.flatnonzero(kinds == kind)
            length = int(_ROOM[kind - 1]) + 2
            self._starts[rows] = self._size + length * np.arange(len(rows))
            lengths[rows] = length
            end = self._size + length * len(rows)
            if len(rows):
                self._parts.append((self._size, end, length))
            self._size = end
        self._to_newer = self._starts - first[:-1]
        self._to_older = self._starts + lengths - 2 + first[:-1]

    def before(self, ranks: IntArray, blocks: IntArray) -> IntArray:
        """
        :param ranks: of values
        :param blocks: that they are in
        :return: cells with the sums of what is older in their block, see ``added_up``
        """
        return ranks + self._to_newer[blocks]

    def since(self, ranks: IntArray, blocks: IntArray) -> IntArray:
        """
        :param ranks: of values of some blocks; where it is that of the next block, there is nothing
        :return: cells with the sums of these and of what is newer in the block
        """
        cells: IntArray = self._to_older[blocks]
        cells -= ranks
        return cells

    def added_up(self, values: ComplexArray, cells: IntArray) -> tuple[ComplexArray, ComplexArray]:
        """
        :param cells: see ``before``
        :return: sums of the older and of the newer ones
        """
        table = np.zeros(self._size, dtype=np.complex128)
        table[1:][cells] = values
        newer = np.empty_like(table)
        newer[:_EMPTY] = 0.0
        for start, end, length in self._parts:
            rows = table[start:end].reshape(-1, length)
            np.cumsum(rows[:, ::-1], axis=1, out=newer[start:end].reshape(-1, length))
            np.cumsum(rows, axis=1, out=rows)
        return table, newer
