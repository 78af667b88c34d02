"""
Many imported liquidations into the store at once, as columns.

What is plain goes in here: new orders of minutes that nobody decided on. All else is rare, and
whoever stores orders one by one (``Appending``) does it, in the same transaction.

Of the schema it needs: to be told which of some orders ``liquidations`` has already (``_known``),
to insert orders that it does not have (``_insert``), and to add sums to ``minutes`` (``_add_up``).
Nothing else here knows a table's columns. Orders are handed to these in the order of their key,
each once, and sums are added up in that order, so that they have the bits that single orders give.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any

import numpy as np
from sqlalchemy import Connection, Table, exists, select, text

from liq_provider.core.arrays import BoolArray, IntArray
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.order_columns import OrderColumns
from liq_provider.store import schema
from liq_provider.store.appending import Appended
from liq_provider.store.booked_minute import FUTURE_MS, BookingRules, Incoming
from liq_provider.store.final_minutes import FinalMinutes
from liq_provider.store.schema import EVERYBODY
from liq_provider.store.statements import insert_into

OneByOne = Callable[[Sequence[Incoming]], Appended]

_NO_MINUTE = -1
_WAYS = ("event", "arrival", "late", "future")
_EVENT, _ARRIVAL, _LATE, _FUTURE = range(4)


@dataclass(frozen=True, slots=True)
class _Booked:
    """
    Orders, each once and in the order of their key, and where they count.

    :param minute_ms: open of the minute, ``_NO_MINUTE`` for none
    :param how: numbers of ``_WAYS``
    """

    orders: OrderColumns
    minute_ms: IntArray
    how: IntArray

    def some(self, which: BoolArray) -> "_Booked":
        if which.all():
            return self
        return _Booked(self.orders.some(which), self.minute_ms[which], self.how[which])


def imported(
    connection: Connection,
    orders: OrderColumns,
    rules: BookingRules,
    min_event_usd: float,
    one_by_one: OneByOne,
) -> Appended:
    """
    See ``Writer.import_batch``. Runs in its transaction.

    :param orders: at least one
    :param one_by_one: stores single orders, likewise
    """

    def by_itself(some: OrderColumns) -> Appended:
        return one_by_one([Incoming(order) for order in some.liquidations()])

    if connection.dialect.name != "sqlite":
        # Others may insert the same at the same time; here nobody writes beside us.
        return by_itself(orders)
    booked = _book(orders.some(_each_once(orders)), rules)
    late = booked.minute_ms == _NO_MINUTE
    plain = _not_final(connection, booked.some(~late))
    known = _known(connection, plain.orders)
    if known is not None:
        counted, uncounted = known
        counts = plain.minute_ms != _NO_MINUTE
        # Of these some count anew, or clear up what was in doubt.
        if (uncounted & counts).any() or late.any() or _in_doubt(connection, plain):
            return by_itself(orders)
        plain = plain.some(~(counted | uncounted))
    # A doubt about their minutes is the same before or after the others.
    done = by_itself(booked.orders.some(late)) if late.any() else Appended()
    _insert(connection, plain)
    large = plain.orders.notional_usd >= min_event_usd
    _add_up(connection, plain.some(large & (plain.minute_ms != _NO_MINUTE)), rules)
    inserted = done.inserted + len(plain.orders)
    return replace(
        done,
        inserted=inserted,
        duplicates=len(orders) - inserted,
        booked=done.booked + _ways(plain.how, large),
    )


def _ways(how: IntArray, large: BoolArray) -> Counter[str]:
    counts = np.bincount(how[large], minlength=len(_WAYS)).tolist()
    ways = Counter({way: count for way, count in zip(_WAYS, counts, strict=True) if count})
    small = int((~large).sum())
    return ways + Counter({"small": small} if small else {})


def _each_once(orders: OrderColumns) -> IntArray:
    """:return: positions in the order of the key, the first of equal ones"""
    event_ms = orders.event_ms
    if (event_ms[1:] > event_ms[:-1]).all():
        return np.arange(len(orders))
    markets = sorted({(name.venue, name.market_id) for name in orders.names})
    ranks = {market: rank for rank, market in enumerate(markets)}
    rank = np.array([ranks[name.venue, name.market_id] for name in orders.names])[orders.market]
    # The last one decides first.
    key = (orders.ordinal, orders.quantity, orders.price, orders.short, rank, event_ms)
    at: IntArray = np.lexsort(key)
    same = np.ones(len(at) - 1, dtype=np.bool_)
    for column in key:
        ordered = column[at]
        same &= ordered[1:] == ordered[:-1]
    once: IntArray = at[np.append(True, ~same)]
    return once


def _book(orders: OrderColumns, rules: BookingRules) -> _Booked:
    """The same as ``BookingRules.book`` of orders of the past, where no minute is settled."""
    event_ms, received_ms = orders.event_ms, orders.received_ms
    minute_ms = event_ms - event_ms % MINUTE_MS
    how = np.zeros(len(orders), dtype=np.int64)
    not_in_time = received_ms > minute_ms + (MINUTE_MS + rules.settle_ms)
    if not_in_time.any():
        how[not_in_time] = _ARRIVAL
        minute_ms = np.where(not_in_time, received_ms - received_ms % MINUTE_MS, minute_ms)
        how[not_in_time & (received_ms - event_ms > rules.max_late_ms)] = _LATE
    how[event_ms > received_ms + FUTURE_MS] = _FUTURE
    return _Booked(orders, np.where(how >= _LATE, _NO_MINUTE, minute_ms), how)


def _not_final(connection: Connection, booked: _Booked) -> _Booked:
    """:return: those of minutes that were settled live count in none"""
    orders = booked.orders
    if not len(orders):
        return booked
    markets = np.unique(orders.market).tolist()
    final = FinalMinutes(connection, {orders.names[market].venue for market in markets})
    if final.none:
        return booked
    minute_ms, how = booked.minute_ms.copy(), booked.how.copy()
    groups, group = np.unique(np.stack([orders.market, minute_ms]), axis=1, return_inverse=True)
    is_final = np.array(
        [final.has(orders.names[market]._asdict(), of_ms) for market, of_ms in groups.T.tolist()]
    )[group.reshape(-1)]
    minute_ms[is_final], how[is_final] = _NO_MINUTE, _LATE
    return _Booked(orders, minute_ms, how)


def _in_doubt(connection: Connection, booked: _Booked) -> bool:
    """:return: whether of their minutes something was missing, whoever heard them"""
    table, times = schema.doubts.c, booked.minute_ms
    doubted = (
        exists()
        .where(table.heard_by == EVERYBODY)
        .where(table.start_ms <= int(times.max()))
        .where(table.end_ms > int(times.min()))
    )
    return bool(connection.execute(select(doubted)).scalar())


# -- what knows the columns of tables


def _known(connection: Connection, orders: OrderColumns) -> tuple[BoolArray, BoolArray] | None:
    """
    :return: which of them the store has, those that count in a minute and those that do not; None
        if it has none of these times at all
    """
    if not len(orders):
        return None
    table, times = schema.liquidations.c, orders.event_ms
    there = exists().where(table.event_ms.between(int(times[0]), int(times[-1])))
    if not connection.execute(select(there)).scalar():
        return None
    connection.execute(_ASKED)
    connection.execute(_NOT_ASKED)
    values = _identities(orders)
    _execute(connection, _ASK, [range(len(orders)), *values.values()])
    known = connection.execute(_ANSWER).all()
    connection.execute(_NOT_ASKED)
    counted, uncounted = np.zeros((2, len(orders)), dtype=np.bool_)
    counted[[row for row, counts in known if counts]] = True
    uncounted[[row for row, counts in known if not counts]] = True
    return counted, uncounted


_KEY = [column.name for column in schema.liquidations.primary_key]
_ASKED = text(
    "CREATE TEMP TABLE IF NOT EXISTS asked (number INTEGER PRIMARY KEY, event_ms BIGINT, "
    "venue VARCHAR, market_id VARCHAR, position_side VARCHAR, price FLOAT, quantity FLOAT, "
    "ordinal INTEGER)"
)
_NOT_ASKED = text("DELETE FROM temp.asked")
_ASK = "INSERT INTO temp.asked VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # in the order of ``_KEY``
_ANSWER = text(
    "SELECT asked.number, known.minute_ms IS NOT NULL FROM temp.asked "  # noqa: S608 - our own
    "CROSS JOIN liquidations AS known ON "
    + " AND ".join(f"known.{name} = asked.{name}" for name in _KEY)
)


def _identities(orders: OrderColumns) -> dict[str, Iterable[Any]]:
    """:return: values of the columns of the key, in their order"""
    names, markets = orders.names, orders.market.tolist()
    venues = [name.venue for name in names]
    market_ids = [name.market_id for name in names]
    return {
        "event_ms": orders.event_ms.tolist(),
        "venue": [venues[market] for market in markets],
        "market_id": [market_ids[market] for market in markets],
        "position_side": ["short" if short else "long" for short in orders.short.tolist()],
        "price": orders.price.tolist(),
        "quantity": orders.quantity.tolist(),
        "ordinal": orders.ordinal.tolist(),
    }


def _insert(connection: Connection, booked: _Booked) -> None:
    """Of orders that the store does not have."""
    orders, minute_ms = booked.orders, booked.minute_ms.tolist()
    if _NO_MINUTE in minute_ms:
        minute_ms = [None if ms == _NO_MINUTE else ms for ms in minute_ms]
    markets = orders.market.tolist()
    pairs = [name.pair for name in orders.names]
    base_assets = [name.base_asset for name in orders.names]
    values = {
        **_identities(orders),
        "pair": [pairs[market] for market in markets],
        "base_asset": [base_assets[market] for market in markets],
        "notional_usd": orders.notional_usd.tolist(),
        "received_ms": orders.received_ms.tolist(),
        "minute_ms": minute_ms,
    }
    _put(connection, schema.liquidations, insert_into(connection, schema.liquidations), values)


def _add_up(connection: Connection, booked: _Booked, rules: BookingRules) -> None:
    """As ``MinuteSums`` and ``add_to_minutes``, for columns."""
    orders = booked.orders
    if not len(orders):
        return
    series = sorted({(name.base_asset, name.venue, name.pair) for name in orders.names})
    numbers = {one: number for number, one in enumerate(series)}
    of_market = [numbers[name.base_asset, name.venue, name.pair] for name in orders.names]
    of_order = np.array(of_market)[orders.market] * _MINUTES + booked.minute_ms // MINUTE_MS
    groups, group = np.unique(of_order, return_inverse=True)
    many, long = len(groups), np.where(orders.short, 0.0, orders.notional_usd)
    short = np.where(orders.short, orders.notional_usd, 0.0)
    minute_ms = groups % _MINUTES * MINUTE_MS
    numbered = [series[number] for number in (groups // _MINUTES).tolist()]
    counts = np.bincount(group, minlength=many)
    short_counts = np.bincount(group[orders.short], minlength=many)
    values: dict[str, Iterable[Any]] = {
        "base_asset": [base_asset for base_asset, _, _ in numbered],
        "minute_ms": minute_ms.tolist(),
        "venue": [venue for _, venue, _ in numbered],
        "pair": [pair for _, _, pair in numbered],
        # One after the other, as single orders are added.
        "long_usd": np.bincount(group, long, many).tolist(),
        "short_usd": np.bincount(group, short, many).tolist(),
        "long_count": (counts - short_counts).tolist(),
        "short_count": short_counts.tolist(),
        "filled": repeat(0, many),
        "available_at": (minute_ms + (MINUTE_MS + rules.settle_ms)).tolist(),
    }
    statement = insert_into(connection, schema.minutes)
    new, table = statement.excluded, schema.minutes.c
    sums = ("long_usd", "short_usd", "long_count", "short_count")
    more = statement.on_conflict_do_update(
        index_elements=list(schema.minutes.primary_key),
        set_={name: table[name] + new[name] for name in sums},
    )
    _put(connection, schema.minutes, more, values)


# More minutes than there are until the last time that can be one.
_MINUTES = 1 << 27


def _put(
    connection: Connection, table: Table, statement: Any, values: Mapping[str, Iterable[Any]]
) -> None:
    """By the driver itself: what a library does for each row takes longer than the row."""
    names = [column.name for column in table.columns if column.name in values]
    compiled = str(statement.compile(dialect=connection.dialect, column_keys=names))
    _execute(connection, compiled, [values[name] for name in names])


def _execute(connection: Connection, statement: str, values: Sequence[Iterable[Any]]) -> None:
    rows = list(zip(*values, strict=True))
    if rows:
        connection.exec_driver_sql(statement, rows)
