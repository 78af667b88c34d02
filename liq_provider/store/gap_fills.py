"""
Minutes that nobody listened to, completed later from a venue's history.

They are kept beside the booked ones, with their own time of availability: a decision of the
past must not know what was fetched afterwards.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Engine, or_, select

from liq_provider.core.coverage import Interval, whole_minutes, without
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation, minute_from, minute_of
from liq_provider.store import schema
from liq_provider.store.coverage_claims import cover
from liq_provider.store.database import store_errors
from liq_provider.store.keys import Keys
from liq_provider.store.known_minutes import known_spans
from liq_provider.store.liquidation_rows import (
    IDENTITY_COLUMNS,
    MinuteSums,
    identity,
    liquidation_row,
)
from liq_provider.store.numbered_rows import put_minutes, put_orders
from liq_provider.venues import VENUES

# Longer than writing takes: nobody may see a fill later than it claims to have been there.
_WRITING_MS = 5_000


@dataclass(frozen=True, slots=True)
class Filled:
    """
    :param orders: that were new
    :param known: orders that the store had already
    :param spans: what is known now and was not before, in whole minutes
    :param available_at: the first close that may know of it
    """

    orders: int
    known: int
    spans: tuple[Interval, ...]
    available_at: int


def available_at(now_ms: int) -> int:
    """:return: the first minute close that may know of what is written now"""
    return minute_from(now_ms + _WRITING_MS)


def fill(
    engine: Engine,
    venue: str,
    base_asset: str,
    span: Interval,
    orders: Iterable[Liquidation],
    now_ms: int,
    min_event_usd: float,
) -> Filled:
    """
    Store what a venue's history says about a span of one coin, and complete the minutes of it
    that have no coverage. What is covered, or filled already, stays as it is.

    :param orders: all liquidations of the coin in the span
    """
    usable_ms = available_at(now_ms)
    with store_errors("Filling a gap"), engine.begin() as connection:
        history = VENUES[venue].history
        stated = unheard = list(orders)
        if history is not None and history.by_second:
            unheard = list(_not_heard(stated, _heard(connection, venue, base_asset, span)))
        rows = {
            identity(order): liquidation_row(replace(order, received_ms=now_ms), None)
            for order in unheard
        }
        new = 0
        if rows:
            new = len(put_orders(connection, Keys(connection), rows))
        spans = without(
            [whole_minutes(span)], known_spans(connection.execute, venue, base_asset, span)
        )
        cover(connection, venue, spans, "fill", usable_ms, base_asset)
        complete(connection, venue, base_asset, spans, usable_ms, min_event_usd)
    return Filled(new, len(stated) - new, tuple(spans), usable_ms)


def _heard(
    connection: Connection, venue: str, base_asset: str, span: Interval
) -> Counter[tuple[object, ...]]:
    """What the store has, by all that stream and history say alike."""
    table = schema.liquidations.c
    rows = connection.execute(
        select(table.market_id, table.position_side, table.quantity, table.event_ms)
        .where(table.venue == venue)
        .where(table.base_asset == base_asset)
        .where(table.event_ms >= span.start_ms)
        .where(table.event_ms < span.end_ms)
    )
    return Counter((*row[:3], row[3] // 1000) for row in rows)


def _not_heard(
    orders: Iterable[Liquidation], heard: Counter[tuple[object, ...]]
) -> Iterator[Liquidation]:
    """Two equal orders of one second, of which one was heard, are one that was not."""
    for order in orders:
        key = (order.market_id, order.position_side, order.quantity, order.event_ms // 1000)
        if heard[key] > 0:
            heard[key] -= 1
        else:
            yield order


def complete(
    connection: Connection,
    venue: str,
    base_asset: str,
    spans: Sequence[Interval],
    usable_ms: int,
    min_event_usd: float,
) -> None:
    """
    Make the filled minutes of spans from the stored orders, by the time at which they happened.
    An order that came late and was counted in a later minute is not counted again.

    :param usable_ms: the first close that may know of them
    """
    table = schema.liquidations.c
    own_minute = table.event_ms - table.event_ms % MINUTE_MS
    for span in spans:
        sums = MinuteSums(0)
        orders = connection.execute(
            select(schema.liquidations)
            .where(table.venue == venue)
            .where(table.base_asset == base_asset)
            .where(table.event_ms >= span.start_ms)
            .where(table.event_ms < span.end_ms)
            .where(table.notional_usd >= min_event_usd)
            .where(or_(table.minute_ms.is_(None), table.minute_ms == own_minute))
            .order_by(*IDENTITY_COLUMNS)
        )
        for order in orders.mappings():
            sums.add({**order, "minute_ms": minute_of(order["event_ms"])})
        rows = [row | {"filled": True, "available_at": usable_ms} for row in sums.rows()]
        if rows:
            put_minutes(connection, Keys(connection), rows)


def complete_all(connection: Connection, min_event_usd: float) -> None:
    """Make the filled minutes of every fill anew."""
    table = schema.coverage.c
    fills = connection.execute(select(schema.coverage).where(table.source == "fill")).all()
    for row in fills:
        span = Interval(row.start_ms, row.end_ms)
        complete(connection, row.venue, row.base_asset, [span], row.available_at, min_event_usd)
