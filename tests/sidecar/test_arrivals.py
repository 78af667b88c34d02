"""What becomes of a liquidation when it left its feed."""

from typing import Any, cast

import pytest

from liq_provider.sidecar.arrivals import Arrivals
from liq_provider.sidecar.page_protocol import Page, Unwatched
from tests.store.helpers import order


class Ingest:
    def __init__(self) -> None:
        self.taken: list[Any] = []

    def put(self, items: Any, since_ms: int) -> None:
        self.taken.append((items, since_ms))


class Broken(Unwatched):
    def take_liquidations(self, items: Any) -> None:
        raise KeyError("BTC")


@pytest.mark.parametrize("page", [Unwatched(), Broken()])
def test_the_store_has_them_whatever_becomes_of_the_page(page: Page) -> None:
    ingest, items = Ingest(), [order()]
    arrivals = Arrivals(cast(Any, ingest), page)
    if isinstance(page, Broken):
        with pytest.raises(KeyError):  # the feed counts it
            arrivals.take(items, 7)
    else:
        arrivals.take(items, 7)
    assert ingest.taken == [(items, 7)]
