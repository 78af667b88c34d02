"""Opening a store, and opening it again when it is another one."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from liq_provider.errors import StoreBusy, StoreTooNew, StoreUnusable, UsageError
from liq_provider.store.database import open_engine
from liq_provider.store.opening import Opening
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.store.helpers import T0, incoming


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    writer = Writer(open_engine(f"sqlite:///{path}", busy_timeout_s=0.05), at_once=False)
    yield writer
    writer.close()


@pytest.fixture
def opening(path: Path, writer: Writer) -> Opening:
    return Opening(writer, f"sqlite:///{path}")


def count(path: Path) -> int:
    reader = Reader(f"sqlite:///{path}")
    return reader.count("liquidations")


def test_nothing_is_written_before_it_is_open(path: Path, writer: Writer) -> None:
    with pytest.raises(StoreUnusable, match="not open"):
        writer.append([incoming()])
    assert not path.exists()


def test_the_first_store_is_not_another_one(path: Path, writer: Writer, opening: Opening) -> None:
    assert opening.is_due()
    assert not opening.ensure()
    assert not opening.ensure()
    assert not opening.is_due()
    writer.append([incoming()])
    assert count(path) == 1


def test_one_that_is_locked_is_opened_later(path: Path, writer: Writer, opening: Opening) -> None:
    Writer(open_engine(f"sqlite:///{path}")).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            opening.ensure()
        assert (opening.refusal, writer.opened) == (None, False)
        other.execute("ROLLBACK")
    assert not opening.ensure()
    assert writer.opened


def test_one_of_another_version_is_refused_only_at_the_start(
    path: Path, writer: Writer, opening: Opening
) -> None:
    Writer(open_engine(f"sqlite:///{path}")).close()
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("UPDATE alembic_version SET version_num = '9999'")
        plain.commit()
    with pytest.raises(StoreUnusable, match="9999"):
        opening.ensure()
    assert isinstance(opening.refusal, StoreTooNew)
    path.unlink()
    opening.ensure()
    newer = path.with_name("newer")
    Writer(open_engine(f"sqlite:///{newer}")).close()
    with closing(sqlite3.connect(newer)) as plain:
        plain.execute("UPDATE alembic_version SET version_num = '9999'")
        plain.commit()
    newer.replace(path)
    with pytest.raises(StoreUnusable, match="9999"):
        opening.ensure()
    assert opening.refusal is None, "what comes waits on disk for somebody to put it right"


def test_minutes_of_another_min_event_usd_are_refused_at_the_start(path: Path) -> None:
    other = Writer(open_engine(f"sqlite:///{path}"))
    other.append([incoming()])
    other.close()
    url = f"sqlite:///{path}"
    writer = Writer(open_engine(url), min_event_usd=5.0, at_once=False)
    opening = Opening(writer, url)
    with pytest.raises(StoreUnusable, match="rebuild"):
        opening.ensure()
    writer.close()
    assert isinstance(opening.refusal, UsageError)


def test_a_removed_file_is_another_store(path: Path, writer: Writer, opening: Opening) -> None:
    opening.ensure()
    writer.append([incoming()])
    path.unlink()
    assert opening.ensure()
    assert count(path) == 0
    assert writer.append([incoming()]).inserted == 1
    assert not opening.ensure()


def test_the_old_files_log_is_not_read_into_a_backup(
    path: Path, writer: Writer, opening: Opening
) -> None:
    opening.ensure()
    writer.append([incoming(T0 + n) for n in range(3)])
    backup = path.with_name("backup")
    with closing(sqlite3.connect(path)) as plain, closing(sqlite3.connect(backup)) as copy:
        plain.backup(copy)
        copy.execute("PRAGMA journal_mode=WAL")
        copy.execute("INSERT INTO state VALUES ('mark', '1', 0)")
        copy.commit()
        copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    writer.append([incoming(T0 + 10 + n) for n in range(500)])
    backup.replace(path)
    # A bot looks before it is noticed; it closes last, and must not write for that.
    reader = Reader(f"sqlite:///{path}")
    for _ in range(3):
        try:
            reader.count("liquidations")
        except StoreUnusable:
            pass
    assert opening.ensure()
    assert count(path) == 3
    assert reader.states(["mark"]) == {"mark": 1}
    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_log_that_came_with_the_backup_stays(
    path: Path, writer: Writer, opening: Opening
) -> None:
    opening.ensure()
    other = path.with_name("other")
    theirs = Writer(open_engine(f"sqlite:///{other}"))
    theirs.append([incoming(T0 + n) for n in range(4)])
    assert other.with_name("other-wal").stat().st_size > 0
    for ending in ("", "-wal", "-shm"):
        shutil.copy(f"{other}{ending}", path.with_name(f"new{ending}"))
    theirs.close()
    for ending in ("-wal", "-shm", ""):
        path.with_name(f"new{ending}").replace(f"{path}{ending}")
    assert opening.ensure()
    assert count(path) == 4


def test_a_database_that_was_made_anew_is_another_store(postgres_url: str) -> None:
    writer = Writer(open_engine(postgres_url), at_once=False)
    opening = Opening(writer, postgres_url)
    assert not opening.ensure()
    with writer.engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    with pytest.raises(StoreUnusable):
        writer.append([incoming()])
    opening.doubt()
    assert opening.ensure()
    assert writer.append([incoming()]).inserted == 1
    writer.close()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[tuple[Path, Writer, Opening]]:
    """A store in a directory that can be moved away, open and with one order."""
    directory = tmp_path / "there"
    url = f"sqlite:///{directory / 'store.sqlite'}"
    writer = Writer(open_engine(url, busy_timeout_s=0.05), at_once=False)
    opening = Opening(writer, url)
    opening.ensure()
    writer.append([incoming()])
    yield directory, writer, opening
    writer.close()


def test_a_directory_that_is_away_is_waited_for_and_not_made_anew(
    there: tuple[Path, Writer, Opening], tmp_path: Path
) -> None:
    directory, writer, opening = there
    directory.rename(tmp_path / "away")
    for _ in range(2):
        with pytest.raises(StoreUnusable, match="there is away"):
            opening.ensure()
    assert not directory.exists()
    (tmp_path / "away").rename(directory)
    assert not opening.ensure(), "it is the same store"
    writer.append([incoming(T0 + 1)])
    assert count(directory / "store.sqlite") == 2


def test_another_store_that_comes_after_a_while_is_noticed(
    there: tuple[Path, Writer, Opening], tmp_path: Path
) -> None:
    directory, _writer, opening = there
    directory.rename(tmp_path / "away")
    with pytest.raises(StoreUnusable):
        opening.ensure()
    directory.mkdir()
    Writer(open_engine(f"sqlite:///{directory / 'store.sqlite'}")).close()
    assert opening.ensure()
