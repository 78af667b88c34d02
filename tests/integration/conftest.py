"""A simulated exchange and a store for each test of the real Freqtrade."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from liq_provider.simulator.exchange_server import Simulator
from tests.bot.helpers import Store
from tests.integration.harness import moved_clock, open_store, simulator


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
