"""The time that a test shares with the sidecar that it starts as a process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sidecars import MINUTE, Time

pytestmark = pytest.mark.processes

START = 1_795_350_000_000
CLOCKS = """
import sys, time
from liq_provider.core.clock import machine_ms, steady_clock_ms
for _ in sys.stdin:
    print(time.monotonic_ns() // 1_000_000, machine_ms(), steady_clock_ms(), flush=True)
"""


def test_a_process_that_shares_it_jumps_with_it_and_measures_as_ever(tmp_path: Path) -> None:
    moment = Time(START, tmp_path / "jumped")
    with subprocess.Popen(
        [sys.executable, "-c", CLOCKS],
        env=os.environ | moment.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None

        def ask() -> list[int]:
            process.stdin.write("\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            return [int(word) for word in process.stdout.readline().split()]  # type: ignore[union-attr]

        before = ask()
        moment.jump_to(START + 5 * MINUTE)
        moment.jump_to(START + 9 * MINUTE)
        real_ms, *others = (late - early for late, early in zip(ask(), before, strict=True))
        for passed_ms in others:
            assert passed_ms - real_ms == pytest.approx(9 * MINUTE, abs=20_000)


def test_only_what_is_left_of_a_minute_is_jumped_over() -> None:
    moment = Time(START + 20_000)
    assert moment.near_close() == START + MINUTE
    assert START + MINUTE - 1_500 <= moment.now_ms() < START + MINUTE
    moment.jump_to(START + 2 * MINUTE - 400)
    assert moment.near_close() == START + 2 * MINUTE
    assert moment.environment == {}
