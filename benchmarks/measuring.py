"""What a contestant measures itself with. Only the standard library, as peers have little else."""

import hashlib
import resource
import sys
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from benchmarks.contest import Measured

T = TypeVar("T")


def run_and_measure(work: Callable[[], T]) -> tuple[T, float, float]:
    """:return: what the work returns, its seconds of the processor, and of the clock"""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    made = work()
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    return made, cpu_s, wall_s


def peak_mb() -> float:
    """:return: of this process, or of the largest that it started and waited for"""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = max(resource.getrusage(each).ru_maxrss for each in who)
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def measured(
    value: float, result: Iterable[object], cpu_s: float, wall_s: float, said: str = ""
) -> Measured:
    """:param result: what was computed, bytes as they are, else as text"""
    digest = hashlib.sha256()
    for part in result:
        digest.update(part if isinstance(part, bytes) else repr(part).encode())
        digest.update(b"\0")
    return Measured(value, digest.hexdigest()[:16], cpu_s, wall_s, peak_mb(), said)


def rate(
    count: int, cpu_s: float, wall_s: float, result: Iterable[object], said: str = ""
) -> Measured:
    """:return: what was done in a second of the processor"""
    return measured(count / cpu_s, result, cpu_s, wall_s, said)
