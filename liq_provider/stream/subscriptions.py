"""Which markets a feed subscribes to."""

import asyncio
from collections.abc import Iterable

from liq_provider.core.markets import MarketTable
from liq_provider.venues.base import Venue


class WantedMarkets:
    """
    The market list less what the venue does not let us subscribe to.

    :param table: the whole list; frames are read with it
    """

    def __init__(self, venue: Venue, table: MarketTable) -> None:
        self._venue = venue
        self._rejected: set[str] = set()
        self._known = asyncio.Event()
        self.table = table
        self.update(table)

    @property
    def rejected(self) -> tuple[str, ...]:
        """Market ids that the venue refused, sorted."""
        return tuple(sorted(self._rejected))

    @property
    def known(self) -> bool:
        """False while there is no list: nothing could be booked, so nothing is covered."""
        return self._known.is_set()

    async def wait(self) -> None:
        """Wait for a list."""
        await self._known.wait()

    def update(self, table: MarketTable) -> None:
        """Take a newer list; what was refused before may be allowed by now."""
        self.table = table
        self._rejected.clear()
        if len(table) or _needs_no_list(self._venue):
            self._known.set()

    def reject(self, market_ids: Iterable[str]) -> bool:
        """:return: whether one of them was not rejected before"""
        before = len(self._rejected)
        self._rejected.update(market_ids)
        return len(self._rejected) > before

    def allowed(self) -> MarketTable:
        """:return: the markets to subscribe to"""
        if not self._rejected:
            return self.table
        return self.table.only(
            market for market in self.table if market.market_id not in self._rejected
        )


def _needs_no_list(venue: Venue) -> bool:
    """Whether a venue delivers everything unasked and names its markets readably."""
    return venue.markets.rule is not None and not venue.endpoint.by_market
