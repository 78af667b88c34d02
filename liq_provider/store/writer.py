"""Everything that changes the store goes through here, in short transactions."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select

from liq_provider.confirmation import Confirmed
from liq_provider.coverage import Interval, whole_minutes
from liq_provider.errors import StoreUnusable, UsageError
from liq_provider.liquidation import Liquidation
from liq_provider.markets import Market
from liq_provider.store import fills, schema, statements, upkeep, verdicts
from liq_provider.store.booking import BookingRules, Incoming, other_minutes_words
from liq_provider.store.engine import migrate, store_errors
from liq_provider.store.hangup import Hangup
from liq_provider.store.rows import (
    IDENTITY_COLUMNS,
    Identity,
    MinuteSums,
    Row,
    identity,
    liquidation_row,
)
from liq_provider.store.statements import insert_into, read_state, replace, write_state

_Spans = Mapping[str, Sequence[Interval]]
_Settled = Mapping[tuple[str, str], Sequence[Interval]]  # venue and coin, empty for all


@dataclass(slots=True)
class Appended:
    """
    What became of a batch.

    :param inserted: new orders
    :param duplicates: orders that the store had already
    :param booked: new orders by how they were booked: event, arrival, late, future, and small
        for those below ``min_event_usd``, which no minute counts
    :param missed: venue and minute of those that count in no minute, or in a later one only
        because the store was slower than another sidecar
    """

    inserted: int = 0
    duplicates: int = 0
    booked: Counter[str] = field(default_factory=Counter)
    missed: set[tuple[str, int]] = field(default_factory=set)


class Writer:
    """
    :param engine: opened for writing; the schema is created or migrated here
    :param rules: how liquidations are booked
    :param min_event_usd: smaller orders are stored but count in no minute
    :param at_once: False leaves opening to ``open``
    """

    def __init__(
        self,
        engine: Engine,
        rules: BookingRules | None = None,
        min_event_usd: float = 0.0,
        *,
        at_once: bool = True,
    ) -> None:
        self._engine = engine
        self.rules = rules or BookingRules()
        self.min_event_usd = min_event_usd
        self._made_with_usd = min_event_usd
        self.opened = False
        self.hang_up = Hangup(engine)
        if at_once:
            self.open()

    @property
    def engine(self) -> Engine:
        """
        :raises StoreUnusable: it was not opened, so nothing may be written
        """
        if not self.opened:
            raise StoreUnusable("The store is not open")
        return self._engine

    def open(self) -> bool:
        """
        Create the schema or bring it up to date.

        :return: True if there was none
        """
        new = migrate(self._engine)
        self._prepare_state()
        self.opened = True
        return new

    def shut(self) -> None:
        """Write nothing more until ``open`` is called."""
        self.opened = False
        self._engine.dispose()

    def close(self) -> None:
        """Give the connections back; the writer stays usable."""
        self._engine.dispose()

    def append(self, items: Sequence[Incoming]) -> Appended:
        """
        Store liquidations and count the new ones in their minutes, in one transaction.

        Idempotent: an order that is there already changes nothing.
        """
        result = Appended()
        if not items:
            return result
        with store_errors("Storing liquidations"), self.engine.begin() as connection:
            # Locked: another sidecar must not settle the minute between booking and commit.
            watermark_ms = int(read_state(connection, "watermark_ms", lock=True) or 0)
            self._append(connection, items, watermark_ms, {}, result)
        return result

    def import_batch(self, items: Sequence[Incoming]) -> Appended:
        """
        Store liquidations of the past. They are booked as if they had come live, but never in
        a settled minute that a live feed had covered: that minute stays as it was decided on.
        """
        result = Appended()
        if not items:
            return result
        with store_errors("Importing"), self.engine.begin() as connection:
            settled = _settled_live(connection, {item.liquidation.venue for item in items})
            self._append(connection, items, 0, settled, result)
        return result

    def restore(self, found: Sequence[Row]) -> Appended:
        """
        Store rows of ``liquidations`` that a store exported, booked as they are there, but
        never in a minute that was settled live here.
        """
        result = Appended()
        if not found:
            return result
        rows: dict[Identity, Row] = {}
        how: dict[Identity, str] = {}
        with store_errors("Restoring liquidations"), self.engine.begin() as connection:
            settled = _settled_live(connection, {row["venue"] for row in found})
            for row in found:
                key = tuple(row[column.name] for column in IDENTITY_COLUMNS)
                minute_ms = row["minute_ms"]
                if minute_ms is not None and settled and _is_settled(settled, row, minute_ms):
                    minute_ms = None
                rows[key] = row if minute_ms == row["minute_ms"] else {**row, "minute_ms": None}
                how[key] = "late" if minute_ms is None else "event"
            self._insert(connection, rows, how, {}, result)
        return result

    def _append(
        self,
        connection: Connection,
        items: Sequence[Incoming],
        watermark_ms: int,
        settled: _Settled,
        result: Appended,
    ) -> None:
        rows: dict[Identity, Row] = {}
        how: dict[Identity, str] = {}
        missed: dict[Identity, int] = {}
        for incoming in items:
            item = incoming.liquidation
            key = identity(item)
            if key in rows:
                continue
            minute, booked = self.rules.book(incoming, watermark_ms)
            row = liquidation_row(item, minute)
            if minute is not None and settled and _is_settled(settled, row, minute):
                row["minute_ms"], booked = None, "late"
            rows[key], how[key] = row, booked
            doubtful = self.rules.doubtful_minute(incoming, booked)
            if doubtful is not None:
                missed[key] = doubtful
        self._insert(connection, rows, how, missed, result)
        result.duplicates = len(items) - result.inserted

    def _insert(
        self,
        connection: Connection,
        rows: Mapping[Identity, Row],
        how: Mapping[Identity, str],
        missed: Mapping[Identity, int],
        result: Appended,
    ) -> None:
        statement = insert_into(connection, schema.liquidations).on_conflict_do_nothing()
        # In the order of the key: two writers that lock rows in the same order never deadlock.
        ordered = [rows[key] for key in sorted(rows)]
        found = connection.execute(statement.returning(*IDENTITY_COLUMNS), ordered)
        new = [tuple(row) for row in found]
        result.inserted, result.duplicates = len(new), len(rows) - len(new)
        sums = MinuteSums(self.rules.settle_ms)
        for key in new:
            row = rows[key]
            small = row["notional_usd"] < self.min_event_usd
            result.booked["small" if small else how[key]] += 1
            if row["minute_ms"] is not None and not small:
                sums.add(row)
            if key in missed:
                result.missed.add((row["venue"], missed[key]))
        statements.add_to_minutes(connection, sums.rows())

    def fill(
        self,
        venue: str,
        base_asset: str,
        span: Interval,
        found: Iterable[Liquidation],
        now_ms: int,
    ) -> fills.Filled:
        """
        Complete a span of one coin from a venue's history; see ``fills.fill``.

        :param found: all liquidations of the coin in the span
        """
        return fills.fill(self.engine, venue, base_asset, span, found, now_ms, self.min_event_usd)

    def rebuild(self) -> int:
        """
        Make ``minutes`` anew from ``liquidations``, with the present ``min_event_usd``.

        :return: number of minutes
        """
        made = upkeep.rebuild(self.engine, self.min_event_usd, self.rules.settle_ms)
        self._made_with_usd = self.min_event_usd
        return made

    def prune(self, before_ms: int) -> dict[str, int]:
        """
        Delete what is older than ``before_ms``.

        :return: deleted rows by table
        """
        return upkeep.prune(self.engine, before_ms)

    def cover(
        self,
        venue: str,
        intervals: Iterable[Interval],
        source: str = "live",
        now_ms: int = 0,
        base_asset: str = "",
    ) -> None:
        """
        Write coverage as it happens; an interval is identified by its start and only grows.

        :param source: live, import or fill
        :param now_ms: when this became known
        :param base_asset: the only coin that this is known of; empty for the whole venue
        """
        with store_errors("Writing coverage"), self.engine.begin() as connection:
            if source == "live":
                intervals = _not_pruned(connection, intervals)
            statements.cover(connection, venue, intervals, source, now_ms, base_asset)

    def settle(self, close_ms: int, coverage: _Spans, now_ms: int) -> None:
        """Make a minute final: its coverage and the watermark, in one transaction."""
        with store_errors("Settling a minute"), self.engine.begin() as connection:
            if close_ms > int(read_state(connection, "watermark_ms") or 0):
                write_state(connection, "watermark_ms", close_ms, now_ms)
            for venue in sorted(coverage):
                intervals = _not_pruned(connection, coverage[venue])
                statements.cover(connection, venue, intervals, "live", now_ms)

    def put_results(
        self,
        features: list[Row],
        waves: list[Row],
        computed_ms: int,
        now_ms: int,
    ) -> None:
        """
        Write what was computed for a settled minute, then say so.

        :param computed_ms: close of the minute whose features are complete with this
        """
        with store_errors("Writing features"), self.engine.begin() as connection:
            replace(connection, schema.features, features)
            replace(connection, schema.waves, waves)
            write_state(connection, "computed_ms", computed_ms, now_ms)

    def put_readiness(self, report: Mapping[str, Any], coins: list[Row], now_ms: int) -> None:
        """
        Write who is ready at a settled minute, and who is not and why.

        :param report: of ``readiness.Report``, as JSON values
        :param coins: rows of ``readiness``
        """
        with store_errors("Writing readiness"), self.engine.begin() as connection:
            replace(connection, schema.readiness, coins)
            write_state(connection, "readiness", report, now_ms)

    def put_verdicts(
        self, rows: Sequence[Row], confirmed: Sequence[Confirmed] = (), now_ms: int = 0
    ) -> list[bool]:
        """
        Write verdicts, and how long they and older ones live, in one transaction.

        :param rows: of ``verdicts``
        :param confirmed: states of waves that settled minutes show
        :return: of each row whether it is new; what was said of a state before stands
        """
        with store_errors("Writing verdicts"), self.engine.begin() as connection:
            new = verdicts.put(connection, rows)
            if verdicts.extend(connection, confirmed, now_ms) or any(new):
                write_state(connection, "verdict_ms", now_ms, now_ms)
        return new

    def put_model_call(self, row: Row) -> None:
        """Write one question to a model, with what became of it."""
        with store_errors("Writing a model call"), self.engine.begin() as connection:
            replace(connection, schema.model_calls, [row])

    def put_news(self, rows: list[Row]) -> None:
        """Write headlines; the time at which one was first seen stands."""
        with store_errors("Writing news"), self.engine.begin() as connection:
            statement = insert_into(connection, schema.news).on_conflict_do_nothing()
            connection.execute(statement, rows)

    def put_markets(self, venue: str, markets: Iterable[Market], now_ms: int = 0) -> None:
        """
        Replace a venue's market list.

        :param now_ms: since when the feed knows those that were in no list before; the markets
            of a venue's first list are taken to have been known from their beginning
        """
        found = {market.market_id: market for market in markets}
        table = schema.markets
        with store_errors("Writing markets"), self.engine.begin() as connection:
            query = select(table.c.market_id, table.c.known_ms).where(table.c.venue == venue)
            known = {market_id: known_ms for market_id, known_ms in connection.execute(query)}
            rows = []
            for market_id, market in sorted(found.items()):
                first_ms = now_ms if known else market.listed_ms or 0
                rows.append(asdict(market) | {"known_ms": known.get(market_id, first_ms)})
            replace(connection, table, rows)
            connection.execute(
                delete(table).where(table.c.venue == venue).where(table.c.market_id.not_in(found))
            )

    def put_state(self, key: str, value: Any, now_ms: int) -> None:
        """Write one of the small facts."""
        with store_errors(f"Writing {key}"), self.engine.begin() as connection:
            write_state(connection, key, value, now_ms)

    def _prepare_state(self) -> None:
        with store_errors("Opening the store"), self._engine.begin() as connection:
            # There from the first moment, so that it can be locked.
            first = {"key": "watermark_ms", "value": "0", "updated_ms": 0}
            connection.execute(
                insert_into(connection, schema.state).on_conflict_do_nothing(), [first]
            )
            stored = read_state(connection, "min_event_usd")
            if stored is None or (stored != self.min_event_usd and _is_empty(connection)):
                write_state(connection, "min_event_usd", self.min_event_usd, 0)
                return
        self._made_with_usd = stored

    def refuse_if_stale(self) -> None:
        """
        :raises UsageError: the minutes were made with another ``min_event_usd``
        """
        other = other_minutes_words(self.min_event_usd, self._made_with_usd)
        if other is not None:
            raise UsageError(other)


def _is_empty(connection: Connection) -> bool:
    some = select(schema.minutes.c.minute_ms).limit(1).subquery()
    return not connection.execute(select(func.count()).select_from(some)).scalar()


def _settled_live(
    connection: Connection, venues: Iterable[str]
) -> dict[tuple[str, str], list[Interval]]:
    """
    The whole minutes up to the watermark that a live feed covered: they are final. By venue and
    coin; the coin is empty for the whole venue.
    """
    watermark_ms = int(read_state(connection, "watermark_ms") or 0)
    table = schema.coverage.c
    found: dict[tuple[str, str], list[Interval]] = {}
    query = (
        select(table.venue, table.base_asset, table.start_ms, table.end_ms)
        .where(table.source == "live")
        .where(table.venue.in_(sorted(venues)))
        .where(table.start_ms < watermark_ms)
    )
    for venue, base, start_ms, end_ms in connection.execute(query):
        whole = whole_minutes(Interval(start_ms, min(end_ms, watermark_ms)))
        found.setdefault((venue, base), []).append(whole)
    return found


def _is_settled(settled: _Settled, row: Row, minute_ms: int) -> bool:
    venue = row["venue"]
    spans = [*settled.get((venue, ""), ()), *settled.get((venue, row["base_asset"]), ())]
    return any(span.start_ms <= minute_ms < span.end_ms for span in spans)


def _not_pruned(connection: Connection, intervals: Iterable[Interval]) -> list[Interval]:
    """A live span that began before ``prune`` must not bring its deleted part back."""
    pruned_ms = int(read_state(connection, "pruned_ms") or 0)
    return [
        Interval(max(item.start_ms, pruned_ms), item.end_ms)
        for item in intervals
        if item.end_ms > pruned_ms
    ]
