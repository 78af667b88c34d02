"""Faults that do what they say, and end."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from chaos import faults
from chaos.postgres import NoServer, Server
from chaos.schedule import Fault

pytestmark = pytest.mark.processes


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "disk"
    if not faults.mount_disk(directory):
        pytest.skip("no tmpfs can be mounted here")
    yield directory
    faults.unmount_disk(directory)
    assert not faults.is_own_disk(directory)


def world(**parts: Any) -> Any:
    return SimpleNamespace(**parts)


def test_a_full_disk_takes_nothing_and_has_room_again_after(disk: Path) -> None:
    file = disk / "store"
    undo = faults.full_disk(world(disks={"a": disk}), Fault(0, "full_disk", "a", 1))
    with pytest.raises(OSError, match="No space"):
        file.write_bytes(bytes(16_384))
    undo()
    assert file.write_bytes(bytes(16_384)) == 16_384


def test_no_disk_but_a_small_one_of_its_own_is_filled(tmp_path: Path) -> None:
    with pytest.raises(faults.NotPossible):
        faults.full_disk(world(disks={"a": tmp_path}), Fault(0, "full_disk", "a", 1))
    assert list(tmp_path.iterdir()) == []


def test_a_locked_file_cannot_be_written_and_can_be_after(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with closing(sqlite3.connect(path, timeout=0.1, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (x)")
        here = world(server=None, store_url=f"sqlite:///{path}")
        undo = faults.lock_store(here, Fault(0, "lock_store", "store", 1))
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            connection.execute("INSERT INTO t VALUES (1)")
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
        undo()
        connection.execute("INSERT INTO t VALUES (1)")


def test_a_server_hangs_goes_on_dies_and_comes_back() -> None:
    try:
        server = Server()
    except NoServer as why:
        pytest.skip(str(why))
    here, plain = world(server=server), server.url.replace("+psycopg", "")

    def one(timeout_s: int) -> Any:
        with psycopg.connect(plain, connect_timeout=timeout_s) as connection:
            return connection.execute("SELECT 1").fetchone()

    try:
        assert one(20) == (1,)
        undo = faults.hang_server(here, Fault(0, "hang_server", "store", 1))
        begin_s = time.monotonic()
        with pytest.raises(psycopg.OperationalError):
            one(2)  # psycopg's least
        assert time.monotonic() - begin_s > 1, "it was no refusal"
        undo()
        assert one(20) == (1,)
        undo = faults.kill_server(here, Fault(0, "kill_server", "store", 1))
        with pytest.raises(psycopg.OperationalError):
            one(20)
        undo()
        assert one(20) == (1,)
    finally:
        server.close()
