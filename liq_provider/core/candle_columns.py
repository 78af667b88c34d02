"""Price candles as an array: a row each, oldest first."""

from typing import Final

import numpy as np

from liq_provider.core.arrays import FloatArray

COLUMNS: Final = ("open", "high", "low", "close", "volume")  # of volume: in coins


def no_candles() -> FloatArray:
    """:return: no row, all columns"""
    return np.empty((0, len(COLUMNS)))


def closes(candles: FloatArray) -> FloatArray:
    """:return: the column that trends are computed from"""
    column: FloatArray = candles[:, COLUMNS.index("close")]
    return column
