"""
The sidecars of a store, as they know of one another, and whom somebody asked to end.

A request names the run that it is for, so a sidecar that starts later has nothing to do with it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, select

from liq_provider.core.clock import machine_ms
from liq_provider.core.durations import DAY_MS
from liq_provider.store import schema
from liq_provider.store.database import store_errors
from liq_provider.store.statements import read_state, write_state

_RUN = "run:"
_STOP = "stop_asked:"
_OLD_MS = DAY_MS


@dataclass(frozen=True, slots=True)
class Run:
    """
    :param mark: what its process is, as ``ProcessMark`` writes it
    :param seen_ms: when it was last heard of, by its machine's clock
    """

    run: str
    mark: str
    seen_ms: int


def note(engine: Engine, run: str, mark: str) -> bool:
    """
    Say that a sidecar is there.

    :return: whether somebody asked it to end
    """
    with store_errors("Writing that a sidecar is there"), engine.begin() as connection:
        write_state(connection, _RUN + run, mark, machine_ms())
        return read_state(connection, _STOP + run) is not None


def leave(engine: Engine, run: str) -> None:
    """It is not there any more, and neither are those of which nothing was heard for a day."""
    with store_errors("Writing that a sidecar is gone"), engine.begin() as connection:
        old = [each.run for each in _read(connection) if each.seen_ms < machine_ms() - _OLD_MS]
        keys = [prefix + name for name in (run, *old) for prefix in (_RUN, _STOP)]
        connection.execute(delete(schema.state).where(schema.state.c.key.in_(keys)))


def ask(engine: Engine, runs: Iterable[str]) -> None:
    """Ask sidecars to end; each looks whenever it writes that it is there."""
    with store_errors("Asking sidecars to end"), engine.begin() as connection:
        for run in runs:
            write_state(connection, _STOP + run, machine_ms(), machine_ms())


def all_runs(engine: Engine) -> list[Run]:
    """:return: sidecars that did not say that they ended"""
    with store_errors("Looking for sidecars"), engine.connect() as connection:
        return _read(connection)


def _read(connection: Connection) -> list[Run]:
    table = schema.state.c
    query = select(table.key, table.value, table.updated_ms).where(table.key.startswith(_RUN))
    return [
        Run(key.removeprefix(_RUN), str(json.loads(value)), seen_ms)
        for key, value, seen_ms in connection.execute(query)
    ]
