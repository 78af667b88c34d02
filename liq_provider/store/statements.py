"""Statements that several writers share; the same on SQLite and PostgreSQL."""

import json
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Table, select
from sqlalchemy.dialects import sqlite

from liq_provider.store import schema
from liq_provider.store.booked_minute import FUTURE_MS
from liq_provider.store.liquidation_rows import Row

# A small fact that is another one after every change of the past.
PAST = "past"


def insert_into(connection: Connection, table: Table) -> Any:
    """:return: an INSERT that knows ON CONFLICT"""
    if connection.dialect.name == "postgresql":
        # Its module loads those of all its drivers, which an SQLite store has no use for.
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    return sqlite.insert(table)


def not_ahead() -> ColumnElement[bool]:
    """
    :return: orders that are not dated ahead of their arrival. One of those counts in no minute,
        and is no proof of what time it is
    """
    table = schema.liquidations.c
    return table.event_ms <= table.received_ms + FUTURE_MS


def replace(connection: Connection, table: Table, rows: list[Row]) -> None:
    """Insert rows, or overwrite those with the same key."""
    if not rows:
        return
    statement = insert_into(connection, table)
    keys = [column.name for column in table.primary_key]
    values = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values), rows)


def read_state(
    connection: Connection, key: str, *, lock: Literal["shared", "alone"] | None = None
) -> Any:
    """
    :param lock: nobody else may change it before this transaction ends; ``alone``: nor may
        anybody else hold it
    :return: one of the small facts, None if it was never written
    """
    query = select(schema.state.c.value).where(schema.state.c.key == key)
    if lock is not None:
        # SQLite has no such clause and needs none: its writers follow one another.
        query = query.with_for_update(read=lock == "shared")
    value = connection.execute(query).scalar()
    return None if value is None else json.loads(value)


def write_state(connection: Connection, key: str, value: Any, now_ms: int) -> None:
    """Write one of the small facts."""
    row = {"key": key, "value": json.dumps(value), "updated_ms": now_ms}
    replace(connection, schema.state, [row])


def change_past(connection: Connection) -> None:
    """Say that minutes may have changed that are settled, to those who keep what they brought."""
    write_state(connection, PAST, uuid4().hex, 0)
