"""One filled store, and the view of its day, for all tests that only look."""

from collections.abc import Iterator

import pytest

from liq_provider.plot.view import PairView, pair_view
from liq_provider.store.reader import Reader
from tests.plot.helpers import DAY, MINUTE, PAIR, SETTINGS, at, candles, store, trades


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with store(tmp_path_factory.mktemp("plot") / "store.sqlite") as made:
        yield made


@pytest.fixture(scope="session")
def view(reader: Reader) -> PairView:
    return pair_view(reader, SETTINGS, PAIR, candles(), MINUTE, at(0), at(DAY), trades())
