"""
Orders that came in time, of minutes that are still open, and that nobody stored before: nearly all.

They are booked and stored like all others (``Appending``), but as columns. If one of a batch is not
plain, nothing of it is stored here. On PostgreSQL others may store the same at the same time, so
that it is not done there.
"""

from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from liq_provider.core.order_columns import MarketNames, OrderColumns
from liq_provider.store import column_rows
from liq_provider.store.booked_columns import EVENT, Booked, book, each_once
from liq_provider.store.booked_minute import BookingRules, Incoming
from liq_provider.store.keys import Keys


def put_plain(
    connection: Connection,
    keys: Keys,
    heard: Sequence[Incoming],
    rules: BookingRules,
    watermark_ms: int,
    min_event_usd: float,
) -> tuple[int, int] | None:
    """
    :param heard: a batch of live orders, at least one
    :return: how many were stored, and how many of them no minute counts, as they are small; None
        if nothing was stored
    """
    if connection.dialect.name != "sqlite":
        return None
    orders = OrderColumns.of([incoming.liquidation for incoming in heard], MarketNames())
    since_ms = np.array([incoming.since_ms for incoming in heard], dtype=np.int64)
    if np.isnan(orders.notional_usd).any() or (orders.event_ms < since_ms).any():
        return None
    booked = book(orders.some(each_once(orders)), rules)
    if (booked.how != EVENT).any() or booked.minute_ms.min() < watermark_ms:
        return None
    numbers = column_rows.numbers_of(booked.orders, keys)
    if not _are_new(connection, numbers, booked):
        return None
    large = booked.orders.notional_usd >= min_event_usd
    column_rows.add_up(connection, numbers, booked.some(large), rules.settle_ms)
    return len(booked.orders), int((~large).sum())


def _are_new(connection: Connection, numbers: column_rows.NumbersOf, booked: Booked) -> bool:
    """Store them all, or nothing if one of them is there already."""
    connection.exec_driver_sql("SAVEPOINT plain")
    try:
        column_rows.insert(connection, numbers, booked)
    except IntegrityError:
        new = False
        connection.exec_driver_sql("ROLLBACK TO plain")
    else:
        new = True
    # Not after any other error: a disk that is full has ended the transaction.
    connection.exec_driver_sql("RELEASE plain")
    return new
