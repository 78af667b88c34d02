"""
Whether what a process frees goes back to the system.

The C library keeps freed memory for what may come, up to twice the largest piece that was ever
freed, and so for each of several pools that threads are spread over. A market list of an exchange
is read once an hour, and what it took at its peak would stay with a process that is at rest.
Whoever computes one coin's past after the other would wait for the system at each of them.
"""

import ctypes

import numpy as np

# Of glibc's <malloc.h>.
_TRIM_THRESHOLD, _ARENA_MAX = -1, -8

_KEPT_BYTES = 128 * 1024  # as glibc begins with
_LARGEST_BYTES = 32 * 1024 * 1024 - 64 * 1024  # glibc learns nothing of larger pieces
_POOLS = 2


def give_back_freed() -> bool:
    """
    From now on, in this process.

    :return: False where the C library has no such setting; then nothing changes
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _KEPT_BYTES) and mallopt(_ARENA_MAX, _POOLS))


def keep_freed(size: int) -> None:
    """
    From now on, in this process, unless it gives back what it frees.

    :param size: bytes that are kept, if not more are already
    """
    # As the largest piece that was ever freed, half as large; the system was never asked for it,
    # as nothing is written to it.
    np.empty(min(size // 2, _LARGEST_BYTES), dtype=np.int8)
