"""Orders as columns: each once, and in which minute it counts; see ``BookingRules``."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from liq_provider.core.arrays import BoolArray, IntArray
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.order_columns import OrderColumns
from liq_provider.store.booked_minute import FUTURE_MS, BookingRules

# Of ``Booked.minute_ms``: it counts in none.
NO_MINUTE = -1

# How it came about that an order counts where it does, by number.
WAYS = ("event", "arrival", "late", "future")
EVENT, ARRIVAL, LATE, FUTURE = range(4)


@dataclass(frozen=True, slots=True)
class Booked:
    """
    Orders, each once and in the order of their key, and where they count.

    :param minute_ms: open of the minute, ``NO_MINUTE`` for none
    :param how: numbers of ``WAYS``
    """

    orders: OrderColumns
    minute_ms: IntArray
    how: IntArray

    def some(self, which: BoolArray) -> "Booked":
        """:return: those orders"""
        if which.all():
            return self
        return Booked(self.orders.some(which), self.minute_ms[which], self.how[which])

    def ways(self, large: BoolArray) -> Counter[str]:
        """
        :param large: which of them are not too small to count
        :return: the number of orders by how they came to count where they do
        """
        counts = np.bincount(self.how[large], minlength=len(WAYS)).tolist()
        ways = Counter({way: count for way, count in zip(WAYS, counts, strict=True) if count})
        small = int((~large).sum())
        return ways + Counter({"small": small} if small else {})


def each_once(orders: OrderColumns) -> IntArray:
    """:return: positions in the order of the key, the first of equal ones"""
    event_ms = orders.event_ms
    if (event_ms[1:] > event_ms[:-1]).all():
        return np.arange(len(orders))
    at: IntArray = np.arange(len(orders))
    if (event_ms[1:] < event_ms[:-1]).any():
        at = np.argsort(event_ms, kind="stable")
        event_ms = event_ms[at]
    equal = np.append(False, event_ms[1:] == event_ms[:-1])
    # Of most orders the time alone decides where they stand.
    places = np.flatnonzero(equal | np.append(equal[1:], False))
    if not len(places):
        return at
    some = at[places]
    markets = sorted({(name.venue, name.market_id) for name in orders.names})
    ranks = {market: rank for rank, market in enumerate(markets)}
    rank = np.array([ranks[name.venue, name.market_id] for name in orders.names])
    key = (
        orders.ordinal[some],
        orders.quantity[some],
        orders.price[some],
        orders.short[some],
        rank[orders.market[some]],
        event_ms[places],
    )
    order = np.lexsort(key)  # the last one decides first
    at[places] = some[order]
    same = np.ones(len(order) - 1, dtype=np.bool_)
    for column in key:
        ordered = column[order]
        same &= ordered[1:] == ordered[:-1]
    return np.delete(at, places[1:][same])


def book(orders: OrderColumns, rules: BookingRules) -> Booked:
    """
    The same as ``BookingRules.book`` of orders of the past, where no minute is settled.

    :param orders: each once, in the order of their key
    """
    event_ms, received_ms = orders.event_ms, orders.received_ms
    minute_ms = event_ms - event_ms % MINUTE_MS
    how = np.zeros(len(orders), dtype=np.int64)
    not_in_time = received_ms > minute_ms + (MINUTE_MS + rules.settle_ms)
    if not_in_time.any():
        how[not_in_time] = ARRIVAL
        minute_ms = np.where(not_in_time, received_ms - received_ms % MINUTE_MS, minute_ms)
        how[not_in_time & (received_ms - event_ms > rules.max_late_ms)] = LATE
    how[event_ms > received_ms + FUTURE_MS] = FUTURE
    return Booked(orders, np.where(how >= LATE, NO_MINUTE, minute_ms), how)
