"""Opening a store: connection settings, migrations, and errors in LiqTrend's own words."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from liq_provider.errors import StoreBusy, StoreError, StoreTooNew, StoreUnusable
from liq_provider.store.schema import KNOWN_REVISIONS, REVISION

_BUSY_TIMEOUT_S = 5.0
_BUSY_WORDS = ("database is locked", "database table is locked", "lock timeout", "deadlock")


def open_engine(url: str, *, read_only: bool = False) -> Engine:
    """
    An engine with the settings LiqTrend relies on; nothing is connected yet.

    :param url: absolute SQLAlchemy URL (see ``settings.resolve_store``)
    :param read_only: open SQLite without the right to write or to create the file
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed, read_only)
    return create_engine(
        parsed,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 5, "options": "-c lock_timeout=5000"},
    )


def _sqlite_engine(url: URL, read_only: bool) -> Engine:
    path = Path(url.database or "")

    def connect() -> sqlite3.Connection:
        # A reader must be able to create WAL's shared memory file, so it opens for writing
        # and then forbids itself to write.
        mode = "rw" if read_only else "rwc"
        return sqlite3.connect(
            f"{path.as_uri()}?mode={mode}",
            uri=True,
            timeout=_BUSY_TIMEOUT_S,
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
        cursor.close()

    return engine


@contextmanager
def store_errors(what: str) -> Iterator[None]:
    """
    Turn database errors into ``StoreBusy`` and ``StoreUnusable``.

    :param what: what was tried, for the message
    """
    try:
        yield
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        if any(word in reason.lower() for word in _BUSY_WORDS):
            raise StoreBusy(f"{what}: the store is locked by another process") from error
        raise StoreUnusable(f"{what}: {reason}{_remedy(reason.lower())}") from error
    except SQLAlchemyError as error:
        raise StoreError(f"{what}: {error}") from error


def _remedy(reason: str) -> str:
    if "full" in reason:
        return "; free space on the disk of liq_provider.store"
    if "readonly" in reason or "unable to open" in reason or "permission" in reason:
        return "; check that the directory of liq_provider.store exists and is writable"
    if "malformed" in reason or "not a database" in reason:
        return "; the file is damaged or no LiqTrend store; move it away and import again"
    return ""


def revision_of(engine: Engine) -> str | None:
    """:return: the schema's revision, None if this is no store yet"""
    with store_errors("Reading the store's version"), engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return None if found is None else str(found)


def check_revision(engine: Engine, *, must_be_current: bool) -> str | None:
    """
    Refuse a store that this program does not understand, without touching it.

    :param must_be_current: also refuse an older one, as readers do
    :return: the store's revision, None if there is no store yet
    :raises StoreTooNew: written by a newer LiqTrend
    """
    found = revision_of(engine)
    if found is not None and found not in KNOWN_REVISIONS:
        raise StoreTooNew(
            f"The store has schema {found}, this LiqTrend knows up to {REVISION}: "
            "install the newer LiqTrend again, or point liq_provider.store to another file"
        )
    if must_be_current and found != REVISION:
        raise StoreUnusable("The store is not set up yet; start the sidecar (liq-provider run)")
    return found


def migrate(engine: Engine) -> None:
    """
    Create the schema or bring it up to date.

    :raises StoreTooNew: and leaves the store as it is
    """
    if engine.dialect.name == "sqlite":
        Path(engine.url.database or "").parent.mkdir(parents=True, exist_ok=True)
    if check_revision(engine, must_be_current=False) == REVISION:
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with store_errors("Setting up the store"), engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
