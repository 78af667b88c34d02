"""
Liquidations into the store: each once, in the minute where it counts, and with a doubt where it
counts nowhere or not where it belongs.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from liq_provider.core.coverage import Interval
from liq_provider.core.doubts import Doubt
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import minute_of
from liq_provider.store import coverage_claims, rebooking, schema
from liq_provider.store.booked_minute import BookingRules, Incoming
from liq_provider.store.final_minutes import FinalMinutes
from liq_provider.store.keys import Keys
from liq_provider.store.liquidation_rows import (
    IDENTITY_COLUMNS,
    Identity,
    MinuteSums,
    Row,
    identity,
    liquidation_row,
)
from liq_provider.store.numbered_rows import add_to_minutes, put_orders
from liq_provider.store.plain_orders import put_plain
from liq_provider.store.schema import EVERYBODY
from liq_provider.store.statements import read_state


@dataclass(slots=True)
class Appended:
    """
    What became of a batch.

    :param inserted: new orders
    :param duplicates: orders that the store had already
    :param booked: new orders by how they were booked: event, arrival, late, future, and small
        for those below ``min_event_usd``, which no minute counts
    :param rebooked: orders that another sidecar had stored in no minute, or in a later one
    """

    inserted: int = 0
    duplicates: int = 0
    booked: Counter[str] = field(default_factory=Counter)
    rebooked: int = 0


class Appending:
    """
    One transaction.

    :param keys: of the same transaction
    :param rules: how liquidations are booked
    :param min_event_usd: smaller orders are stored but count in no minute, and are in no doubt
    :param heard_by: the run of the sidecar whose feeds these are; empty for everybody else
    """

    def __init__(
        self,
        connection: Connection,
        keys: Keys,
        rules: BookingRules,
        min_event_usd: float,
        heard_by: str,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._rules = rules
        self._min_event_usd = min_event_usd
        self._heard_by = heard_by
        self._result = Appended()

    def live(self, orders: Sequence[Incoming]) -> Appended:
        """See ``Writer.append``."""
        # Locked: another sidecar must not settle the minute between booking and commit. Alone,
        # as booking anew has to be: of two that share it and both want it alone one is undone.
        watermark_ms = int(read_state(self._connection, "watermark_ms", lock="alone") or 0)
        if self._are_plain(orders, watermark_ms):
            return self._result
        heard: dict[Identity, Incoming] = {}
        for incoming in orders:
            heard.setdefault(identity(incoming.liquidation), incoming)
        rows, how = self._book(heard, watermark_ms)
        new = self._insert(rows, how)
        known = {key: rows[key] for key in rows.keys() - new}
        there = rebooking.rebook(
            *(self._connection, self._keys, known, watermark_ms),
            *(self._min_event_usd, self._rules, self._result),
        )
        booked = {key: rows[key]["minute_ms"] for key in new} | there
        self._doubt(self._owing(heard, booked, watermark_ms), EVERYBODY)
        future = [row for key, row in rows.items() if how[key] == "future"]
        self._doubt(_dated_ahead(future, watermark_ms), self._heard_by)
        self._result.duplicates = len(orders) - self._result.inserted
        return self._result

    def _are_plain(self, orders: Sequence[Incoming], watermark_ms: int) -> bool:
        """Store the whole batch, if nothing in it is to be told from the rest."""
        done = put_plain(
            *(self._connection, self._keys, orders, self._rules),
            *(watermark_ms, self._min_event_usd),
        )
        if done is None:
            return False
        inserted, small = done
        self._result.inserted, self._result.duplicates = inserted, len(orders) - inserted
        counts = {"event": inserted - small, "small": small}
        self._result.booked.update({how: count for how, count in counts.items() if count})
        return True

    def imported(self, orders: Sequence[Incoming]) -> Appended:
        """See ``Writer.import_batch``."""
        final = FinalMinutes(self._connection, {order.liquidation.venue for order in orders})
        rows, how = self._book({identity(order.liquidation): order for order in orders[::-1]}, 0)
        too_late = {key for key, row in rows.items() if row["minute_ms"] is None}
        for key, row in rows.items():
            minute_ms = row["minute_ms"]
            if minute_ms is not None and final.has(row, minute_ms):
                row["minute_ms"], how[key] = None, "late"
        new = self._insert(rows, how)
        # A sidecar that began within the minute may have stored some as of before its time.
        known = {key: row for key, row in rows.items() if key not in new and row["minute_ms"]}
        rebooking.rebook(
            *(self._connection, self._keys, known, 0),
            *(self._min_event_usd, self._rules, self._result),
            only_uncounted=True,
        )
        self._clear({(r["venue"], r["base_asset"], r["minute_ms"]) for r in known.values()})
        self._doubt(self._came_late(rows[key] for key in too_late & new), EVERYBODY)
        self._result.duplicates = len(orders) - self._result.inserted
        return self._result

    def restored(self, exported: Sequence[Row]) -> Appended:
        """See ``Writer.restore``."""
        rows: dict[Identity, Row] = {}
        how: dict[Identity, str] = {}
        final = FinalMinutes(self._connection, {row["venue"] for row in exported})
        for row in exported:
            key = tuple(row[column.name] for column in IDENTITY_COLUMNS)
            minute_ms = row["minute_ms"]
            if minute_ms is not None and final.has(row, minute_ms):
                minute_ms = None
            rows[key] = row if minute_ms == row["minute_ms"] else {**row, "minute_ms": None}
            how[key] = "late" if minute_ms is None else "event"
        self._insert(rows, how)
        return self._result

    def _book(
        self, heard: Mapping[Identity, Incoming], watermark_ms: int
    ) -> tuple[dict[Identity, Row], dict[Identity, str]]:
        """:return: rows of ``liquidations`` and how they were booked"""
        rows: dict[Identity, Row] = {}
        how: dict[Identity, str] = {}
        for key, incoming in heard.items():
            minute_ms, how[key] = self._rules.book(incoming, watermark_ms)
            rows[key] = liquidation_row(incoming.liquidation, minute_ms)
        return rows, how

    def _insert(self, rows: Mapping[Identity, Row], how: Mapping[Identity, str]) -> set[Identity]:
        """:return: those that were new"""
        new = put_orders(self._connection, self._keys, rows)
        result = self._result
        result.inserted, result.duplicates = len(new), len(rows) - len(new)
        sums = MinuteSums(self._rules.settle_ms)
        for key in sorted(new):
            row = rows[key]
            small = row["notional_usd"] < self._min_event_usd
            result.booked["small" if small else how[key]] += 1
            if row["minute_ms"] is not None and not small:
                sums.add(row)
        add_to_minutes(self._connection, self._keys, sums.rows())
        return new

    # -- what is missing where it belongs

    def _doubt(self, doubts: Mapping[int, set[Doubt]], heard_by: str) -> None:
        for available_at, some in sorted(doubts.items()):
            coverage_claims.doubt(self._connection, sorted(some), heard_by, available_at)

    def _clear(self, minutes: set[tuple[str, str, int]]) -> None:
        """What is counted now is missing nowhere; nobody had decided on these minutes."""
        for minute_ms in {minute_ms for *_, minute_ms in minutes}:
            missing = unbooked(self._connection, minute_ms, self._min_event_usd)
            for venue, base_asset, of_ms in sorted(minutes):
                doubt = Doubt(venue, base_asset, _minute(minute_ms))
                if of_ms == minute_ms and doubt not in missing:
                    coverage_claims.undoubt(self._connection, doubt)

    def _owing(
        self,
        heard: Mapping[Identity, Incoming],
        booked: Mapping[Identity, int | None],
        watermark_ms: int,
    ) -> dict[int, set[Doubt]]:
        """
        Minutes that were settled without an order that belongs to them, by the close from
        which on that is known.

        :param booked: the minute of each order, whoever stored it
        """
        owing: dict[int, set[Doubt]] = {}
        for key, incoming in heard.items():
            order = incoming.liquidation
            if order.notional_usd < self._min_event_usd:
                continue
            minute_ms = self._rules.owing_minute(incoming, booked[key])
            if minute_ms is None:
                continue
            if minute_ms >= watermark_ms and minute_ms == minute_of(order.event_ms):
                continue  # another sidecar may still book it; ``settle`` looks again
            doubt = Doubt(order.venue, order.base_asset, _minute(minute_ms))
            owing.setdefault(max(watermark_ms, minute_ms) + MINUTE_MS, set()).add(doubt)
        return owing

    def _came_late(self, rows: Iterable[Row]) -> dict[int, set[Doubt]]:
        """A live feed would have known that much of imported ones, and from then on."""
        late: dict[int, set[Doubt]] = {}
        for row in rows:
            if row["notional_usd"] >= self._min_event_usd:
                of_ms = min(row["event_ms"], row["received_ms"])
                doubt = Doubt(row["venue"], row["base_asset"], _minute(minute_of(of_ms)))
                settled_ms = minute_of(row["received_ms"] - self._rules.settle_ms)
                late.setdefault(settled_ms + MINUTE_MS, set()).add(doubt)
        return late


def _dated_ahead(future: Iterable[Row], watermark_ms: int) -> dict[int, set[Doubt]]:
    """
    When they happened is anybody's guess; they are from about the time at which they came. Only
    the sidecar's own word is in doubt: another one's clock may be right.
    """
    ahead: dict[int, set[Doubt]] = {}
    for row in future:
        minute_ms = minute_of(row["received_ms"])
        doubt = Doubt(row["venue"], row["base_asset"], _minute(minute_ms))
        ahead.setdefault(max(watermark_ms, minute_ms) + MINUTE_MS, set()).add(doubt)
    return ahead


def unbooked(connection: Connection, minute_ms: int, min_event_usd: float) -> list[Doubt]:
    """:return: the coins of a minute with an order that happened in it and counts in none"""
    table = schema.liquidations.c
    query = (
        select(table.venue, table.base_asset)
        .where(table.event_ms >= minute_ms)
        .where(table.event_ms < minute_ms + MINUTE_MS)
        .where(table.minute_ms.is_(None))
        .where(table.notional_usd >= min_event_usd)
        .distinct()
    )
    return sorted(Doubt(*row, _minute(minute_ms)) for row in connection.execute(query))


def _minute(minute_ms: int) -> Interval:
    return Interval(minute_ms, minute_ms + MINUTE_MS)
