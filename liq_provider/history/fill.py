"""
Gaps that a venue's public REST history can fill, as far back as its answers prove.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from liq_provider.core.coverage import Interval, whole_minutes, without
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation, minute_from
from liq_provider.core.markets import Market
from liq_provider.errors import FeedError
from liq_provider.store.gap_fills import Filled
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from liq_provider.venues import VENUES
from liq_provider.venues.rest_history import Fetch

# Orders of the last seconds may not be in the history yet.
SETTLED_MS = 2 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class GapReport:
    """
    What became of one coin's gap.

    :param filled: None if nothing of it could be proven
    """

    venue: str
    base_asset: str
    gap: Interval
    filled: Filled | None


def is_fillable(venue: str) -> bool:
    """:return: whether a venue publishes a history"""
    return VENUES[venue].history is not None


def gaps(reader: Reader, venue: str, base_asset: str, span: Interval) -> list[Interval]:
    """:return: whole minutes of a span in which nothing is known of a coin on a venue"""
    return without([whole_minutes(span)], reader.known_spans(venue, base_asset, span))


@dataclass(frozen=True, slots=True)
class GapAnswer:
    """
    What a venue's history says about one coin's gap.

    :param proven: the whole minutes of it that are, perhaps none
    :param orders: liquidations of these minutes
    :param asked_ms: when the venue was asked
    """

    venue: str
    base_asset: str
    gap: Interval
    proven: Interval
    orders: Sequence[Liquidation]
    asked_ms: int

    def store(self, writer: Writer) -> GapReport:
        """
        Write what is proven.

        :raises StoreError: the store does not take it
        """
        filled = None
        if self.proven.start_ms < self.proven.end_ms:
            filled = writer.fill(
                self.venue, self.base_asset, self.proven, self.orders, self.asked_ms
            )
        return GapReport(self.venue, self.base_asset, self.gap, filled)


def ask_gap(
    reader: Reader, venue: str, base_asset: str, gap: Interval, now_ms: int, fetch: Fetch
) -> GapAnswer:
    """
    The first half of filling a gap; the other is ``GapAnswer.store``. A sidecar does each in the
    thread that it belongs to.

    :param fetch: asks the venue, see ``venue_rest.fetch_of``
    :raises FeedError: the venue does not answer, or not as documented
    """
    markets = [market for market in reader.markets(venue) if market.base_asset == base_asset]
    proven, orders = _proven(markets, gap, now_ms, fetch)
    return GapAnswer(venue, base_asset, gap, proven, orders, now_ms)


def _proven(
    markets: Sequence[Market], gap: Interval, now_ms: int, fetch: Fetch
) -> tuple[Interval, list[Liquidation]]:
    heard: list[Liquidation] = []
    proven_ms = gap.start_ms if markets else gap.end_ms
    for market in markets:
        history = VENUES[market.venue].history
        if history is None:
            raise FeedError(f"{market.venue} publishes no history")
        orders, from_ms = history.orders(market, gap, now_ms, fetch)
        heard += orders
        proven_ms = max(proven_ms, from_ms)
    start_ms = min(minute_from(proven_ms), gap.end_ms)
    inside = [order for order in heard if start_ms <= order.event_ms < gap.end_ms]
    return Interval(start_ms, gap.end_ms), inside


def fill_gap(
    writer: Writer,
    reader: Reader,
    venue: str,
    base_asset: str,
    gap: Interval,
    now_ms: int,
    fetch: Fetch,
) -> GapReport:
    """
    Fill one coin's gap as far back as the venue's history proves it.

    :raises FeedError: the venue does not answer, or not as documented
    """
    return ask_gap(reader, venue, base_asset, gap, now_ms, fetch).store(writer)


def fill_coins(
    writer: Writer,
    reader: Reader,
    venue: str,
    coins: Iterable[str],
    span: Interval,
    now_ms: int,
    fetch: Fetch,
) -> Iterator[GapReport]:
    """
    Fill all gaps of several coins, one after the other.

    :param span: where to look for gaps; what is too fresh is left for later
    """
    until_ms = min(span.end_ms, now_ms - SETTLED_MS)
    for base in coins:
        for gap in gaps(reader, venue, base, Interval(span.start_ms, until_ms)):
            yield fill_gap(writer, reader, venue, base, gap, now_ms, fetch)
