"""What a recording can claim to know: the spans in which it had rows, without the long holes."""

from collections.abc import Sequence

import numpy as np

from liq_provider.core.arrays import IntArray
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation, minute_of
from liq_provider.core.order_columns import OrderColumns

Source = tuple[str, str]  # venue and coin; the coin is empty for the whole venue

_JOIN_FROM = 4_096


class Spans:
    """
    The spans grow with the rows, in whatever order these come; what is kept is in proportion
    to the holes, not to the rows or to the time.

    :param max_gap_ms: a hole without a row that is longer is unknown
    :param per_coin: each coin of a venue for itself
    """

    def __init__(self, max_gap_ms: int, *, per_coin: bool) -> None:
        self._max_gap_ms, self._per_coin = max_gap_ms, per_coin
        # First and last row of each span, the one that grows at the end.
        self._seen: dict[Source, list[list[int]]] = {}
        self._join_at: dict[Source, int] = {}
        # Coins with rows that were read now; of others nothing new can be said.
        self._coins: dict[str, set[str]] = {}
        self._incomplete: set[str] = set()

    def add(self, order: Liquidation) -> None:
        """There was such a row."""
        event_ms = order.event_ms
        source = (order.venue, order.base_asset if self._per_coin else "")
        spans = self._seen.get(source)
        if spans is not None and 0 <= event_ms - spans[-1][1] <= self._max_gap_ms:
            spans[-1][1] = event_ms  # as nearly always
        else:
            self._grow(source, event_ms, event_ms)
        coins = self._coins.get(order.venue)
        if coins is None:
            coins = self._coins[order.venue] = set()
        coins.add(order.base_asset)

    def add_columns(self, orders: OrderColumns) -> None:
        """There were such rows."""
        if not len(orders):
            return
        sources, source = self._noted(orders)
        event_ms = orders.event_ms
        if len(sources) > 1:
            order = np.lexsort((event_ms, source))
            source, event_ms = source[order], event_ms[order]
        elif (event_ms[1:] < event_ms[:-1]).any():
            event_ms = np.sort(event_ms)
        first_ms, last_ms = event_ms[:-1], event_ms[1:]
        apart = last_ms - first_ms > self._max_gap_ms
        apart &= last_ms // MINUTE_MS != first_ms // MINUTE_MS
        apart |= source[1:] != source[:-1]
        ends = np.append(np.flatnonzero(apart), len(event_ms) - 1)
        begins = np.append(0, ends[:-1] + 1)
        runs = (source[begins].tolist(), event_ms[begins].tolist(), event_ms[ends].tolist())
        for number, begin_ms, end_ms in zip(*runs, strict=True):
            self._grow(sources[number], begin_ms, end_ms)

    def _noted(self, orders: OrderColumns) -> tuple[list[Source], IntArray]:
        """
        Remember the coins.

        :return: sources as they were met, which is how they are told, and the number of each
            order's in that list
        """
        numbers: dict[Source, int] = {}
        of_market = np.zeros(len(orders.names), dtype=np.int64)
        for market in orders.markets():
            name = orders.names[market]
            self._coins.setdefault(name.venue, set()).add(name.base_asset)
            source = (name.venue, name.base_asset if self._per_coin else "")
            of_market[market] = numbers.setdefault(source, len(numbers))
        return list(numbers), of_market[orders.market]

    def known(self, source: Source, interval: Interval) -> None:
        """An earlier import of the same recording covered this."""
        self._grow(source, interval.start_ms, interval.end_ms - 1)

    def _grow(self, source: Source, first_ms: int, last_ms: int) -> None:
        spans = self._seen.setdefault(source, [])
        if spans:
            current = spans[-1]
            if self._belong(current, first_ms) or self._belong([first_ms, last_ms], current[0]):
                current[:] = min(current[0], first_ms), max(current[1], last_ms)
                return
        if len(spans) >= self._join_at.get(source, _JOIN_FROM):
            spans[:] = self._joined(spans)
            self._join_at[source] = max(_JOIN_FROM, 2 * len(spans))
        spans.append([first_ms, last_ms])

    def _belong(self, span: Sequence[int], next_ms: int) -> bool:
        """:return: whether a row at or after the begin of the span continues it"""
        begin, end = span
        if next_ms < begin:
            return False
        return next_ms - end <= self._max_gap_ms or minute_of(next_ms) == minute_of(end)

    def _joined(self, spans: Sequence[list[int]]) -> list[list[int]]:
        joined: list[list[int]] = []
        for first_ms, last_ms in sorted(spans):
            if joined and self._belong(joined[-1], first_ms):
                joined[-1][1] = max(joined[-1][1], last_ms)
            else:
                joined.append([first_ms, last_ms])
        return joined

    def incomplete(self, venue: str) -> None:
        """Of some coins of the venue there were rows that could not be understood."""
        self._incomplete.add(venue)

    def is_incomplete(self, venue: str) -> bool:
        """:return: whether it has rows that could not be understood"""
        return venue in self._incomplete

    def covered(self) -> dict[Source, list[Interval]]:
        """:return: from first to last row, without the holes, of all that had rows now"""
        covered: dict[Source, list[Interval]] = {}
        for source, spans in self._seen.items():
            fresh = self.sources(source)
            if fresh:
                joined = self._joined(spans)
                intervals = [Interval(first_ms, last_ms + 1) for first_ms, last_ms in joined]
                covered.update(dict.fromkeys(fresh, intervals))
        return covered

    def sources(self, source: Source) -> list[Source]:
        """:return: of a venue or coin that rows are about, what can be claimed to be known"""
        venue, base = source
        coins = self._coins.get(venue, set())
        if base:
            return [source] if base in coins else []
        if venue in self._incomplete:
            return [(venue, coin) for coin in sorted(coins)]
        return [source] if coins else []
