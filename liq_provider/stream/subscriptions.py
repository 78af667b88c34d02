"""Which markets a line subscribes to, and how a venue's are spread over its lines."""

from collections.abc import Collection, Iterable, Sequence

from liq_provider.core.markets import Market, MarketTable
from liq_provider.venues.base import Venue


class WantedMarkets:
    """
    The market list less what the venue does not let us subscribe to.

    :param table: the whole list; frames are read with it
    """

    def __init__(self, table: MarketTable) -> None:
        self._rejected: set[str] = set()
        self.table = table

    @property
    def rejected(self) -> tuple[str, ...]:
        """Market ids that the venue refused, sorted."""
        return tuple(sorted(self._rejected))

    def update(self, table: MarketTable) -> None:
        """Take a newer list; what was refused before may be allowed by now."""
        self.table = table
        self._rejected.clear()

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


def needs_list(venue: Venue) -> bool:
    """Whether a venue delivers only what it is asked for, or names its markets unreadably."""
    return venue.markets.rule is None or any(endpoint.by_market for endpoint in venue.endpoints)


def spread(
    markets: Iterable[Market], had: Sequence[Collection[str]], most: int
) -> list[list[Market]]:
    """
    Share the markets of one address out to connections: each stays where it was, new ones go
    where there is room.

    :param had: names of those that each connection has now
    :param most: of one connection; 0 for no limit
    :return: of each connection its markets, those that are needed beside the present ones last
    """
    place_of = {name: place for place, names in enumerate(had) for name in names}
    shares: list[list[Market]] = [[] for _ in had]
    new: list[Market] = []
    for market in markets:
        place = place_of.get(market.market_id)
        (new if place is None else shares[place]).append(market)
    for market in new:
        share = next((share for share in shares if not most or len(share) < most), None)
        if share is None:
            shares.append(share := [])
        share.append(market)
    return shares
