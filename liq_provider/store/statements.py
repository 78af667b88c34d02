"""Statements that several writers share; the same on SQLite and PostgreSQL."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from liq_provider.coverage import Interval
from liq_provider.store import schema
from liq_provider.store.rows import Row


def insert_into(connection: Connection, table: Table) -> Any:
    """:return: an INSERT that knows ON CONFLICT"""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def replace(connection: Connection, table: Table, rows: list[Row]) -> None:
    """Insert rows, or overwrite those with the same key."""
    if not rows:
        return
    statement = insert_into(connection, table)
    keys = [column.name for column in table.primary_key]
    values = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values), rows)


def read_state(connection: Connection, key: str, *, lock: bool = False) -> Any:
    """
    :param lock: nobody else may change it before this transaction ends
    :return: one of the small facts, None if it was never written
    """
    query = select(schema.state.c.value).where(schema.state.c.key == key)
    if lock:
        # SQLite has no such clause and needs none: its writers follow one another.
        query = query.with_for_update(read=True)
    value = connection.execute(query).scalar()
    return None if value is None else json.loads(value)


def write_state(connection: Connection, key: str, value: Any, now_ms: int) -> None:
    """Write one of the small facts."""
    row = {"key": key, "value": json.dumps(value), "updated_ms": now_ms}
    replace(connection, schema.state, [row])


def add_to_minutes(connection: Connection, rows: list[Row]) -> None:
    """
    :param rows: sums that are added to what the minutes hold already
    """
    if not rows:
        return
    statement = insert_into(connection, schema.minutes)
    new, table = statement.excluded, schema.minutes.c
    sums = ("long_usd", "short_usd", "long_count", "short_count")
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(schema.minutes.primary_key),
            set_={name: table[name] + new[name] for name in sums},
        ),
        rows,
    )


def cover(
    connection: Connection,
    venue: str,
    intervals: Iterable[Interval],
    source: str,
    now_ms: int,
    base_asset: str = "",
) -> None:
    """
    Write coverage as it happens; an interval is identified by its start and only grows.

    :param source: live, import or fill
    :param base_asset: the only coin that this is known of; empty for the whole venue
    """
    rows = [
        {
            "venue": venue,
            "base_asset": base_asset,
            "source": source,
            "start_ms": item.start_ms,
            "end_ms": item.end_ms,
            "available_at": now_ms,
        }
        for item in intervals
        if item.end_ms > item.start_ms
    ]
    if not rows:
        return
    statement = insert_into(connection, schema.coverage)
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(schema.coverage.primary_key),
            set_={"end_ms": new.end_ms, "available_at": new.available_at},
            where=new.end_ms > schema.coverage.c.end_ms,
        ),
        rows,
    )
