"""Types of the arrays that numbers come in."""

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]
IntArray = npt.NDArray[np.int64]
CountArray = npt.NDArray[np.int32]
SmallIntArray = npt.NDArray[np.int8]
MaskArray = npt.NDArray[np.signedinteger[Any]]  # sets of venues, bit by bit
BoolArray = npt.NDArray[np.bool_]
