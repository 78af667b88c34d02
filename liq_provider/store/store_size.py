"""What an SQLite store takes on its disk when it is migrated, and giving back the rest of it."""

import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine

from liq_provider.errors import StoreUnusable

logger = logging.getLogger(__name__)

# Of its own size, measured: the new tables and the log of the transaction.
_ROOM = 1.5

# Less than this share of free pages is not worth writing everything again.
_FREE = 0.25


def refuse_without_room(engine: Engine, revision: str) -> None:
    """
    A disk that fills up undoes a migration, but it may take a while, and others write there, too.

    :raises StoreUnusable: the disk has not the room that it takes
    """
    path = _file_of(engine)
    if path is None:
        return
    needed, free = round(path.stat().st_size * _ROOM), shutil.disk_usage(path.parent).free
    if free < needed:
        raise StoreUnusable(
            f"Bringing the store to schema {revision} takes {_words(needed)} on the disk of "
            f"liq_provider.store while it works, of which {_words(free)} are free: free space there"
        )


def give_back(engine: Engine) -> None:
    """After a migration that left much of a file empty: make it as small as its content."""
    path = _file_of(engine)
    if path is None:
        return
    before = path.stat().st_size
    try:
        with closing(engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            ((pages,),) = cursor.execute("PRAGMA page_count").fetchall()
            ((empty,),) = cursor.execute("PRAGMA freelist_count").fetchall()
            if empty < pages * _FREE or shutil.disk_usage(path.parent).free < before * 2:
                return
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error as error:
        # It serves as well as it is; what is empty is used for what comes.
        logger.warning("The store keeps its size of %s: %s", _words(before), error)
    else:
        logger.info(
            "The store takes %s now, before %s", _words(path.stat().st_size), _words(before)
        )


def _file_of(engine: Engine) -> Path | None:
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return None
    path = Path(engine.url.database)
    return path if path.is_file() else None


def _words(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
