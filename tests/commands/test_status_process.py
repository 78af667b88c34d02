"""``liq-provider status`` beside a real sidecar that is frozen."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sidecar.test_stopping import ConfiguredDirectory, place, sidecar
from tests.sidecars import Time, quiet_exchange

pytestmark = pytest.mark.processes


async def status_of(directory: ConfiguredDirectory) -> str:
    """:return: nothing before the sidecar has set its store up"""
    command = [sys.executable, "-m", "liq_provider.cli", "status", "-c", str(directory.config)]
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=directory.config.parent,
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 1 or "not set up yet" in done.stderr, done.stderr
    return done.stdout


async def test_what_a_frozen_sidecar_said_is_told_as_the_past(tmp_path: Path) -> None:
    async with quiet_exchange(Time(time.time_ns() // 1_000_000)) as sim:
        directory = place(sim, tmp_path)
        async with sidecar(directory) as process:
            for _ in range(60):
                said = await status_of(directory)
                if "waiting in memory" in said:
                    break
                await asyncio.sleep(0.5)
            assert "waiting in memory" in said
            assert "when the sidecar was last heard" not in said
            os.kill(process.pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(22)
                said = await status_of(directory)
            finally:
                os.kill(process.pid, signal.SIGCONT)
    assert said.startswith("No entries: the sidecar does not answer")
    assert "no sidecar listens" not in said
    assert "Now 0 liquidations wait in " in said
    assert said.index("when the sidecar was last heard:") < said.index("waiting in memory")
