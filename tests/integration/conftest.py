"""A simulated exchange and a store for each test of the real Freqtrade."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from liq_provider.bot.autostart import still_running
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.sidecar.sidecar_lock import SidecarLock
from liq_provider.simulator.exchange_server import Simulator
from tests.bot.helpers import Store
from tests.integration.harness import moved_clock, open_store, simulator, until
from tests.sidecars import running_pid


@pytest.fixture
def full_minute() -> Iterator[None]:
    """See ``moved_clock``; what a test does has a whole minute, and waits for none."""
    with moved_clock():
        yield


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """One for each test: the candles of the next would hold the prices that this one moved."""
    with simulator() as sim:
        yield sim


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(tmp_path)
    yield made
    made.close()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[SidecarFiles]:
    """The runtime files; a sidecar that is left is ended."""
    files = SidecarFiles.of(f"sqlite:///{tmp_path / 'store.sqlite'}", tmp_path)
    yield files
    pid = running_pid(files)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    until(lambda: not still_running() and not SidecarLock(files).running(), 20)
