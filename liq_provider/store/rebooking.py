"""
An order that two sidecars heard, and that the first to store it counted in no minute or in a
later one than the other would have: it counts where the one that heard it best has it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, Select, delete, select, tuple_, update

from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import minute_of
from liq_provider.store import schema
from liq_provider.store.booked_minute import BookingRules
from liq_provider.store.keys import Keys
from liq_provider.store.liquidation_rows import IDENTITY_COLUMNS, Identity, MinuteSums, Row
from liq_provider.store.numbered_rows import add_to_minutes, is_order, minute_of_coin

# Seven columns each; SQLite takes some thirty thousand values in one statement.
_AT_ONCE = 500


class Counted(Protocol):
    """Where it is counted how many were booked anew."""

    rebooked: int


def rebook(
    connection: Connection,
    keys: Keys,
    heard: Mapping[Identity, Row],
    watermark_ms: int,
    min_event_usd: float,
    rules: BookingRules,
    result: Counted,
    *,
    only_uncounted: bool = False,
) -> dict[Identity, int | None]:
    """
    Runs in the transaction that stores a batch, with the watermark locked: nobody adds to a sum
    while it is made anew.

    :param keys: that know all their names
    :param heard: rows of ``liquidations`` as this sidecar would book them, whose orders the
        store has already
    :param only_uncounted: what counts anywhere stays there, as for imports
    :return: the minute that each of them counts in now
    """
    booked = _booked(connection, sorted(heard))
    changed: set[tuple[str, int, str]] = set()
    for key, minute_ms in booked.items():
        better = heard[key]["minute_ms"]
        if better is None or better < watermark_ms or (minute_ms or better + 1) <= better:
            continue
        if minute_ms is not None and (only_uncounted or minute_ms < watermark_ms):
            continue  # settled there; it must not count twice
        booked_ms = better - minute_of(heard[key]["event_ms"])
        connection.execute(
            update(schema.orders).where(is_order(keys, key)).values(booked_ms=booked_ms)
        )
        booked[key] = better
        result.rebooked += 1
        row = heard[key]
        changed |= {(row["base_asset"], ms, row["venue"]) for ms in (minute_ms, better) if ms}
    for base_asset, minute_ms, venue in sorted(changed):
        _count_anew(connection, keys, venue, base_asset, minute_ms, min_event_usd, rules)
    return booked


def _booked(connection: Connection, keys: Sequence[Identity]) -> dict[Identity, int | None]:
    booked: dict[Identity, int | None] = {}
    for some in _pieces(keys):
        rows = connection.execute(_minutes_query(some))
        booked |= {tuple(row[:-1]): row[-1] for row in rows}
    return booked


def _minutes_query(keys: Sequence[Identity]) -> Select[Any]:
    table = schema.liquidations.c
    return (
        select(*IDENTITY_COLUMNS, table.minute_ms)
        # SQLite finds no rows by several columns at once, and would read the whole table.
        .where(table.event_ms.in_({key[0] for key in keys}))
        .where(tuple_(*IDENTITY_COLUMNS).in_(keys))
    )


def _pieces(keys: Sequence[Identity]) -> Iterator[Sequence[Identity]]:
    for first in range(0, len(keys), _AT_ONCE):
        yield keys[first : first + _AT_ONCE]


def _count_anew(
    connection: Connection,
    keys: Keys,
    venue: str,
    base_asset: str,
    minute_ms: int,
    min_event_usd: float,
    rules: BookingRules,
) -> None:
    """Not by taking an amount off: sums of money are exact only if they are made in one go."""
    orders = schema.liquidations.c
    connection.execute(
        delete(schema.sums)
        .where(minute_of_coin(venue, base_asset, minute_ms))
        .where(~schema.sums.c.filled)
    )
    sums = MinuteSums(rules.settle_ms)
    rows = connection.execute(
        select(schema.liquidations)
        .where(orders.event_ms >= minute_ms - rules.max_late_ms)
        .where(orders.event_ms < minute_ms + MINUTE_MS)
        .where(orders.venue == venue)
        .where(orders.base_asset == base_asset)
        .where(orders.minute_ms == minute_ms)
        .where(orders.notional_usd >= min_event_usd)
        .order_by(*IDENTITY_COLUMNS)
    )
    for row in rows.mappings():
        sums.add({**row})
    add_to_minutes(connection, keys, sums.rows())
