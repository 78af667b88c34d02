"""A real sidecar whose store is locked, damaged, away, removed, replaced, or on a full disk."""

import hashlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from liq_provider.core.markets import Market
from liq_provider.launch.ports import free_port
from liq_provider.sidecar.sidecar_lock import SidecarLock
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.recorder import is_whole, recorder
from tests.sidecars import until
from tests.store import postgres


def make_store(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    Writer(open_engine(f"sqlite:///{path}")).close()


def store_of(base_dir: Path) -> Path:
    return base_dir / "user_data" / "store.sqlite"


# -- at the start


async def test_a_store_that_is_locked_at_the_start_costs_nothing(tmp_path: Path) -> None:
    path = store_of(tmp_path)
    make_store(path)
    async with recorder(tmp_path) as sidecar:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            await sidecar.start()
            sidecar.send(10)
            await sidecar.on_disk(20)
            await sidecar.said("locked by another process. Liquidations wait on disk.")
            other.execute("ROLLBACK")
        await sidecar.all_stored()
        await sidecar.said("takes liquidations again")
        assert await sidecar.end() == 0


async def test_a_store_that_is_damaged_at_the_start_is_left_alone_and_costs_nothing(
    tmp_path: Path,
) -> None:
    path = store_of(tmp_path)
    make_store(path)
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    async with recorder(tmp_path) as sidecar:
        await sidecar.start()
        sidecar.send(10)
        await sidecar.on_disk(20)
        await sidecar.said("the file is damaged; move it away")
        told = await sidecar.status()
        assert told.returncode == 2
        assert "damaged" in told.stderr
        assert "A sidecar is running; 20 liquidations wait in" in told.stderr
        # As it says.
        moved = path.replace(path.with_name("damaged"))
        assert hashlib.sha256(moved.read_bytes()).digest() == hashlib.sha256(data).digest()
        await sidecar.all_stored()
        assert await sidecar.end() == 0
    assert is_whole(path)


async def test_a_server_that_is_away_at_the_start_costs_nothing(tmp_path: Path) -> None:
    postgres.binaries()
    port = free_port()
    async with recorder(tmp_path, f"postgresql+psycopg://liq@127.0.0.1:{port}/postgres") as sidecar:
        await sidecar.start()
        sidecar.send(10)
        await sidecar.on_disk(20)
        with postgres.server(port):
            await sidecar.all_stored()
            sidecar.send(5)
            await sidecar.all_stored()
            assert await sidecar.end() == 0


def _too_new(path: Path) -> None:
    make_store(path)
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("UPDATE alembic_version SET version_num = '9999'")
        plain.commit()


def _another_programs(path: Path) -> None:
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("CREATE TABLE trades (id INTEGER)")
        plain.commit()


def _no_database(path: Path) -> None:
    path.write_bytes(b"this is a text file, and long enough to be looked at\n" * 100)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_too_new, "knows up to"),
        (_another_programs, "another program's database"),
        (_no_database, "not a database"),
    ],
    ids=["newer", "another program's", "no database"],
)
async def test_what_is_not_this_sidecars_store_ends_the_start(
    tmp_path: Path, make: object, words: str
) -> None:
    path = store_of(tmp_path)
    path.parent.mkdir()
    assert callable(make)
    make(path)
    before = path.read_bytes()
    async with recorder(tmp_path) as sidecar:
        sidecar.process.start()
        await until(lambda: not sidecar.process.alive, "it has ended", 60)
        assert await sidecar.process.end(0) == 2
        assert words in sidecar.log
        assert "Traceback" not in sidecar.log
    assert path.read_bytes() == before


# -- while it runs


def markets_in(path: Path) -> list[Market]:
    with closing(Reader(f"sqlite:///{path}")) as reader:
        return reader.markets("bybit")


async def test_a_file_that_is_removed_is_noticed_and_what_came_lately_is_kept(
    tmp_path: Path,
) -> None:
    path = store_of(tmp_path)
    async with recorder(tmp_path) as sidecar:
        await sidecar.start()
        sidecar.send(10)
        await sidecar.all_stored()
        for name in path.parent.glob("store.sqlite*"):
            name.unlink()  # lock and process id included
        sidecar.send(5)
        await sidecar.said("removed or replaced while it was open")
        await sidecar.all_stored()
        await until(lambda: markets_in(path), "the new store has the market lists", 30)
        await until(SidecarLock(sidecar.files).running, "it holds the lock again")
        assert await sidecar.end() == 0
    assert is_whole(path)


async def test_a_backup_that_is_put_in_its_place_is_served_and_stays_whole(
    tmp_path: Path,
) -> None:
    path = store_of(tmp_path)
    backup = tmp_path / "backup"
    async with recorder(tmp_path) as sidecar:
        await sidecar.start()
        sidecar.send(10)
        await sidecar.all_stored()
        with closing(sqlite3.connect(path)) as plain, closing(sqlite3.connect(backup)) as copy:
            plain.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        sidecar.send(20)
        await sidecar.all_stored()
        # The log of the old file stays beside the new one, full of pages of another store.
        assert path.with_name("store.sqlite-wal").stat().st_size > 0
        backup.replace(path)
        sidecar.send(5)
        await sidecar.said("removed or replaced while it was open")
        await sidecar.all_stored()
        assert await sidecar.end() == 0
    assert is_whole(path)


async def test_a_store_that_is_moved_away_and_back_keeps_what_it_held(tmp_path: Path) -> None:
    path = store_of(tmp_path)
    async with recorder(tmp_path) as sidecar:
        await sidecar.start()
        sidecar.send(10)
        await sidecar.all_stored()
        assert await sidecar.end() == 0
        shutil.copy(path, tmp_path / "kept")
        path.unlink()
        await sidecar.start()
        sidecar.send(5)
        await sidecar.all_stored(before=20)
        (tmp_path / "kept").replace(path)
        await sidecar.all_stored()
        assert await sidecar.end() == 0
    assert is_whole(path)


# -- a full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "user_data"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=20m", "none", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root may mount a disk of 20 MB")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> Path:
    """:return: the file that takes all that was free"""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096) == 4096:
            pass
    return filler


async def test_a_disk_that_is_full_at_the_start_costs_nothing(
    small_disk: Path, tmp_path: Path
) -> None:
    filler = fill(small_disk)
    async with recorder(tmp_path) as sidecar:
        await sidecar.start()
        sidecar.send(10)
        await sidecar.said("Liquidations wait on disk")
        await sidecar.said("cannot be written")
        filler.unlink()
        await sidecar.all_stored()
        assert await sidecar.end() == 0


async def test_on_a_full_disk_memory_keeps_everything_until_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    async with recorder(tmp_path) as sidecar:
        await sidecar.start()
        sidecar.send(10)
        await sidecar.all_stored()
        filler = fill(small_disk)
        for _ in range(4):
            sidecar.send(20)
            await sidecar.said("Liquidations wait on disk")
            await sidecar.said("cannot be written")
        await until(lambda: sidecar.stored() < sidecar.sent, "the disk is full")
        assert sidecar.log.count("ERROR") < 8, sidecar.log
        filler.unlink()
        await sidecar.all_stored()
        assert await sidecar.end() == 0
    assert "are lost" not in sidecar.log.replace("0 are lost", "")
