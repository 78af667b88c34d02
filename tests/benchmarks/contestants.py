"""Who takes part in the contests of the tests; each is called in a process of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.contest import Measured
from benchmarks.measuring import measured, run_and_measure


def write_numbers(folder: Path, size: int) -> None:
    (folder / "numbers.txt").write_text("\n".join(map(str, range(size))))
    with (folder / "made.txt").open("a") as file:
        file.write("once\n")


def _numbers(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "scene" / "numbers.txt").read_text().splitlines()]


def adds(folder: Path, size: int) -> Measured:
    total, cpu_s, wall_s = run_and_measure(lambda: sum(_numbers(folder)))
    print("what a library says does no harm")
    return measured(size, [total], cpu_s, wall_s, "added")


def counts_up(folder: Path, size: int) -> Measured:
    total = 0
    for number in _numbers(folder):
        total += number
    return measured(2 * size, [total], 0.5, 0.5)


def forgets_one(folder: Path, size: int) -> Measured:
    return measured(size, [sum(_numbers(folder)[:-1])], 0.5, 0.5)


def other_each_time(folder: Path, size: int) -> Measured:
    return measured(size, [time.time_ns()], 0.5, 0.5)


def crashes(folder: Path, size: int) -> Measured:
    raise ValueError(f"no {size} here, in {Path(__file__)}")


def dies(folder: Path, size: int) -> Measured:
    os._exit(0)


def says_nothing(folder: Path, size: int) -> Measured:
    return measured(float("nan"), [1], 0.5, 0.5)


def no_figures(folder: Path, size: int) -> int:
    return 1


def hangs(folder: Path, size: int) -> Measured:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    (folder / "scene" / "child.txt").write_text(str(child.pid))
    time.sleep(300)
    raise AssertionError


def waits(folder: Path, size: int) -> Measured:
    begun = time.monotonic()
    for _ in range(40):
        time.sleep(0.05)
    return measured(size, [size], 0.5, time.monotonic() - begun)


def proportional(folder: Path, size: int) -> Measured:
    return measured(size, [size], size / 1000, 0.1)
