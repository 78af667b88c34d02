"""Where a sidecar's files lie, and which bots are there."""

import os
import time
from pathlib import Path

import pytest

from liq_provider.sidecar.sidecar_files import SidecarFiles


@pytest.fixture
def files(tmp_path: Path) -> SidecarFiles:
    return SidecarFiles(tmp_path / "user_data" / "store.sqlite")


def test_files_lie_beside_an_sqlite_store_and_in_user_data_for_a_server(tmp_path: Path) -> None:
    assert SidecarFiles.of("sqlite:////data/x.sqlite", tmp_path).spool == Path(
        "/data/x.sqlite.spool"
    )
    served = SidecarFiles.of("postgresql+psycopg://db.local/liq", tmp_path)
    assert served.lock.parent == tmp_path / "user_data"
    assert "db.local-liq" in served.lock.name


def test_the_newest_heartbeat_counts_and_old_ones_are_removed(files: SidecarFiles) -> None:
    assert files.last_beat_s() is None
    files.beat()
    old, ancient = files.heartbeat(1), files.heartbeat(2)
    now = time.time()
    for path, age in ((old, 100), (ancient, 100_000)):
        path.touch()
        os.utime(path, (now - age, now - age))
    assert (files.last_beat_s() or 0) < 5
    assert old.exists()
    assert not ancient.exists()


def test_bots_tell_about_themselves_while_they_are_there(files: SidecarFiles) -> None:
    assert files.bots() == []
    files.beat({"dry_run": True, "parameters": {"z_threshold": 3.5}})
    files.beat({"dry_run": True, "parameters": {"z_threshold": 4.0}})
    gone, broken, older = (files.heartbeat(number) for number in (1, 2, 3))
    gone.write_text('{"dry_run": false}')
    os.utime(gone, (time.time() - 100, time.time() - 100))
    broken.write_text("[1")
    older.touch()  # of a version that told nothing
    told = {"dry_run": True, "parameters": {"z_threshold": 4.0}}
    assert sorted(files.bots(), key=len) == [{}, told]
    before = files.heartbeat().stat().st_ino
    files.beat(told)
    assert files.heartbeat().stat().st_ino == before, "nothing new is not written again"
    assert not list(files.prefix.parent.glob("*.beat-*"))
