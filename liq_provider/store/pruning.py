"""
Deleting the distant past in steps so small that nobody who writes beside them has to wait.

How much a step deletes is measured, not known: a disk may be slow, and rows are of all sizes.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Engine, delete, select, tuple_

from liq_provider.core.coverage import Interval
from liq_provider.core.liquidation import minute_of
from liq_provider.store import schema
from liq_provider.store.coverage_claims import cover
from liq_provider.store.database import store_errors
from liq_provider.store.statements import not_ahead, read_state, write_state

_FIRST_ROWS = 200
_MOST_ROWS = 5_000
# A step that took longer is followed by a smaller one, a quicker one by a larger one.
_WANTED_S = 0.03
# Between two steps at least so long, and so many times as long as the last one took: of the
# store's time a cut takes a third at most.
_PAUSE_S = 0.05
_PAUSE = 2.0

# By age; each of them has an index that begins with it.
_AGES: dict[str, Column[Any]] = {
    "liquidations": schema.orders.c.event_ms,
    "minutes": schema.sums.c.minute_ms,
    "features": schema.features.c.close_ms,
    "waves": schema.waves.c.last_ms,
    "verdicts": schema.verdicts.c.expires_at,
    "model_calls": schema.model_calls.c.asked_ms,
    "questions": schema.questions.c.close_ms,
    "news": schema.news.c.available_at,
}
_BARS = schema.bars.c
_BAR_GROUP = (_BARS.base_asset, _BARS.source, _BARS.bar_min)


class Pruning:
    """
    One cut through a store. Each step is a transaction of its own; between two of them anybody
    may write, or the process may end.

    :param before_ms: what is older than its minute is deleted
    :ivar deleted: rows by table
    :ivar longest_s: the longest transaction
    :ivar last_s: the last one
    """

    def __init__(self, engine: Engine, before_ms: int) -> None:
        self.before_ms = minute_of(before_ms)
        self.deleted = dict.fromkeys(("coverage", *_AGES, "bars"), 0)
        self.longest_s = 0.0
        self.last_s = 0.0
        self._engine = engine
        self._rows = _FIRST_ROWS
        self._steps = self._all()

    def step(self) -> bool:
        """
        The next transaction.

        :return: False if nothing is left to be deleted
        :raises StoreError: the store does not take it; another cut may begin anew
        """
        return next(self._steps, False)

    @property
    def pause_s(self) -> float:
        """For how long others are to have the store to themselves before the next step."""
        return max(_PAUSE_S, _PAUSE * self.last_s)

    def run(self, *, alone: bool = False) -> dict[str, int]:
        """
        All of it.

        :param alone: nobody else writes, so that there need be no pauses
        :return: deleted rows by table
        """
        while self.step():
            if not alone:
                time.sleep(self.pause_s)
        return self.deleted

    def _all(self) -> Iterator[bool]:
        # First of all: a deleted minute must never look like a known one without liquidations.
        self._timed(self._cut_coverage)
        yield True
        for name, age in _AGES.items():
            yield from self._while_full(name, age)
        yield from self._bars()

    def _while_full(
        self, name: str, age: Column[Any], *of_it: ColumnElement[bool]
    ) -> Iterator[bool]:
        """Steps of one table, until one finds fewer rows than it might have deleted."""
        full = True

        def step(connection: Connection) -> None:
            nonlocal full
            old = (*of_it, age < self.before_ms)
            # As many behind the oldest; its equals go with it. Asked for by itself: of two bounds
            # in one statement SQLite might walk along the wider.
            nth = select(age).where(*old).order_by(age).limit(1).offset(self._rows - 1)
            last_ms = connection.execute(nth).scalar()
            full = last_ms is not None
            bound = (*of_it, age <= last_ms) if full else old
            gone = connection.execute(delete(age.table).where(*bound)).rowcount
            self.deleted[name] += gone

        while full:
            self._timed(step)
            yield True

    def _bars(self) -> Iterator[bool]:
        """Their key begins with the coin, so they go coin by coin."""
        group = self._next_group(None)
        while group is not None:
            of_it = [column == value for column, value in zip(_BAR_GROUP, group, strict=True)]
            yield from self._while_full("bars", _BARS.start_ms, *of_it)
            group = self._next_group(group)
        if self.deleted["bars"]:
            self._timed(_forget_imports)
            yield True

    def _next_group(self, last: Sequence[Any] | None) -> Sequence[Any] | None:
        query = select(*_BAR_GROUP).order_by(*_BAR_GROUP).limit(1)
        if last is not None:
            query = query.where(tuple_(*_BAR_GROUP) > tuple_(*last))
        with store_errors("Pruning"), self._engine.connect() as connection:
            group = connection.execute(query).first()
        return None if group is None else tuple(group)

    def _cut_coverage(self, connection: Connection) -> None:
        table = schema.coverage.c
        # Nobody settles meanwhile: a span that grew between the two would lose what it gained.
        watermark_ms = int(read_state(connection, "watermark_ms", lock="alone") or 0)
        # A running sidecar goes on writing the span it began long ago; see ``Writer.cover``.
        # Nothing that is yet to be settled was ever deleted.
        pruned_ms = int(read_state(connection, "pruned_ms") or 0)
        until_ms = min(self.before_ms, watermark_ms)
        if until_ms > pruned_ms or pruned_ms > watermark_ms:
            write_state(connection, "pruned_ms", until_ms, self.before_ms)
        old = connection.execute(
            select(schema.coverage).where(table.start_ms < self.before_ms)
        ).all()
        if any(row.source == "import" for row in old):
            # What is deleted here may be imported again.
            _forget_imports(connection)
        connection.execute(delete(schema.coverage).where(table.start_ms < self.before_ms))
        cut = [row for row in old if row.end_ms > self.before_ms]
        for row in cut:
            rest = Interval(self.before_ms, row.end_ms)
            available_at = row.available_at
            if row.source == "live":
                # It is said of the first minute, which is another one now.
                available_at += self.before_ms - row.start_ms
            known = (row.source, available_at, row.base_asset, row.heard_by)
            cover(connection, row.venue, [rest], *known)
        connection.execute(delete(schema.doubts).where(schema.doubts.c.end_ms <= self.before_ms))
        self.deleted["coverage"] = len(old) - len(cut)

    def _timed(self, step: Callable[[Connection], None]) -> None:
        begun_s = time.monotonic()
        with store_errors("Pruning"), self._engine.begin() as connection:
            # Waiting for somebody else's lock is not this step's doing.
            begun_s = time.monotonic()
            step(connection)
        self.last_s = time.monotonic() - begun_s
        self.longest_s = max(self.longest_s, self.last_s)
        fit = _WANTED_S / max(self.last_s, _WANTED_S / 2)
        self._rows = max(1, min(_MOST_ROWS, int(self._rows * fit)))


def newest_ms(engine: Engine) -> int | None:
    """
    Which time it is at least, as the store itself proves: no clock is trusted alone with what
    cannot be undone.

    :return: the newest order (see ``not_ahead``), or the newest settled minute if that is older;
        None if there is neither
    """
    with store_errors("Pruning"), engine.connect() as connection:
        at = schema.liquidations.c.event_ms
        query = select(at).where(not_ahead()).order_by(at.desc()).limit(1)
        newest = connection.execute(query).scalar()
        watermark_ms = int(read_state(connection, "watermark_ms") or 0)
    known = [when_ms for when_ms in (newest, watermark_ms) if when_ms]
    return min(known, default=None)


def _forget_imports(connection: Connection) -> None:
    connection.execute(delete(schema.imports))
