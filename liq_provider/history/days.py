"""
What the name of a day file says: the venue, the day, and of which markets it is the record.

Such a file covers its whole day, rows or no rows; a recording without such a name covers only
what lies between its rows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from liq_provider.core.coverage import Interval
from liq_provider.core.durations import DAY_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import MarketTable
from liq_provider.errors import ImportRefused
from liq_provider.venues import VENUES
from liq_provider.venues.row_readers import DayName

# Files are cut by the time of receipt, or nearly at midnight.
_MIDNIGHT_MS = 600_000
_TARDIS = re.compile(
    r"^(?P<exchange>[a-z0-9-]+)_liquidations_(?P<day>\d{4}-\d{2}-\d{2})_(?P<market>[^.]+)"
    r"(?i:\.csv(\.[a-z0-9]+)?)$"
)
# Tardis' names of our venues, of which some have several, and its names for all markets together.
TARDIS_VENUES = {
    rows.exchange: (venue.name, rows) for venue in VENUES.values() for rows in venue.tardis
}
_GROUPS = {"PERPETUALS", "FUTURES"}


@dataclass(frozen=True, slots=True)
class DayFile:
    """
    :param market_id: the only market in it, empty for all of the venue
    :param base_asset: its coin, empty for all of the venue
    """

    venue: str
    market_id: str
    base_asset: str
    span: Interval

    @property
    def reach(self) -> Interval:
        """From when to when its orders may have happened."""
        return Interval(self.span.start_ms - _MIDNIGHT_MS, self.span.end_ms + _MIDNIGHT_MS)

    def holds(self, order: Liquidation) -> bool:
        """:return: whether such an order can be in the file"""
        reach = self.reach
        return (
            reach.start_ms <= order.event_ms < reach.end_ms
            and order.venue == self.venue
            and self.market_id in ("", order.market_id)
        )


def named_day(path: Path, venue: str, name: DayName, markets: Mapping[str, MarketTable]) -> DayFile:
    """
    :param name: what names of such files are like
    :return: what a file is about whose rows do not say so
    :raises ImportRefused: not such a name, or a market that is not recorded
    """
    named = name.pattern.match(path.name)
    if named is None:
        raise ImportRefused(
            f"{path}: the symbol stands only in the name of such a file, which must be like "
            f"{name.example}"
        )
    market_id = named["market"]
    refused = name.refuse(market_id)
    if refused is not None:
        raise ImportRefused(f"{path}: {refused}")
    span = _day(path, named["day"])
    return DayFile(venue, market_id, _coin(path, venue, market_id, markets), span)


def tardis_of(path: Path, markets: Mapping[str, MarketTable]) -> DayFile | None:
    """
    :return: what a Tardis file is about, None if its name does not say
    :raises ImportRefused: of an exchange that is none of our venues
    """
    named = _TARDIS.match(path.name)
    if named is None:
        return None
    known = TARDIS_VENUES.get(named["exchange"])
    if known is None:
        raise ImportRefused(
            f"{path}: {named['exchange']} is no venue of LiqTrend; it reads "
            f"{', '.join(TARDIS_VENUES)}"
        )
    name, span = known[0], _day(path, named["day"])
    if named["market"].upper() in _GROUPS:
        return DayFile(name, "", "", span)
    return DayFile(name, named["market"], _coin(path, name, named["market"], markets), span)


def _coin(path: Path, venue: str, market_id: str, markets: Mapping[str, MarketTable]) -> str:
    market = markets[venue].get(market_id)
    if market is None:
        raise ImportRefused(
            f"{path}: {market_id} is in no market list of {venue}; start the sidecar once, which "
            "loads the lists, or correct the file's name"
        )
    return market.base_asset


def _day(path: Path, text: str) -> Interval:
    try:
        start = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ImportRefused(f"{path}: {text} is no day") from None
    start_ms = int(start.timestamp() * 1000)
    return Interval(start_ms, start_ms + DAY_MS)
