"""Work on a whole store: minutes made anew."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, delete, select

from liq_provider.store import schema
from liq_provider.store.database import store_errors
from liq_provider.store.gap_fills import complete_all
from liq_provider.store.keys import Keys
from liq_provider.store.liquidation_rows import IDENTITY_COLUMNS, MinuteSums
from liq_provider.store.numbered_rows import add_to_minutes
from liq_provider.store.statements import change_past, write_state


def rebuild(engine: Engine, min_event_usd: float, settle_ms: int) -> int:
    """
    Make ``minutes`` anew from ``liquidations``, the booked and the filled ones.

    :return: number of minutes made
    """
    source = schema.liquidations.c
    made = 0
    with _transaction(engine, "Rebuilding") as connection:
        change_past(connection)
        connection.execute(delete(schema.sums))
        keys = Keys(connection)
        query = (
            select(schema.liquidations)
            .where(source.minute_ms.is_not(None))
            .where(source.notional_usd >= min_event_usd)
            .order_by(source.base_asset, source.minute_ms, *IDENTITY_COLUMNS)
        )
        sums, base_asset = MinuteSums(settle_ms), None
        # On the statement: PostgreSQL would make every statement of the connection a cursor.
        stream = connection.execute(query.execution_options(yield_per=10_000))
        for order in stream.mappings():
            row = dict(order)
            if row["base_asset"] != base_asset:
                made += _flush(connection, keys, sums)
                sums, base_asset = MinuteSums(settle_ms), row["base_asset"]
            sums.add(row)
        made += _flush(connection, keys, sums)
        complete_all(connection, min_event_usd)
        write_state(connection, "min_event_usd", min_event_usd, 0)
    return made


def _flush(connection: Connection, keys: Keys, sums: MinuteSums) -> int:
    rows = sums.rows()
    add_to_minutes(connection, keys, rows)
    return len(rows)


@contextmanager
def _transaction(engine: Engine, what: str) -> Iterator[Connection]:
    with store_errors(what), engine.begin() as connection:
        yield connection
