"""Work on a whole store: minutes made anew, the distant past deleted."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, delete, func, select

from liq_provider.coverage import Interval
from liq_provider.liquidation import minute_of
from liq_provider.store import schema
from liq_provider.store.engine import store_errors
from liq_provider.store.fills import complete_all
from liq_provider.store.rows import MinuteSums
from liq_provider.store.statements import add_to_minutes, cover, write_state

_DAY_MS = 86_400_000

_AGES = {
    "liquidations": schema.liquidations.c.event_ms,
    "minutes": schema.minutes.c.minute_ms,
    "bars": schema.bars.c.start_ms,
    "features": schema.features.c.close_ms,
    "waves": schema.waves.c.last_ms,
    "verdicts": schema.verdicts.c.expires_at,
    "model_calls": schema.model_calls.c.asked_ms,
    "questions": schema.questions.c.close_ms,
    "news": schema.news.c.available_at,
}


def rebuild(engine: Engine, min_event_usd: float, settle_ms: int) -> int:
    """
    Make ``minutes`` anew from ``liquidations``, the booked and the filled ones.

    :return: number of minutes made
    """
    source = schema.liquidations.c
    made = 0
    with _transaction(engine, "Rebuilding") as connection:
        connection.execute(delete(schema.minutes))
        query = (
            select(schema.liquidations)
            .where(source.minute_ms.is_not(None))
            .where(source.notional_usd >= min_event_usd)
            .order_by(source.base_asset, source.minute_ms, source.event_ms)
        )
        sums, base_asset = MinuteSums(settle_ms), None
        # On the statement: PostgreSQL would make every statement of the connection a cursor.
        stream = connection.execute(query.execution_options(yield_per=10_000))
        for found in stream.mappings():
            row = dict(found)
            if row["base_asset"] != base_asset:
                made += _flush(connection, sums)
                sums, base_asset = MinuteSums(settle_ms), row["base_asset"]
            sums.add(row)
        made += _flush(connection, sums)
        complete_all(connection, min_event_usd)
        write_state(connection, "min_event_usd", min_event_usd, 0)
    return made


def _flush(connection: Connection, sums: MinuteSums) -> int:
    rows = sums.rows()
    add_to_minutes(connection, rows)
    return len(rows)


def prune(engine: Engine, before_ms: int) -> dict[str, int]:
    """
    Delete what is older than the minute of ``before_ms``, a day at a time, so that a sidecar
    can write in between.

    :return: deleted rows by table
    """
    before_ms = minute_of(before_ms)
    # First of all: a deleted minute must never look like a known one without liquidations.
    deleted = {"coverage": _cut_coverage(engine, before_ms)}
    for name, column in _AGES.items():
        deleted[name] = 0
        with _transaction(engine, "Pruning") as connection:
            oldest_ms = connection.execute(select(func.min(column))).scalar()
        if oldest_ms is None:
            continue
        for day_ms in range(oldest_ms + _DAY_MS, before_ms + _DAY_MS, _DAY_MS):
            with _transaction(engine, "Pruning") as connection:
                found = connection.execute(
                    delete(column.table).where(column < min(day_ms, before_ms))
                )
                deleted[name] += found.rowcount
    return deleted


def _cut_coverage(engine: Engine, before_ms: int) -> int:
    """:return: spans that went as a whole"""
    table = schema.coverage.c
    with _transaction(engine, "Pruning") as connection:
        # A running sidecar goes on writing the span it began long ago; see ``Writer.cover``.
        write_state(connection, "pruned_ms", before_ms, before_ms)
        cut = connection.execute(
            select(schema.coverage)
            .where(table.start_ms < before_ms)
            .where(table.end_ms > before_ms)
        ).all()
        # What is deleted here may be imported again.
        connection.execute(delete(schema.imports))
        gone = connection.execute(delete(schema.coverage).where(table.start_ms < before_ms))
        for row in cut:
            rest = Interval(before_ms, row.end_ms)
            known = (row.source, row.available_at, row.base_asset, row.heard_by)
            cover(connection, row.venue, [rest], *known)
        connection.execute(delete(schema.doubts).where(schema.doubts.c.end_ms <= before_ms))
        return gone.rowcount - len(cut)


@contextmanager
def _transaction(engine: Engine, what: str) -> Iterator[Connection]:
    with store_errors(what), engine.begin() as connection:
        yield connection
