"""One sidecar per store, and who is there."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from liq_provider.errors import StoreUnusable
from liq_provider.sidecar.sidecar_files import SidecarFiles
from tests.sidecars import running_pid

HOLD = """
import sys, time
from pathlib import Path
from liq_provider.sidecar.sidecar_files import SidecarFiles
with SidecarFiles(Path(sys.argv[1])).held() as first:
    print(first, flush=True)
    time.sleep(60)
"""


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


def test_only_one_sidecar_holds_a_store(files: SidecarFiles) -> None:
    assert not files.running()
    with files.held() as first:
        assert first
        assert files.running()
        assert running_pid(files) == os.getpid()
        with files.held() as second:
            assert not second
        assert running_pid(files) == os.getpid()
    assert not files.running()
    assert running_pid(files) is None
    with files.held() as again:
        assert again


@pytest.mark.processes
def test_a_killed_sidecar_leaves_the_store_free(files: SidecarFiles) -> None:
    command = [sys.executable, "-c", HOLD, str(files.prefix)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert running_pid(files) == process.pid
        process.kill()
        process.wait(60)
    assert not files.running()
    assert running_pid(files) is None
    with files.held() as first:
        assert first


def test_looking_whether_it_runs_does_not_keep_a_sidecar_from_starting(
    files: SidecarFiles,
) -> None:
    files.prefix.parent.mkdir()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            files.running()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(10):
            with files.held() as first:
                assert first
    finally:
        ended.set()
        looking.join()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreUnusable, match=r"directory of liq_provider\.store"),
        SidecarFiles(Path("/proc/liqtrend/x")).held(),
    ):
        pass
    assert not SidecarFiles(Path("/proc/liqtrend/x")).running()


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
