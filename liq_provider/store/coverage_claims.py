"""
What sidecars, imports and fills claim to know, and what of it is in doubt: spans that grow.

They are written here; what follows from them is read in ``known_minutes``.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, Table, and_, case, delete, select, update

from liq_provider.core.coverage import Interval, without
from liq_provider.core.doubts import Doubt
from liq_provider.core.durations import MINUTE_MS
from liq_provider.store import schema
from liq_provider.store.liquidation_rows import Row
from liq_provider.store.statements import insert_into


def cover(
    connection: Connection,
    venue: str,
    intervals: Iterable[Interval],
    source: str,
    now_ms: int,
    base_asset: str = "",
    heard_by: str = "",
) -> None:
    """
    Write coverage; an interval is identified by its start and only grows.

    :param source: live, import or fill
    :param base_asset: the only coin that this is known of; empty for the whole venue
    :param heard_by: the sidecar whose feed it was
    """
    rows = [
        {
            "venue": venue,
            "base_asset": base_asset,
            "source": source,
            "heard_by": heard_by,
            "start_ms": span.start_ms,
            "end_ms": span.end_ms,
            "available_at": now_ms,
        }
        for span in intervals
        if span.end_ms > span.start_ms
    ]
    grow(connection, schema.coverage, rows, ("end_ms", "available_at"))


def claim(connection: Connection, venue: str, span: Interval, heard_by: str, delay_ms: int) -> None:
    """
    A sidecar heard all of a span that is settled; it goes on where the last one ended, if that
    is where it starts.

    :param delay_ms: how long after its own close a minute of it is known: 0, or more if another
        sidecar had settled it before
    """
    table = schema.coverage.c
    # The row says it of its first minute.
    since_ms = delay_ms + MINUTE_MS
    longer = connection.execute(
        update(schema.coverage)
        .where(table.venue == venue)
        .where(table.base_asset == "")
        .where(table.source == "live")
        .where(table.heard_by == heard_by)
        .where(table.start_ms <= span.start_ms)
        .where(table.end_ms >= span.start_ms)
        .where(table.available_at == table.start_ms + since_ms)
        .values(end_ms=case((table.end_ms > span.end_ms, table.end_ms), else_=span.end_ms))
    )
    if not longer.rowcount:
        known_ms = span.start_ms + since_ms
        cover(connection, venue, [span], "live", known_ms, heard_by=heard_by)


def doubt(
    connection: Connection, doubts: Iterable[Doubt], heard_by: str, available_at: int
) -> None:
    """
    Of some minutes something may be missing.

    :param heard_by: the sidecar that may have missed it; empty if it is missing whoever heard
        them
    :param available_at: the first minute close that may know of it
    """
    rows = [
        {
            "venue": each.venue,
            "base_asset": each.base_asset,
            "heard_by": heard_by,
            "start_ms": each.span.start_ms,
            "end_ms": each.span.end_ms,
            "available_at": available_at,
        }
        for each in doubts
    ]
    new = [row for row in rows if not _goes_on(connection, row)]
    grow(connection, schema.doubts, new, ("end_ms",))


def _goes_on(connection: Connection, row: Row) -> bool:
    """What is in doubt minute by minute, and known to be each time, is one row that grows."""
    table = schema.doubts.c
    if row["available_at"] > row["start_ms"] + MINUTE_MS:
        return False
    longer = connection.execute(
        update(schema.doubts)
        .where(table.venue == row["venue"])
        .where(table.base_asset == row["base_asset"])
        .where(table.heard_by == row["heard_by"])
        .where(table.end_ms == row["start_ms"])
        .where(table.available_at <= table.start_ms + MINUTE_MS)
        .values(end_ms=row["end_ms"])
    )
    return bool(longer.rowcount)


def undoubt(connection: Connection, doubt: Doubt) -> None:
    """An order that was missing whoever heard the minute counts in it after all."""
    table = schema.doubts.c
    there = and_(
        table.venue == doubt.venue,
        table.base_asset == doubt.base_asset,
        table.heard_by == "",
        table.start_ms <= doubt.span.start_ms,
        table.end_ms > doubt.span.start_ms,
    )
    rows = connection.execute(select(schema.doubts).where(there)).mappings().all()
    connection.execute(delete(schema.doubts).where(there))
    left = [
        {**row, "start_ms": span.start_ms, "end_ms": span.end_ms}
        for row in rows
        for span in without([Interval(row["start_ms"], row["end_ms"])], [doubt.span])
    ]
    grow(connection, schema.doubts, left, ("end_ms",))


def grow(connection: Connection, table: Table, rows: list[Row], columns: tuple[str, ...]) -> None:
    """
    Insert spans, or lengthen those with the same key.

    :param columns: what a longer one brings with it
    """
    if not rows:
        return
    statement = insert_into(connection, table)
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={name: new[name] for name in columns},
            where=new.end_ms > table.c.end_ms,
        ),
        rows,
    )
