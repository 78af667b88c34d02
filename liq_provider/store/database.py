"""Opening a store: connection settings, migrations, and errors in LiqTrend's own words."""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from liq_provider.core import private_files
from liq_provider.errors import (
    NoStore,
    StoreBusy,
    StoreError,
    StoreRefused,
    StoreTooNew,
    StoreUnusable,
)
from liq_provider.store import store_size
from liq_provider.store.schema import KNOWN_REVISIONS, REVISION

logger = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 5.0

# Two sidecars may set up one PostgreSQL database at the same time.
_MIGRATION_LOCK = 0x4C69_7154

_LOG_BYTES = 64 * 1024 * 1024

_CHECK_DIRECTORY = "check that the directory of liq_provider.store exists and is writable"
_SQLITE_REMEDIES = {
    sqlite3.SQLITE_FULL: "free space on the disk of liq_provider.store",
    sqlite3.SQLITE_READONLY: _CHECK_DIRECTORY,
    sqlite3.SQLITE_CANTOPEN: _CHECK_DIRECTORY,
    sqlite3.SQLITE_PERM: _CHECK_DIRECTORY,
    sqlite3.SQLITE_CORRUPT: "the file is damaged; move it away and import again",
    sqlite3.SQLITE_NOTADB: "the file is no LiqTrend store; point liq_provider.store elsewhere",
}
_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}

# lock_not_available, deadlock_detected, serialization_failure
_POSTGRES_BUSY = {"55P03", "40P01", "40001"}
# data_exception, integrity_constraint_violation
_POSTGRES_REFUSED = {"22", "23"}

# A connection whose other end vanished is given up after some twenty seconds. A server that is
# stopped still acknowledges all this; ``hangup`` is for that.
_POSTGRES_CONNECTION = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
}


def open_engine(
    url: str, *, read_only: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S
) -> Engine:
    """
    An engine with the settings LiqTrend relies on; nothing is connected yet.

    :param url: absolute SQLAlchemy URL (see ``settings.resolve_store``)
    :param read_only: open SQLite without the right to write or to create the file
    :param busy_timeout_s: how long to wait for somebody else's lock
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed, read_only, busy_timeout_s)
    return create_engine(
        parsed,
        pool_pre_ping=True,
        connect_args={
            **_POSTGRES_CONNECTION,
            "options": f"-c lock_timeout={round(busy_timeout_s * 1000)}",
        },
    )


def _sqlite_engine(url: URL, read_only: bool, busy_timeout_s: float) -> Engine:
    path = Path(url.database or "")

    def connect() -> sqlite3.Connection:
        # Not even a reader that closes last may write: were the file replaced a moment ago, the
        # log that lies beside it is another store's, and would be written into this one.
        mode = "ro" if read_only else "rwc"
        if not read_only:
            with suppress(OSError):  # SQLite says it better
                private_files.make(path)  # what SQLite keeps beside it gets the same permissions
        return sqlite3.connect(
            f"{path.as_uri()}?mode={mode}",
            uri=True,
            timeout=busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )

    engine = create_engine(url, creator=connect, poolclass=NullPool if read_only else None)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        if read_only:
            cursor.execute("PRAGMA query_only=ON")
        else:
            cursor.execute("PRAGMA journal_mode=WAL")
            # A crash of the machine may lose the last commits, never the file.
            cursor.execute("PRAGMA synchronous=NORMAL")
            # Python's SQLite writes zeros over what is deleted; nothing in a store is a secret.
            cursor.execute("PRAGMA secure_delete=OFF")
            # A long transaction's log would stay as long as it was.
            cursor.execute(f"PRAGMA journal_size_limit={_LOG_BYTES}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # sqlite3's own rule begins late and leaves CREATE TABLE outside; what was read at the
        # start of a transaction must still hold when it writes.
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def store_errors(what: str) -> Iterator[None]:
    """
    Turn database errors into ``StoreBusy``, ``StoreRefused`` and ``StoreUnusable``.

    :param what: what was tried, for the message
    """
    try:
        yield
    except DBAPIError as error:
        cause: Any = error.orig
        if _is_busy(cause):
            raise StoreBusy(f"{what}: the store is locked by another process") from error
        reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        if _is_refused(cause):
            raise StoreRefused(f"{what}: {reason}") from error
        code = _sqlite_code(cause)
        remedy = _SQLITE_REMEDIES.get(code)
        kind = NoStore if code == sqlite3.SQLITE_NOTADB else StoreUnusable
        raise kind(f"{what}: {reason}" + (f"; {remedy}" if remedy else "")) from error
    except (OverflowError, UnicodeError) as error:
        # Python's own, before the database sees the value.
        raise StoreRefused(f"{what}: {error}") from error
    except SQLAlchemyError as error:
        raise StoreError(f"{what}: {error}") from error


def _sqlite_code(cause: Any) -> int:
    """The primary result code; the extended ones carry it in their low byte."""
    return int(getattr(cause, "sqlite_errorcode", None) or 0) & 0xFF


def _is_busy(cause: Any) -> bool:
    return _sqlite_code(cause) in _SQLITE_BUSY or getattr(cause, "sqlstate", None) in _POSTGRES_BUSY


def _is_refused(cause: Any) -> bool:
    sqlstate = getattr(cause, "sqlstate", None)
    if sqlstate:
        return sqlstate[:2] in _POSTGRES_REFUSED
    if type(cause).__name__ in ("DataError", "IntegrityError"):
        return True
    # SQLite's module has no kind of its own for a value that it cannot bind.
    return isinstance(cause, sqlite3.Error) and "binding parameter" in str(cause)


def revision_of(engine: Engine) -> str | None:
    """
    :return: the schema's revision, None if this is no store yet
    :raises NoStore: an SQLite file of somebody else
    """
    with store_errors("Reading the store's version"), engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        if "alembic_version" not in tables:
            if tables and engine.dialect.name == "sqlite":
                raise NoStore(
                    f"{engine.url.database} is another program's database; "
                    "point liq_provider.store to a file of its own"
                )
            return None
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return None if revision is None else str(revision)


def check_revision(engine: Engine, *, must_be_current: bool) -> str | None:
    """
    Refuse a store that this program does not understand, without touching it.

    :param must_be_current: also refuse an older one, as readers do
    :return: the store's revision, None if there is no store yet
    :raises StoreTooNew: written by a newer LiqTrend
    """
    revision = revision_of(engine)
    if revision is not None and revision not in KNOWN_REVISIONS:
        raise StoreTooNew(
            f"The store has schema {revision}, this LiqTrend knows up to {REVISION}: "
            "install the newer LiqTrend again, or point liq_provider.store to another file"
        )
    if must_be_current and revision is not None and revision != REVISION:
        raise StoreUnusable(
            f"The store has the older schema {revision}; `liq-provider run`, `import` or `rebuild` "
            f"brings it to {REVISION} and keeps what it holds"
        )
    if must_be_current and revision is None:
        raise StoreUnusable("The store is not set up yet; start the sidecar (liq-provider run)")
    return revision


def migrate(engine: Engine) -> bool:
    """
    Create the schema or bring it up to date.

    :return: True if there was none
    :raises StoreTooNew: and leaves the store as it is
    :raises NoStore: and leaves the file as it is
    :raises StoreUnusable: the directory cannot be written, its disk has not the room, or the store
        is damaged
    """
    revision = _existing_revision(engine)
    if revision == REVISION:
        return False
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    if revision is not None:
        store_size.refuse_without_room(engine, REVISION)
        logger.info("The store has the older schema %s; bringing it to %s", revision, REVISION)
    begun_s = time.monotonic()
    with store_errors("Setting up the store"), engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    if revision is not None:
        logger.info("Brought the store to %s in %.1f s", REVISION, time.monotonic() - begun_s)
        store_size.give_back(engine)
    return revision is None


def _existing_revision(engine: Engine) -> str | None:
    if engine.dialect.name != "sqlite":
        return check_revision(engine, must_be_current=False)
    path = Path(engine.url.database or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.stat().st_size == 0:
            return None
    except OSError as error:
        raise StoreUnusable(f"{path.parent}: {error.strerror}; {_CHECK_DIRECTORY}") from error
    # Opening for writing switches a file to WAL; first see whether it is ours to touch.
    looking = open_engine(engine.url.render_as_string(hide_password=False), read_only=True)
    try:
        return check_revision(looking, must_be_current=False)
    finally:
        looking.dispose()
