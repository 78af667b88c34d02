"""
The liquidations of the last days that a venue publishes by REST, and how far back they prove.

An answer proves a span only as far back as a row at or before its beginning shows that nothing
older was withheld; what is not proven stays unknown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from liq_provider.core.coverage import Interval
from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import Market
from liq_provider.errors import FeedError

# Asks the venue for a path with parameters; raises ``FeedError`` if it does not answer.
Fetch = Callable[[str, Mapping[str, str]], Any]


@dataclass(frozen=True, slots=True)
class RestHistory:
    """
    :param orders: a market's orders in a gap and perhaps before it, and since when they are all
        there; is given the market, the gap, the time now, and what to ask the venue with.
        Raises ``FeedError`` if it does not answer as documented
    :param pause_s: before each question, where the venue allows fewer than most
    :param by_second: its rows state whole seconds or another price than the stream; an order is
        the same if market, side, quantity and second are
    """

    orders: Callable[[Market, Interval, int, Fetch], tuple[list[Liquidation], int]]
    pause_s: float = 0.0
    by_second: bool = False


def newest_first(
    gap: Interval, page_before: Callable[[int], Sequence[Liquidation]], most_pages: int = 50
) -> tuple[list[Liquidation], int]:
    """
    Read page by page until a row at or before the gap's beginning.

    :param page_before: the newest orders before a time, as many as the venue gives at once
    :return: as of ``RestHistory.orders``
    """
    orders: list[Liquidation] = []
    before_ms = gap.end_ms
    for _ in range(most_pages):
        page = page_before(before_ms)
        orders += page
        oldest_ms = min((order.event_ms for order in page), default=before_ms)
        if oldest_ms <= gap.start_ms:
            return orders, gap.start_ms
        if oldest_ms >= before_ms:
            break
        # Orders of one moment may stand on both sides of a page's end.
        both = len(page) > 1 and oldest_ms + 1 < before_ms
        before_ms = oldest_ms + 1 if both else oldest_ms
    return orders, after_oldest(orders, gap)


def refused(market: Market, answer: Any, key: str) -> FeedError:
    """
    :param answer: instead of its history
    :param key: under which it says why
    """
    said = answer.get(key) if isinstance(answer, dict) else None
    return FeedError(f"{market.venue}: the history of {market.market_id} is refused ({said})")


def after_oldest(orders: Sequence[Liquidation], gap: Interval) -> int:
    """
    :param orders: all that the venue still has, none of them before the gap
    :return: from when on they are surely all there
    """
    oldest_ms = min((order.event_ms for order in orders), default=gap.end_ms)
    return max(gap.start_ms, min(oldest_ms + 1, gap.end_ms))
