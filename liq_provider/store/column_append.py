"""
Many imported liquidations into the store at once, as columns.

What is plain goes in here: new orders of minutes that nobody decided on. All else is rare, and
whoever stores orders one by one (``Appending``) does it, in the same transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy import Connection, exists, select

from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.order_columns import OrderColumns
from liq_provider.store import column_rows, schema
from liq_provider.store.appending import Appended
from liq_provider.store.booked_columns import LATE, NO_MINUTE, Booked, book, each_once
from liq_provider.store.booked_minute import BookingRules, Incoming
from liq_provider.store.column_rows import MINUTES
from liq_provider.store.final_minutes import FinalMinutes
from liq_provider.store.keys import Keys
from liq_provider.store.schema import EVERYBODY

OneByOne = Callable[[Sequence[Incoming]], Appended]


def imported(
    connection: Connection,
    keys: Keys,
    orders: OrderColumns,
    rules: BookingRules,
    min_event_usd: float,
    one_by_one: OneByOne,
) -> Appended:
    """
    See ``Writer.import_batch``. Runs in its transaction.

    :param keys: of the same transaction
    :param orders: at least one
    :param one_by_one: stores single orders, likewise
    """

    def by_itself(some: OrderColumns) -> Appended:
        return one_by_one([Incoming(order) for order in some.liquidations()])

    if connection.dialect.name != "sqlite":
        # Others may insert the same at the same time; here nobody writes beside us.
        return by_itself(orders)
    booked = book(orders.some(each_once(orders)), rules)
    late = booked.minute_ms == NO_MINUTE
    plain = _not_final(connection, booked.some(~late))
    numbers = column_rows.numbers_of(plain.orders, keys)
    known = column_rows.known(connection, numbers, plain.orders)
    if known is not None:
        there, uncounted = known
        counts = plain.minute_ms != NO_MINUTE
        # Of these some count anew, or clear up what was in doubt.
        if (uncounted & counts).any() or late.any() or _in_doubt(connection, plain):
            return by_itself(orders)
        plain = plain.some(~(there | uncounted))
    # A doubt about their minutes is the same before or after the others.
    done = by_itself(booked.orders.some(late)) if late.any() else Appended()
    column_rows.insert(connection, numbers, plain)
    large = plain.orders.notional_usd >= min_event_usd
    counted = plain.some(large & (plain.minute_ms != NO_MINUTE))
    column_rows.add_up(connection, numbers, counted, rules.settle_ms)
    inserted = done.inserted + len(plain.orders)
    return replace(
        done,
        inserted=inserted,
        duplicates=len(orders) - inserted,
        booked=done.booked + plain.ways(large),
    )


def _not_final(connection: Connection, booked: Booked) -> Booked:
    """:return: those of minutes that were settled live count in none"""
    orders = booked.orders
    if not len(orders):
        return booked
    final = FinalMinutes(connection, {orders.names[market].venue for market in orders.markets()})
    if final.none:
        return booked
    minute_ms, how = booked.minute_ms.copy(), booked.how.copy()
    groups, group = np.unique(orders.market * MINUTES + minute_ms // MINUTE_MS, return_inverse=True)
    rows = {market: orders.names[market]._asdict() for market in orders.markets()}
    of_group = zip((groups // MINUTES).tolist(), (groups % MINUTES).tolist(), strict=True)
    is_final = np.array(
        [final.has(rows[market], minute * MINUTE_MS) for market, minute in of_group]
    )[group]
    minute_ms[is_final], how[is_final] = NO_MINUTE, LATE
    return Booked(orders, minute_ms, how)


def _in_doubt(connection: Connection, booked: Booked) -> bool:
    """:return: whether of their minutes something was missing, whoever heard them"""
    table, times = schema.doubts.c, booked.minute_ms
    doubted = (
        exists()
        .where(table.heard_by == EVERYBODY)
        .where(table.start_ms <= int(times.max()))
        .where(table.end_ms > int(times.min()))
    )
    return bool(connection.execute(select(doubted)).scalar())
