"""
Rows that a store exported, back into a store. What it has already stands; but news that was against
a wave does so in either of them.
"""

from collections.abc import Sequence

from sqlalchemy import Engine, Table

from liq_provider.core.coverage import Interval
from liq_provider.store import schema, verdicts
from liq_provider.store.coverage_claims import cover, grow
from liq_provider.store.database import store_errors
from liq_provider.store.gap_fills import complete
from liq_provider.store.liquidation_rows import Row
from liq_provider.store.statements import insert_into, read_state, write_state


def put_missing(engine: Engine, table: Table, rows: Sequence[Row]) -> int:
    """
    :param rows: with the table's columns
    :return: how many of them were new
    """
    if not rows:
        return 0
    with store_errors(f"Restoring {table.name}"), engine.begin() as connection:
        if table is schema.verdicts:
            return verdicts.restore(connection, rows)
        statement = insert_into(connection, table).on_conflict_do_nothing()
        new = connection.execute(statement.returning(*table.primary_key), list(rows))
        return len(new.all())


def put_coverage(engine: Engine, rows: Sequence[Row], min_event_usd: float) -> None:
    """
    Coverage as it was, with its source and since when it was known; filled minutes are made
    from the orders of their spans, which must be there already.

    :param rows: of ``coverage``
    """
    with store_errors("Restoring coverage"), engine.begin() as connection:
        for row in rows:
            spans = [Interval(row["start_ms"], row["end_ms"])]
            venue, coin, known_ms = row["venue"], row["base_asset"], row["available_at"]
            heard_by = row.get("heard_by", "")
            if row["source"] == "live" and "heard_by" not in row:
                known_ms = 0  # older exports say when it was written
            cover(connection, venue, spans, row["source"], known_ms, coin, heard_by)
            if row["source"] == "fill":
                complete(connection, venue, coin, spans, known_ms, min_event_usd)


def put_doubts(engine: Engine, rows: Sequence[Row]) -> None:
    """
    Doubts as they were; one that had grown when it was exported again grows here, too.

    :param rows: of ``doubts``
    """
    with store_errors("Restoring doubts"), engine.begin() as connection:
        grow(connection, schema.doubts, list(rows), ("end_ms",))


def put_watermark(engine: Engine, watermark_ms: int, now_ms: int) -> None:
    """In a store that never settled a minute itself, what was settled elsewhere is final."""
    with store_errors("Restoring the watermark"), engine.begin() as connection:
        if watermark_ms and not read_state(connection, "watermark_ms", lock="shared"):
            write_state(connection, "watermark_ms", watermark_ms, now_ms)
