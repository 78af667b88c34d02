"""Verdicts, and the minutes that confirm them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select, tuple_, update

from liq_provider.confirmation import Confirmed, prolonged
from liq_provider.store import schema
from liq_provider.store.rows import Row
from liq_provider.store.statements import insert_into

_KEY = tuple(schema.verdicts.primary_key)
_AT_ONCE = 100  # waves in one question; SQLite refuses statements with very many values


def put(connection: Connection, rows: Sequence[Row]) -> list[bool]:
    """
    :return: of each row whether it is new; what was said before about the same state stands
    """
    if not rows:
        return []
    statement = insert_into(connection, schema.verdicts).on_conflict_do_nothing()
    # In the order of the key: two writers that lock rows in the same order never deadlock.
    ordered = sorted(rows, key=_key)
    found = {tuple(new) for new in connection.execute(statement.returning(*_KEY), ordered)}
    return [_key(row) in found for row in rows]


def extend(connection: Connection, confirmed: Sequence[Confirmed], now_ms: int) -> bool:
    """
    What was judged of the states that were confirmed lives longer, and nothing that was judged
    of another. Nothing changes for a minute that nobody can act upon any more.

    :return: whether anything changed
    """
    usable = [item for item in confirmed if item.expires_at >= now_ms]
    changes: list[dict[str, Any]] = []
    for first in range(0, len(usable), _AT_ONCE):
        changes += _changes(connection, usable[first : first + _AT_ONCE])
    if changes:
        table = schema.verdicts
        statement = update(table).values(
            expires_at=bindparam("new_expires_at"), confirmed=bindparam("new_confirmed")
        )
        for column in _KEY:
            statement = statement.where(column == bindparam(f"key_{column.name}"))
        connection.execute(statement, changes)
    return bool(changes)


def _changes(connection: Connection, confirmed: Sequence[Confirmed]) -> list[dict[str, Any]]:
    table = schema.verdicts.c
    by_wave: dict[tuple[str, str, int], list[Confirmed]] = {}
    for item in sorted(confirmed, key=lambda item: item.close_ms):
        wave = (item.base_asset, item.direction, item.wave_start_ms)
        by_wave.setdefault(wave, []).append(item)
    query = (
        select(*_KEY, table.close_ms, table.confirmed)
        .where(tuple_(table.base_asset, table.direction, table.wave_start_ms).in_(sorted(by_wave)))
        .order_by(*_KEY)
        .with_for_update()
    )
    changes = []
    for row in connection.execute(query):
        spans, expires_at = row.confirmed, None
        for item in by_wave[row.base_asset, row.direction, row.wave_start_ms]:
            state = (item.strength, item.aligned, item.news_key, item.judge)
            if (row.strength, row.aligned, row.news_key, row.judge) == state:
                longer = prolonged(spans, row.close_ms, item.close_ms)
                if longer is not None:
                    spans, expires_at = longer, item.expires_at
        if expires_at is not None:
            key = {f"key_{column.name}": getattr(row, column.name) for column in _KEY}
            changes.append(key | {"new_expires_at": expires_at, "new_confirmed": spans})
    return changes


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in _KEY)
