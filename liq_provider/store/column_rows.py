"""
Orders as columns into the tables of an SQLite store, and their sums.

Nothing else that handles columns knows a table's. Orders are handed to these in the order of their
key, each once, and sums are added up in that order, so that they have the bits that single orders
give. The driver itself takes the rows: what a library does for each takes longer than the row.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Table, exists, select, text
from sqlalchemy.dialects import sqlite

from liq_provider.core.arrays import BoolArray, IntArray
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.order_columns import OrderColumns
from liq_provider.store import schema
from liq_provider.store.booked_columns import NO_MINUTE, Booked
from liq_provider.store.keys import Keys, Numbers
from liq_provider.store.numbered_rows import adding_up, are_exact

# By the number of a market's name in columns.
NumbersOf = Mapping[int, Numbers]

# More minutes than there are until the last time that can be one.
MINUTES = 1 << 27

# Rows to a statement: measured, more gain nothing.
_AT_ONCE = 50


def _compiled(statement: Any, table: Table) -> str:
    names = [column.name for column in table.columns]
    return str(statement.compile(dialect=sqlite.dialect(), column_keys=names))


_INSERT = _compiled(schema.orders.insert(), schema.orders)
_ADD_UP = _compiled(adding_up(sqlite.insert(schema.sums)), schema.sums)

_KEY = [column.name for column in schema.orders.primary_key]
_ASKED = text(
    "CREATE TEMP TABLE IF NOT EXISTS asked (number INTEGER PRIMARY KEY, event_ms BIGINT, "
    "market INTEGER, side INTEGER, price FLOAT, quantity FLOAT, ordinal INTEGER)"
)
_NOT_ASKED = text("DELETE FROM temp.asked")
_ASK = "INSERT INTO temp.asked VALUES (?, ?, ?, ?, ?, ?, ?)"  # in the order of ``_KEY``
_ANSWER = text(
    "SELECT asked.number, known.booked_ms IS NOT NULL FROM temp.asked "  # noqa: S608 - our own
    "CROSS JOIN orders AS known ON " + " AND ".join(f"known.{name} = asked.{name}" for name in _KEY)
)


def numbers_of(orders: OrderColumns, keys: Keys) -> NumbersOf:
    """:return: what stands for each of their markets in the store"""
    markets = orders.markets()
    names = [orders.names[market] for market in markets]
    if not all(name in keys.numbers for name in names):
        keys.know(names)
    return {market: keys.numbers[name] for market, name in zip(markets, names, strict=True)}


def identities(orders: OrderColumns, numbers: NumbersOf) -> list[Sequence[Any]]:
    """:return: values of the columns of the key, in their order"""
    return [
        orders.event_ms.tolist(),
        _of_each(orders, {market: own[0] for market, own in numbers.items()}),
        orders.short.astype(np.int64).tolist(),
        orders.price.tolist(),
        orders.quantity.tolist(),
        orders.ordinal.tolist(),
    ]


def known(
    connection: Connection, numbers: NumbersOf, orders: OrderColumns
) -> tuple[BoolArray, BoolArray] | None:
    """
    :param numbers: of all markets of theirs
    :return: which of them the store has, those that count in a minute and those that do not; None
        if it has none of these times at all
    """
    if not len(orders):
        return None
    table, times = schema.orders.c, orders.event_ms
    there = exists().where(table.event_ms.between(int(times[0]), int(times[-1])))
    if not connection.execute(select(there)).scalar():
        return None
    connection.execute(_ASKED)
    connection.execute(_NOT_ASKED)
    execute(connection, _ASK, [range(len(orders)), *identities(orders, numbers)])
    answer = connection.execute(_ANSWER).all()
    connection.execute(_NOT_ASKED)
    counted, uncounted = np.zeros((2, len(orders)), dtype=np.bool_)
    counted[[row for row, counts in answer if counts]] = True
    uncounted[[row for row, counts in answer if not counts]] = True
    return counted, uncounted


def insert(connection: Connection, numbers: NumbersOf, booked: Booked) -> None:
    """
    Of orders that the store does not have.

    :param numbers: of all markets of theirs
    """
    orders, minute_ms = booked.orders, booked.minute_ms
    booked_ms = (minute_ms - (orders.event_ms - orders.event_ms % MINUTE_MS)).tolist()
    for row in np.flatnonzero(minute_ms == NO_MINUTE).tolist():
        booked_ms[row] = None
    notional_usd: list[float | None] = [None] * len(orders)
    for row in np.flatnonzero(~are_exact(orders)).tolist():
        notional_usd[row] = float(orders.notional_usd[row])
    own = {market: series for market, (_, series, _, _) in numbers.items()}
    values = [
        *identities(orders, numbers),
        [own[market] for market in orders.market.tolist()]
        if any(own.values())
        else [None] * len(orders),
        notional_usd,
        (orders.received_ms - orders.event_ms).tolist(),
        booked_ms,
    ]
    execute(connection, _INSERT, values)


def add_up(connection: Connection, numbers: NumbersOf, booked: Booked, settle_ms: int) -> None:
    """
    As ``MinuteSums`` and ``add_to_minutes``, for columns.

    :param numbers: of all markets of theirs
    :param booked: that all count in a minute
    """
    orders = booked.orders
    if not len(orders):
        return
    coins = {series: coin for _, _, coin, series in numbers.values()}
    series_of: IntArray = np.zeros(len(orders.names), dtype=np.int64)
    for market, (_, _, _, series) in numbers.items():
        series_of[market] = series
    of_order = series_of[orders.market] * MINUTES + booked.minute_ms // MINUTE_MS
    groups, group = np.unique(of_order, return_inverse=True)
    many, long = len(groups), np.where(orders.short, 0.0, orders.notional_usd)
    short = np.where(orders.short, orders.notional_usd, 0.0)
    of_group = (groups // MINUTES).tolist()
    counts = np.bincount(group, minlength=many)
    short_counts = np.bincount(group[orders.short], minlength=many)
    values: list[Sequence[Any]] = [
        [coins[series] for series in of_group],
        (groups % MINUTES * MINUTE_MS).tolist(),
        of_group,
        [0] * many,
        # One after the other, as single orders are added.
        np.bincount(group, long, many).tolist(),
        np.bincount(group, short, many).tolist(),
        (counts - short_counts).tolist(),
        short_counts.tolist(),
        [settle_ms] * many,
    ]
    execute(connection, _ADD_UP, values)


def _of_each(orders: OrderColumns, of_market: Mapping[int, int]) -> list[int]:
    """:return: for each order the number of its market"""
    numbers = np.zeros(len(orders.names), dtype=np.int64)
    for market, number in of_market.items():
        numbers[market] = number
    of_each: list[int] = numbers[orders.market].tolist()
    return of_each


def execute(connection: Connection, statement: str, values: Sequence[Sequence[Any]]) -> None:
    """
    :param statement: an INSERT of one row, as the driver has it
    :param values: by column, in the order of its marks; those of a column are of one type, or none
    """
    count = len(values[0])
    if not count:
        return
    # What is the same in all rows stands in the statement: to hand over a value takes longer than
    # to store it.
    marks = ["?", *(_literal(column) for column in values[1:])]
    bound = [column for column, mark in zip(values, marks, strict=True) if mark == "?"]
    width, row = len(bound), f"({', '.join(marks)})"
    flat: list[Any] = [None] * (width * count)
    for place, column in enumerate(bound):
        flat[place::width] = column
    many = count // _AT_ONCE * _AT_ONCE * width
    one = f"({', '.join('?' * len(values))})"
    for begin, end, rows in ((0, many, _AT_ONCE), (many, len(flat), 1)):
        step = rows * width
        parts = [tuple(flat[first : first + step]) for first in range(begin, end, step)]
        if parts:
            several = ", ".join([row] * rows)
            connection.exec_driver_sql(statement.replace(one, several), parts)


def _literal(column: Sequence[Any]) -> str:
    """:return: what stands for the values of a column in a statement"""
    first, count = column[0], len(column)
    if count == 1 or column.count(first) < count:
        return "?"
    if first is None:
        return "NULL"
    return str(first) if type(first) is int else "?"
