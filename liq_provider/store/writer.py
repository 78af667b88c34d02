"""Everything that changes the store goes through here, in short transactions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select

from liq_provider.core.coverage import Interval
from liq_provider.core.doubts import Doubt
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation, minute_of
from liq_provider.core.markets import Market
from liq_provider.core.order_columns import OrderColumns
from liq_provider.errors import StoreUnusable, UsageError
from liq_provider.store import (
    column_append,
    coverage_claims,
    gap_fills,
    kept_features,
    rebuilding,
    schema,
    verdicts,
)
from liq_provider.store.appending import Appended, Appending, unbooked
from liq_provider.store.booked_minute import BookingRules, Incoming
from liq_provider.store.database import migrate, store_errors
from liq_provider.store.hangup import Hangup
from liq_provider.store.keys import Keys
from liq_provider.store.liquidation_rows import Row
from liq_provider.store.other_minutes import other_minutes_words
from liq_provider.store.pruning import Pruning
from liq_provider.store.statements import change_past, insert_into, read_state, replace, write_state
from liq_provider.store.verdict_minutes import Confirmed
from liq_provider.store.verdicts import SaysLess, Written
from liq_provider.store.vetoes import refuses

_Spans = Mapping[str, Sequence[Interval]]


class Writer:
    """
    :param engine: opened for writing; the schema is created or migrated here
    :param rules: how liquidations are booked
    :param min_event_usd: smaller orders are stored but count in no minute
    :param heard_by: the run of the sidecar whose feeds these are; empty for everybody else
    :param at_once: False leaves opening to ``open``
    """

    def __init__(
        self,
        engine: Engine,
        rules: BookingRules | None = None,
        min_event_usd: float = 0.0,
        heard_by: str = "",
        *,
        at_once: bool = True,
    ) -> None:
        self._engine = engine
        self.rules = rules or BookingRules()
        self.min_event_usd = min_event_usd
        self.heard_by = heard_by
        self._made_with_usd = min_event_usd
        self._keys: Keys | None = None
        self.opened = False
        self.hang_up = Hangup(engine)
        if at_once:
            try:
                self.open()
            except BaseException:
                # Nobody else can: there is no writer to be closed.
                self.close()
                raise

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
        self._keys = None  # it may be another store
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

    def append(self, orders: Sequence[Incoming]) -> Appended:
        """
        Store liquidations and count the new ones in their minutes, in one transaction.

        Idempotent: an order that is there already changes nothing, unless another sidecar
        could not count it where it belongs.
        """
        if not orders:
            return Appended()
        return self._appended(
            "Storing liquidations", lambda *with_keys: self._appending(*with_keys).live(orders)
        )

    def import_batch(self, orders: Sequence[Incoming]) -> Appended:
        """
        Store liquidations of the past. They are booked as if they had come live, but never in
        a settled minute that a live feed had covered: that minute stays as it was decided on.
        """
        if not orders:
            return Appended()
        return self._appended(
            "Importing", lambda *with_keys: self._appending(*with_keys).imported(orders), past=True
        )

    def import_columns(self, orders: OrderColumns) -> Appended:
        """The same as ``import_batch``, of many orders at once."""
        if not len(orders):
            return Appended()

        def columns(connection: Connection, keys: Keys) -> Appended:
            one_by_one = self._appending(connection, keys).imported
            return column_append.imported(
                connection, keys, orders, self.rules, self.min_event_usd, one_by_one
            )

        return self._appended("Importing", columns, past=True)

    def restore(self, exported: Sequence[Row]) -> Appended:
        """
        Store rows of ``liquidations`` that a store exported, booked as they are there, but
        never in a minute that was settled live here.
        """
        if not exported:
            return Appended()
        return self._appended(
            "Restoring liquidations",
            lambda *with_keys: self._appending(*with_keys).restored(exported),
            past=True,
        )

    def _appended(
        self, what: str, append: Callable[[Connection, Keys], Appended], *, past: bool = False
    ) -> Appended:
        """
        :param past: it may count in minutes that are settled
        """
        with store_errors(what), self.engine.begin() as connection:
            keys = Keys(connection, self._keys)
            done = append(connection, keys)
            if past and (done.inserted or done.rebooked):
                # Last of all, as it is one row that all writers of the past share.
                change_past(connection)
        # Only now they are there for everybody.
        self._keys = keys
        return done

    def _appending(self, connection: Connection, keys: Keys) -> Appending:
        return Appending(connection, keys, self.rules, self.min_event_usd, self.heard_by)

    def fill(
        self,
        venue: str,
        base_asset: str,
        span: Interval,
        orders: Iterable[Liquidation],
        now_ms: int,
    ) -> gap_fills.Filled:
        """
        Complete a span of one coin from a venue's history; see ``gap_fills.fill``.

        :param orders: all liquidations of the coin in the span
        """
        return gap_fills.fill(
            self.engine, venue, base_asset, span, orders, now_ms, self.min_event_usd
        )

    def rebuild(self) -> int:
        """
        Make ``minutes`` anew from ``liquidations``, with the present ``min_event_usd``.

        :return: number of minutes
        """
        made = rebuilding.rebuild(self.engine, self.min_event_usd, self.rules.settle_ms)
        self._made_with_usd = self.min_event_usd
        return made

    def pruning(self, before_ms: int) -> Pruning:
        """:return: the deletion of what is older than ``before_ms``, step by step"""
        return Pruning(self.engine, before_ms)

    def prune(self, before_ms: int, *, alone: bool = False) -> dict[str, int]:
        """
        Delete what is older than ``before_ms``.

        :param alone: nobody else writes
        :return: deleted rows by table
        """
        return self.pruning(before_ms).run(alone=alone)

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
            # Live ones say since when their first minute is known: since its close.
            live = source == "live"
            known_ms, heard_by = (0, self.heard_by) if live else (now_ms, "")
            coverage_claims.cover(
                connection, venue, intervals, source, known_ms, base_asset, heard_by
            )

    def settle(
        self, close_ms: int, heard: _Spans, now_ms: int, doubts: Sequence[Doubt] = ()
    ) -> None:
        """
        Make a minute final: who heard it, what may be missing, and the watermark, in one
        transaction.

        :param heard: per venue the spans, up to ``close_ms``, that this sidecar heard and whose
            orders are all stored
        :param doubts: what it may have missed all the same
        """
        with store_errors("Settling a minute"), self.engine.begin() as connection:
            # From here on nobody books into this minute any more.
            before_ms = int(read_state(connection, "watermark_ms", lock="alone") or 0)
            # What the slower of two sidecars says comes after the decision that the faster one's
            # bot made at this close.
            known_ms = close_ms if close_ms > before_ms else before_ms + MINUTE_MS
            if close_ms > before_ms:
                write_state(connection, "watermark_ms", close_ms, now_ms)
                # Later ones are found when they are stored.
                missing = unbooked(connection, close_ms - MINUTE_MS, self.min_event_usd)
                coverage_claims.doubt(connection, missing, "", close_ms)
            coverage_claims.doubt(connection, doubts, self.heard_by, known_ms)
            for venue in sorted(heard):
                for span in _not_pruned(connection, heard[venue]):
                    delay_ms = known_ms - close_ms
                    coverage_claims.claim(connection, venue, span, self.heard_by, delay_ms)

    def put_doubts(self, doubts: Sequence[Doubt], now_ms: int) -> None:
        """
        What this sidecar may have missed in minutes that are settled already; decisions from
        the next close on know of it.
        """
        with store_errors("Writing doubts"), self.engine.begin() as connection:
            watermark_ms = int(read_state(connection, "watermark_ms", lock="shared") or 0)
            # The next minute that anybody settles; in a store that never settled one, the next.
            newest_ms = watermark_ms or minute_of(now_ms)
            coverage_claims.doubt(connection, doubts, self.heard_by, newest_ms + MINUTE_MS)

    def put_results(
        self,
        features: list[Row],
        waves: list[Row],
        computed_ms: int,
        now_ms: int,
    ) -> None:
        """
        Write what was computed for a settled minute, then say so. Of features that are older than
        ``kept_features.KEPT_MS`` some are deleted.

        :param computed_ms: close of the minute whose features are complete with this
        """
        with store_errors("Writing features"), self.engine.begin() as connection:
            replace(connection, schema.features, [_stored_features(row) for row in features])
            replace(connection, schema.waves, waves)
            write_state(connection, "computed_ms", computed_ms, now_ms)
            kept_features.forget(connection, computed_ms)

    def put_readiness(self, report: Mapping[str, Any], coins: list[Row], now_ms: int) -> None:
        """
        Write who is ready at a settled minute, and who is not and why.

        :param report: of ``readiness.ReadinessReport``, as JSON values
        :param coins: rows of ``readiness``
        """
        with store_errors("Writing readiness"), self.engine.begin() as connection:
            replace(connection, schema.readiness, coins)
            write_state(connection, "readiness", report, now_ms)

    def put_verdicts(
        self,
        rows: Sequence[Row],
        confirmed: Sequence[Confirmed] = (),
        now_ms: int = 0,
        says_less: SaysLess = refuses,
    ) -> list[Written]:
        """
        Write verdicts, and how long they and older ones live, in one transaction.

        :param rows: of ``verdicts``
        :param confirmed: states of waves that settled minutes show
        :param says_less: see ``verdicts.put``
        :return: what became of each row
        """
        with store_errors("Writing verdicts"), self.engine.begin() as connection:
            written = verdicts.put(connection, rows, says_less)
            longer = verdicts.extend(connection, confirmed, now_ms, says_less)
            if longer or Written.NEW in written:
                write_state(connection, "verdict_ms", now_ms, now_ms)
        return written

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
        by_id = {market.market_id: market for market in markets}
        table = schema.markets
        with store_errors("Writing markets"), self.engine.begin() as connection:
            query = select(table.c.market_id, table.c.known_ms).where(table.c.venue == venue)
            known = {row.market_id: row.known_ms for row in connection.execute(query)}
            rows = []
            for market_id, market in sorted(by_id.items()):
                first_ms = now_ms if known else market.listed_ms or 0
                rows.append(asdict(market) | {"known_ms": known.get(market_id, first_ms)})
            replace(connection, table, rows)
            connection.execute(
                delete(table).where(table.c.venue == venue).where(table.c.market_id.not_in(by_id))
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


def _stored_features(row: Row) -> Row:
    """What follows from the rest of a row is not stored."""
    return {name: value for name, value in row.items() if name in schema.features.c}


def _is_empty(connection: Connection) -> bool:
    some = select(schema.minutes.c.minute_ms).limit(1).subquery()
    return not connection.execute(select(func.count()).select_from(some)).scalar()


def _not_pruned(connection: Connection, intervals: Iterable[Interval]) -> list[Interval]:
    """
    A live span that began before ``prune`` must not bring its deleted part back. A cut that is
    said to lie beyond all that was settled was made by a clock that was wrong.
    """
    pruned_ms = int(read_state(connection, "pruned_ms") or 0)
    if pruned_ms > int(read_state(connection, "watermark_ms") or 0):
        return list(intervals)
    return [
        Interval(max(span.start_ms, pruned_ms), span.end_ms)
        for span in intervals
        if span.end_ms > pruned_ms
    ]
