"""A simulated exchange and a store for each test of the real Freqtrade."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from liq_provider.simulator.exchange_server import Simulator
from tests.bot.helpers import Store
from tests.integration.harness import open_store, simulator


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
