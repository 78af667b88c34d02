"""Shared by the bot's tests: a store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bot.helpers import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    made = Store(tmp_path / "store.sqlite")
    yield made
    made.close()
