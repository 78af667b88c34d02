"""
Verdicts, and the minutes that confirm them.

Two sidecars may judge two states of one wave at a time. What news was against stays out, whichever
answer comes last, so that is looked up in the transaction that writes (``vetoes``). What was said
before of the same state, by the same judge, stands; only news against the wave takes its place.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from sqlalchemy import Connection, bindparam, select, tuple_, update

from liq_provider.store import schema
from liq_provider.store.liquidation_rows import Row
from liq_provider.store.shared_questions import one_at_a_time
from liq_provider.store.statements import insert_into, replace
from liq_provider.store.verdict_minutes import Confirmed, last_minute, prolonged
from liq_provider.store.vetoes import by_matrix, news_against, refuses

_KEY = tuple(schema.verdicts.primary_key)
_WORDS = tuple(schema.verdicts.c[name] for name in ("news", "action", "confidence", "inputs"))
_TIMES = tuple(
    schema.verdicts.c[name] for name in ("close_ms", "confirmed", "available_at", "expires_at")
)
_AT_ONCE = 100  # waves in one question; SQLite refuses statements with very many values

Wave = tuple[str, str, int]
SaysLess = Callable[[Mapping[str, Any]], bool]


class Written(Enum):
    """What became of a verdict."""

    NEW = "it is on record"
    KNOWN = "what was said of this state before stands"
    AGAINST = "not written: news was against its wave"
    DOUBTED = "not written: its wave was doubted, so the matrix may not judge it"


def put(
    connection: Connection, rows: Sequence[Row], says_less: SaysLess = refuses
) -> list[Written]:
    """
    What was said before of the same state stands, unless it is overruled by news against the wave.

    :param says_less: whether a row on record doubts its wave; the decision matrix, which tells it
        of a model's words, is not the store's
    """
    if not rows:
        return []
    # Whoever says yes must see a veto, or a doubt, that is being written.
    one_at_a_time(connection)
    known = _known(connection, {_wave(row) for row in rows})
    said = _Said([*itertools.chain(*known.values()), *rows], says_less)
    kept = [row for row in rows if said.refusal(row) is None]
    new_keys = _written(connection, [_last_word(row, known) for row in kept], known)
    return [
        said.refusal(row) or (Written.NEW if _key(row) in new_keys else Written.KNOWN)
        for row in rows
    ]


class _Said:
    """
    What holds against some waves.

    :param rows: all that was said of them
    """

    def __init__(self, rows: Iterable[Row], says_less: SaysLess) -> None:
        self._against: set[Wave] = set()
        self._doubted: set[Wave] = set()
        for row in rows:
            if news_against(row):
                self._against.add(_wave(row))
            elif says_less(row):
                self._doubted.add(_wave(row))

    def refusal(self, row: Row) -> Written | None:
        """:return: why what a row says of its wave must not count, None if it may"""
        if _wave(row) in self._against and not refuses(row):
            return Written.AGAINST
        return Written.DOUBTED if _wave(row) in self._doubted and by_matrix(row) else None


def restore(connection: Connection, rows: Sequence[Row]) -> int:
    """
    Write verdicts as they were exported.

    :return: how many of them are new
    """
    one_at_a_time(connection)
    return len(_written(connection, rows, _known(connection, {_wave(row) for row in rows})))


def _written(
    connection: Connection, rows: Sequence[Row], known: Mapping[Wave, Sequence[Row]]
) -> set[tuple[Any, ...]]:
    """:return: the keys of the rows that are on record now and were not before"""
    # In the order of the key: two writers that lock rows in the same order never deadlock. Of two
    # rows with one key the first is kept, so a veto is first.
    ordered = sorted(rows, key=lambda row: (_key(row), not news_against(row)))
    if not ordered:
        return set()
    passing = {_key(said) for of in known.values() for said in of if not news_against(said)}
    vetoes = {
        _key(row): {"confirmed": None} | row
        for row in ordered
        if news_against(row) and _key(row) in passing
    }
    replace(connection, schema.verdicts, list(vetoes.values()))
    statement = insert_into(connection, schema.verdicts).on_conflict_do_nothing()
    inserted = connection.execute(statement.returning(*_KEY), ordered)
    return {tuple(row) for row in inserted} | set(vetoes)


def _known(connection: Connection, waves: set[Wave]) -> dict[Wave, list[Row]]:
    """:return: what was said so far of each of these waves"""
    table = schema.verdicts.c
    said_of: dict[Wave, list[Row]] = {}
    ordered = sorted(waves)
    for first in range(0, len(ordered), _AT_ONCE):
        some = ordered[first : first + _AT_ONCE]
        query = (
            select(*_KEY, *_WORDS, *_TIMES)
            .where(table.base_asset.in_({wave[0] for wave in some}))
            .where(tuple_(table.base_asset, table.direction, table.wave_start_ms).in_(some))
        )
        for row in connection.execute(query):
            said = row._asdict()
            said_of.setdefault(_wave(said), []).append(said)
    return said_of


def _last_word(row: Row, known: Mapping[Wave, Sequence[Row]]) -> Row:
    """
    The newest verdict of a minute counts. So a veto is no older than what it stands against, and
    one by news that comes late holds in the last minute that something else let pass meanwhile.
    """
    if not refuses(row):
        return row
    said_of = known.get(_wave(row), ())
    others = (said["available_at"] + 1 for said in said_of)
    row = row | {"available_at": max(row["available_at"], *others, 0)}
    passing = [said for said in said_of if not refuses(said)]
    if not passing or not news_against(row):
        return row
    minute_ms = max(last_minute(said["confirmed"], said["close_ms"]) for said in passing)
    longer = prolonged(row.get("confirmed"), row["close_ms"], minute_ms)
    if longer is None:
        return row
    expires_at = max(row["expires_at"], *(said["expires_at"] for said in passing))
    return row | {"confirmed": longer, "expires_at": expires_at}


def _wave(row: Mapping[str, Any]) -> Wave:
    return row["base_asset"], row["direction"], row["wave_start_ms"]


def extend(
    connection: Connection,
    confirmed: Sequence[Confirmed],
    now_ms: int,
    says_less: SaysLess = refuses,
) -> bool:
    """
    What was judged of the states that were confirmed lives longer, and nothing that was judged
    of another, nor what must not count any more. Nothing changes for a minute that nobody can
    act upon any more.

    :param says_less: see ``put``
    :return: whether anything changed
    """
    usable = [confirmation for confirmation in confirmed if confirmation.expires_at >= now_ms]
    changes: list[dict[str, Any]] = []
    for first in range(0, len(usable), _AT_ONCE):
        changes += _changes(connection, usable[first : first + _AT_ONCE], says_less)
    if changes:
        table = schema.verdicts
        statement = update(table).values(
            expires_at=bindparam("new_expires_at"), confirmed=bindparam("new_confirmed")
        )
        for column in _KEY:
            statement = statement.where(column == bindparam(f"key_{column.name}"))
        connection.execute(statement, changes)
    return bool(changes)


def _changes(
    connection: Connection, confirmed: Sequence[Confirmed], says_less: SaysLess
) -> list[dict[str, Any]]:
    table = schema.verdicts.c
    by_wave: dict[tuple[str, str, int], list[Confirmed]] = {}
    for confirmation in sorted(confirmed, key=lambda confirmation: confirmation.close_ms):
        wave = (confirmation.base_asset, confirmation.direction, confirmation.wave_start_ms)
        by_wave.setdefault(wave, []).append(confirmation)
    query = (
        select(*_KEY, *_WORDS, *_TIMES)
        .where(tuple_(table.base_asset, table.direction, table.wave_start_ms).in_(sorted(by_wave)))
        .order_by(*_KEY)
        .with_for_update()
    )
    changes = []
    rows = connection.execute(query).all()
    said = _Said([row._asdict() for row in rows], says_less)
    for row in (row for row in rows if said.refusal(row._asdict()) is None):
        spans, expires_at = row.confirmed, None
        for confirmation in by_wave[row.base_asset, row.direction, row.wave_start_ms]:
            state = (
                confirmation.strength,
                confirmation.aligned,
                confirmation.news_key,
                confirmation.judge,
            )
            if (row.strength, row.aligned, row.news_key, row.judge) == state:
                longer = prolonged(spans, row.close_ms, confirmation.close_ms)
                if longer is not None:
                    spans, expires_at = longer, confirmation.expires_at
        if expires_at is not None:
            key = {f"key_{column.name}": getattr(row, column.name) for column in _KEY}
            changes.append(key | {"new_expires_at": expires_at, "new_confirmed": spans})
    return changes


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in _KEY)
