"""A process whose clock jumps."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaos.clock import FILE

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys, time
from datetime import datetime
print("up", flush=True)
for _ in sys.stdin:
    times = time.time(), time.time_ns() / 1e9, datetime.now().timestamp(), time.monotonic()
    print(*times, flush=True)
"""


def test_only_the_wall_clock_jumps_and_comes_back(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    path = os.pathsep.join([str(ROOT / "chaos" / "preload"), str(ROOT)])
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, FILE: str(clock)},
    )
    assert process.stdin is not None and process.stdout is not None

    def ask() -> list[float]:
        process.stdin.write("\n")
        process.stdin.flush()
        return [float(word) for word in process.stdout.readline().split()]

    def wait(offset_s: float) -> None:
        deadline_s = time.monotonic() + 30
        while True:
            *walls, monotonic_s = ask()
            now_s = time.time()
            if all(abs(wall_s - now_s - offset_s) < 5 for wall_s in walls):
                break
            assert time.monotonic() < deadline_s, (walls, now_s)
            time.sleep(0.1)
        assert abs(monotonic_s - time.monotonic()) < 5

    try:
        assert process.stdout.readline() == "up\n"
        for offset_s in (0, 600, -90, 0):
            clock.write_text(f"{offset_s:+d}\n")
            wait(offset_s)
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()
