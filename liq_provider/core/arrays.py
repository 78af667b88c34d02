"""Types of the arrays that numbers come in."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
CountArray = npt.NDArray[np.int32]
SmallIntArray = npt.NDArray[np.int8]
BoolArray = npt.NDArray[np.bool_]
