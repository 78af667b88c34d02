"""What becomes of a liquidation when it left its feed."""

from collections.abc import Sequence

from liq_provider.core.liquidation import Liquidation
from liq_provider.sidecar.ingest import Ingest
from liq_provider.sidecar.page_protocol import Page


class Arrivals:
    """The store is first: whatever becomes of the page, it has them."""

    def __init__(self, ingest: Ingest, page: Page) -> None:
        self._ingest = ingest
        self._page = page

    def take(self, orders: Sequence[Liquidation], since_ms: int) -> None:
        """
        The sink of every feed; never blocks.

        :param since_ms: start of the unbroken connection that they came by
        """
        self._ingest.put(orders, since_ms)
        self._page.take_liquidations(orders)
