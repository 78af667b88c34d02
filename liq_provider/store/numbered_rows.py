"""Rows of ``liquidations`` and ``minutes`` into the tables that hold them, numbers for names."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, select

from liq_provider.core.arrays import BoolArray
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import minute_of
from liq_provider.core.order_columns import OrderColumns
from liq_provider.errors import StoreRefused
from liq_provider.store import schema
from liq_provider.store.keys import Keys
from liq_provider.store.liquidation_rows import Identity, Row
from liq_provider.store.statements import insert_into, replace

_ORDER_KEY = tuple(schema.orders.primary_key)
_SUMMED = ("long_usd", "short_usd", "long_count", "short_count")

# What a product lies between that no database stops at, see ``schema.orders``.
_LEAST, _MOST = 1e-100, 1e100


def put_orders(connection: Connection, keys: Keys, rows: Mapping[Identity, Row]) -> set[Identity]:
    """
    Store those that are not there yet.

    :param rows: of ``liquidations``
    :return: which of them were new
    """
    if not rows:
        return set()
    keys.know((r["venue"], r["market_id"], r["pair"], r["base_asset"]) for r in rows.values())
    by_key = {}
    stored = []
    # In the order of the key: two writers that lock rows in the same order never deadlock.
    for identity in sorted(rows):
        row = _order(rows[identity], keys)
        stored.append(row)
        by_key[tuple(row[column.name] for column in _ORDER_KEY)] = identity
    statement = insert_into(connection, schema.orders).on_conflict_do_nothing()
    inserted = connection.execute(statement.returning(*_ORDER_KEY), stored)
    return {by_key[tuple(row)] for row in inserted}


def _order(row: Row, keys: Keys) -> Row:
    event_ms, booked_ms = row["event_ms"], row["minute_ms"]
    names = (row["venue"], row["market_id"], row["pair"], row["base_asset"])
    market, own_series, _, _ = keys.numbers[names]
    return {
        "event_ms": event_ms,
        "market": market,
        "side": side_of(row["position_side"]),
        "price": row["price"],
        "quantity": row["quantity"],
        "ordinal": row["ordinal"],
        "series": own_series,
        "notional_usd": not_exact(row["price"], row["quantity"], row["notional_usd"]),
        "delay_ms": row["received_ms"] - event_ms,
        "booked_ms": None if booked_ms is None else booked_ms - minute_of(event_ms),
    }


def side_of(position_side: str) -> int:
    """:return: its number"""
    return 0 if position_side == "long" else 1


def not_exact(price: float, quantity: float, notional_usd: float) -> float | None:
    """
    :return: the quote value, None if it follows from the others to the last bit
    :raises StoreRefused: it is no number
    """
    if notional_usd is None or notional_usd != notional_usd:
        raise StoreRefused(f"Storing liquidations: a notional_usd is {notional_usd}")
    usual = _LEAST <= price <= _MOST and _LEAST <= quantity <= _MOST
    return None if usual and price * quantity == notional_usd else notional_usd


def are_exact(orders: OrderColumns) -> BoolArray:
    """:return: for each order whether its quote value follows from the rest, see ``not_exact``"""
    price, quantity = orders.price, orders.quantity
    usual = (price >= _LEAST) & (price <= _MOST) & (quantity >= _LEAST) & (quantity <= _MOST)
    exact: BoolArray = usual & (price * quantity == orders.notional_usd)
    return exact


def is_order(keys: Keys, identity: Identity) -> ColumnElement[bool]:
    """
    :param identity: of an order that is stored
    :return: what finds it in ``orders``
    """
    event_ms, venue, market_id, side, *rest = identity
    market, _ = keys.markets[venue, market_id]
    values = (event_ms, market, side_of(side), *rest)
    return and_(*(column == value for column, value in zip(_ORDER_KEY, values, strict=True)))


def add_to_minutes(connection: Connection, keys: Keys, rows: Sequence[Row]) -> None:
    """
    :param rows: of ``minutes``; their sums are added to what is there already
    """
    if rows:
        connection.execute(adding_up(insert_into(connection, schema.sums)), _sums(rows, keys))


def adding_up(statement: Any) -> Any:
    """
    :param statement: an INSERT into ``sums``
    :return: the same, adding to what is there already
    """
    new, table = statement.excluded, schema.sums.c
    return statement.on_conflict_do_update(
        index_elements=list(schema.sums.primary_key),
        set_={name: table[name] + new[name] for name in _SUMMED},
    )


def put_minutes(connection: Connection, keys: Keys, rows: Sequence[Row]) -> None:
    """
    :param rows: of ``minutes``; they replace those that are there
    """
    if rows:
        replace(connection, schema.sums, _sums(rows, keys))


def _sums(rows: Iterable[Row], keys: Keys) -> list[Row]:
    keys.know_series((row["venue"], row["pair"], row["base_asset"]) for row in rows)
    return [
        {
            "coin": keys.coins[row["base_asset"]],
            "minute_ms": row["minute_ms"],
            "series": keys.series[row["venue"], row["pair"], row["base_asset"]],
            "filled": row["filled"],
            **{name: row[name] for name in _SUMMED},
            "known_ms": row["available_at"] - row["minute_ms"] - MINUTE_MS,
        }
        for row in rows
    ]


def minute_of_coin(venue: str, base_asset: str, minute_ms: int) -> ColumnElement[bool]:
    """
    :return: what finds the sums of a coin on a venue in ``sums``, in one minute: of all its pairs,
        whoever gave them their number
    """
    table, series, coins = schema.sums.c, schema.series_keys.c, schema.coin_keys.c
    return and_(
        table.coin.in_(select(coins.key).where(coins.base_asset == base_asset)),
        table.minute_ms == minute_ms,
        table.series.in_(
            select(series.key).where(series.venue == venue, series.base_asset == base_asset)
        ),
    )
