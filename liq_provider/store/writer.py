"""Everything that changes the store goes through here, in short transactions."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from liq_provider.coverage import Interval
from liq_provider.errors import UsageError
from liq_provider.liquidation import MINUTE_MS, Liquidation
from liq_provider.markets import Market
from liq_provider.store import schema
from liq_provider.store.booking import BookingRules, Incoming
from liq_provider.store.engine import migrate, store_errors

Row = dict[str, Any]
Identity = tuple[Any, ...]

_IDENTITY = tuple(schema.liquidations.primary_key)


@dataclass(slots=True)
class Appended:
    """
    What became of a batch.

    :param inserted: new orders
    :param duplicates: orders that the store had already
    :param booked: new orders by how they were booked: event, arrival, late, future, and small
        for those below ``min_event_usd``, which no minute counts
    """

    inserted: int = 0
    duplicates: int = 0
    booked: Counter[str] = field(default_factory=Counter)


class Writer:
    """
    :param engine: opened for writing; the schema is created or migrated here
    :param rules: how liquidations are booked
    :param min_event_usd: smaller orders are stored but count in no minute
    """

    def __init__(
        self, engine: Engine, rules: BookingRules | None = None, min_event_usd: float = 0.0
    ) -> None:
        self.engine = engine
        self.rules = rules or BookingRules()
        self.min_event_usd = min_event_usd
        self.needs_rebuild = False
        self._insert: Any = postgresql.insert if engine.name == "postgresql" else sqlite.insert
        migrate(engine)
        self._remember_min_event_usd()

    def append(self, items: Sequence[Incoming]) -> Appended:
        """
        Store liquidations and count the new ones in their minutes, in one transaction.

        Idempotent: an order that is there already changes nothing.
        """
        result = Appended()
        if not items:
            return result
        with store_errors("Storing liquidations"), self.engine.begin() as connection:
            watermark_ms = int(read_state(connection, "watermark_ms") or 0)
            self._append(connection, items, watermark_ms, result)
        return result

    def import_batch(
        self, items: Sequence[Incoming], settled: Mapping[str, Sequence[Interval]]
    ) -> Appended:
        """
        Store liquidations of the past. They are booked as if they had come live, but never in
        a settled minute that a live feed had covered: that minute stays as it was decided on.

        :param settled: per venue, the spans in which live minutes are settled
        """
        result = Appended()
        with store_errors("Importing"), self.engine.begin() as connection:
            self._append(connection, items, 0, result, settled)
        return result

    def _append(
        self,
        connection: Connection,
        items: Sequence[Incoming],
        watermark_ms: int,
        result: Appended,
        settled: Mapping[str, Sequence[Interval]] | None = None,
    ) -> None:
        rows: dict[Identity, Row] = {}
        how: dict[Identity, str] = {}
        for incoming in items:
            item = incoming.liquidation
            key = _identity(item)
            if key in rows:
                continue
            minute, booked = self.rules.book(incoming, watermark_ms)
            if minute is not None and settled and _inside(minute, settled.get(item.venue, ())):
                minute, booked = None, "late"
            rows[key], how[key] = _liquidation_row(item, minute), booked
        statement = self._insert(schema.liquidations).on_conflict_do_nothing()
        found = connection.execute(statement.returning(*_IDENTITY), list(rows.values()))
        new = [tuple(row) for row in found]
        result.inserted, result.duplicates = len(new), len(items) - len(new)
        sums = _MinuteSums(self.rules.settle_ms)
        for key in new:
            row = rows[key]
            small = row["notional_usd"] < self.min_event_usd
            result.booked["small" if small else how[key]] += 1
            if row["minute_ms"] is not None and not small:
                sums.add(row)
        self._add_to_minutes(connection, sums.rows())

    def _add_to_minutes(self, connection: Connection, rows: list[Row]) -> None:
        if not rows:
            return
        statement = self._insert(schema.minutes)
        new = statement.excluded
        table = schema.minutes.c
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=list(schema.minutes.primary_key),
                set_={
                    "long_usd": table.long_usd + new.long_usd,
                    "short_usd": table.short_usd + new.short_usd,
                    "long_count": table.long_count + new.long_count,
                    "short_count": table.short_count + new.short_count,
                },
            ),
            rows,
        )

    def rebuild(self) -> int:
        """
        Make ``minutes`` anew from ``liquidations``, with the present ``min_event_usd``.

        :return: number of minutes
        """
        source = schema.liquidations.c
        with store_errors("Rebuilding"), self.engine.begin() as connection:
            connection.execute(delete(schema.minutes))
            query = (
                select(schema.liquidations)
                .where(source.minute_ms.is_not(None))
                .where(source.notional_usd >= self.min_event_usd)
                .order_by(source.base_asset, source.minute_ms, source.event_ms)
            )
            rows = 0
            sums = _MinuteSums(self.rules.settle_ms)
            stream = connection.execution_options(yield_per=10_000).execute(query)
            base_asset = None
            for found in stream.mappings():
                row = dict(found)
                if row["base_asset"] != base_asset and base_asset is not None:
                    rows += self._flush(connection, sums)
                    sums = _MinuteSums(self.rules.settle_ms)
                base_asset = row["base_asset"]
                sums.add(row)
            rows += self._flush(connection, sums)
            self._put(connection, "min_event_usd", self.min_event_usd, 0)
        return rows

    def _flush(self, connection: Connection, sums: "_MinuteSums") -> int:
        rows = sums.rows()
        self._add_to_minutes(connection, rows)
        return len(rows)

    def cover(
        self, venue: str, intervals: Iterable[Interval], source: str = "live", now_ms: int = 0
    ) -> None:
        """
        Write coverage as it happens; an interval is identified by its start and only grows.

        :param source: live, import or fill
        :param now_ms: when this became known
        """
        with store_errors("Writing coverage"), self.engine.begin() as connection:
            self._cover(connection, venue, intervals, source, now_ms)

    def _cover(
        self,
        connection: Connection,
        venue: str,
        intervals: Iterable[Interval],
        source: str,
        now_ms: int,
    ) -> None:
        rows = [
            {
                "venue": venue,
                "source": source,
                "start_ms": item.start_ms,
                "end_ms": item.end_ms,
                "available_at": now_ms,
            }
            for item in intervals
        ]
        if not rows:
            return
        statement = self._insert(schema.coverage)
        new = statement.excluded
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=list(schema.coverage.primary_key),
                set_={"end_ms": new.end_ms, "available_at": new.available_at},
                where=new.end_ms > schema.coverage.c.end_ms,
            ),
            rows,
        )

    def settle(
        self,
        close_ms: int,
        coverage: Mapping[str, Sequence[Interval]],
        now_ms: int,
    ) -> None:
        """Make a minute final: its coverage and the watermark, in one transaction."""
        with store_errors("Settling a minute"), self.engine.begin() as connection:
            for venue, intervals in coverage.items():
                self._cover(connection, venue, intervals, "live", now_ms)
            if close_ms > int(read_state(connection, "watermark_ms") or 0):
                self._put(connection, "watermark_ms", close_ms, now_ms)

    def put_results(
        self,
        features: list[Row],
        waves: list[Row],
        readiness: list[Row],
        computed_ms: int,
        now_ms: int,
    ) -> None:
        """
        Write what was computed for a settled minute, then say so.

        :param computed_ms: close of the minute whose features are complete with this
        """
        with store_errors("Writing features"), self.engine.begin() as connection:
            self._replace(connection, schema.features, features)
            self._replace(connection, schema.waves, waves)
            self._replace(connection, schema.readiness, readiness)
            self._put(connection, "computed_ms", computed_ms, now_ms)

    def put_verdict(self, row: Row) -> None:
        """Write one verdict; what was said before about the same state of a wave stands."""
        with store_errors("Writing a verdict"), self.engine.begin() as connection:
            connection.execute(self._insert(schema.verdicts).on_conflict_do_nothing(), [row])
            self._put(connection, "verdict_ms", row["available_at"], row["available_at"])

    def extend_verdicts(
        self, base_asset: str, direction: str, wave_start_ms: int, expires_at: int, now_ms: int
    ) -> None:
        """A wave was confirmed again: its verdicts live longer."""
        table = schema.verdicts
        with store_errors("Extending verdicts"), self.engine.begin() as connection:
            found = connection.execute(
                update(table)
                .where(table.c.base_asset == base_asset)
                .where(table.c.direction == direction)
                .where(table.c.wave_start_ms == wave_start_ms)
                .where(table.c.expires_at < expires_at)
                .values(expires_at=expires_at)
            )
            if found.rowcount:
                self._put(connection, "verdict_ms", now_ms, now_ms)

    def put_markets(self, venue: str, markets: Iterable[Market]) -> None:
        """Replace a venue's market list."""
        rows = [asdict(market) for market in markets]
        with store_errors("Writing markets"), self.engine.begin() as connection:
            connection.execute(delete(schema.markets).where(schema.markets.c.venue == venue))
            if rows:
                connection.execute(schema.markets.insert(), rows)

    def put_state(self, key: str, value: Any, now_ms: int) -> None:
        """Write one of the small facts."""
        with store_errors(f"Writing {key}"), self.engine.begin() as connection:
            self._put(connection, key, value, now_ms)

    def prune(self, before_ms: int) -> dict[str, int]:
        """
        Delete what is older than ``before_ms``.

        :return: deleted rows by table
        """
        columns = {
            "liquidations": schema.liquidations.c.event_ms,
            "minutes": schema.minutes.c.minute_ms,
            "features": schema.features.c.close_ms,
            "coverage": schema.coverage.c.end_ms,
            "waves": schema.waves.c.last_ms,
            "verdicts": schema.verdicts.c.expires_at,
        }
        deleted = {}
        with store_errors("Pruning"), self.engine.begin() as connection:
            for name, column in columns.items():
                found = connection.execute(delete(column.table).where(column < before_ms))
                deleted[name] = found.rowcount
        return deleted

    def _replace(self, connection: Connection, table: Table, rows: list[Row]) -> None:
        if not rows:
            return
        statement = self._insert(table)
        keys = [column.name for column in table.primary_key]
        values = {name: statement.excluded[name] for name in rows[0] if name not in keys}
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values), rows)

    def _put(self, connection: Connection, key: str, value: Any, now_ms: int) -> None:
        row = {"key": key, "value": json.dumps(value), "updated_ms": now_ms}
        self._replace(connection, schema.state, [row])

    def _remember_min_event_usd(self) -> None:
        with store_errors("Opening the store"), self.engine.begin() as connection:
            stored = read_state(connection, "min_event_usd")
            if stored is None:
                self._put(connection, "min_event_usd", self.min_event_usd, 0)
                return
            empty = not connection.execute(
                select(func.count()).select_from(select(schema.minutes).limit(1).subquery())
            ).scalar()
            if stored != self.min_event_usd and empty:
                self._put(connection, "min_event_usd", self.min_event_usd, 0)
                return
        self.needs_rebuild = stored != self.min_event_usd

    def refuse_if_stale(self) -> None:
        """
        :raises UsageError: the minutes were made with another ``min_event_usd``
        """
        if self.needs_rebuild:
            raise UsageError(
                "liq_provider.min_event_usd differs from what the store's minutes were made "
                "with; run `liq-provider rebuild`, or set it back"
            )


class _MinuteSums:
    """Sums of liquidations by coin, minute, venue and pair."""

    def __init__(self, settle_ms: int) -> None:
        self._settle_ms = settle_ms
        self._sums: dict[Identity, list[float]] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        key = (row["base_asset"], row["minute_ms"], row["venue"], row["pair"])
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = [0.0, 0.0, 0, 0]
        side = 0 if row["position_side"] == "long" else 1
        sums[side] += row["notional_usd"]
        sums[side + 2] += 1

    def rows(self) -> list[Row]:
        return [
            {
                "base_asset": base_asset,
                "minute_ms": minute_ms,
                "venue": venue,
                "pair": pair,
                "long_usd": sums[0],
                "short_usd": sums[1],
                "long_count": sums[2],
                "short_count": sums[3],
                "filled": False,
                "available_at": minute_ms + MINUTE_MS + self._settle_ms,
            }
            for (base_asset, minute_ms, venue, pair), sums in self._sums.items()
        ]


def read_state(connection: Connection, key: str) -> Any:
    """:return: one of the small facts, None if it was never written"""
    value = connection.execute(
        select(schema.state.c.value).where(schema.state.c.key == key)
    ).scalar()
    return None if value is None else json.loads(value)


def _identity(item: Liquidation) -> Identity:
    return (
        item.event_ms,
        item.venue,
        item.market_id,
        item.position_side,
        item.price,
        item.quantity,
        item.ordinal,
    )


def _liquidation_row(item: Liquidation, minute_ms: int | None) -> Row:
    return {
        "event_ms": item.event_ms,
        "venue": item.venue,
        "market_id": item.market_id,
        "position_side": item.position_side,
        "price": item.price,
        "quantity": item.quantity,
        "ordinal": item.ordinal,
        "pair": item.pair,
        "base_asset": item.base_asset,
        "notional_usd": item.notional_usd,
        "received_ms": item.received_ms,
        "minute_ms": minute_ms,
    }


def _inside(minute_ms: int, spans: Sequence[Interval]) -> bool:
    return any(span.start_ms <= minute_ms < span.end_ms for span in spans)
