"""The lock of the one sidecar of a store, also after somebody removed its file."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from liq_provider.errors import StoreUnusable
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.sidecar.sidecar_lock import SidecarLock
from tests.sidecars import running_pid

HOLD = """
import sys, time
from pathlib import Path
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.sidecar.sidecar_lock import SidecarLock
with SidecarLock(SidecarFiles(Path(sys.argv[1]))).held() as first:
    print(first, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def files(tmp_path: Path) -> SidecarFiles:
    return SidecarFiles(tmp_path / "store.sqlite")


def test_only_one_sidecar_holds_a_store(files: SidecarFiles) -> None:
    assert not SidecarLock(files).running()
    with SidecarLock(files).held() as first:
        assert first
        assert SidecarLock(files).running()
        assert running_pid(files) == os.getpid()
        with SidecarLock(files).held() as second:
            assert not second
        assert running_pid(files) == os.getpid()
    assert not SidecarLock(files).running()
    assert running_pid(files) is None
    with SidecarLock(files).held() as again:
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
    assert not SidecarLock(files).running()
    assert running_pid(files) is None
    with SidecarLock(files).held() as first:
        assert first


def test_looking_whether_it_runs_does_not_keep_a_sidecar_from_starting(
    files: SidecarFiles,
) -> None:
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            SidecarLock(files).running()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(10):
            with SidecarLock(files).held() as first:
                assert first
    finally:
        ended.set()
        looking.join()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreUnusable, match=r"directory of liq_provider\.store"),
        SidecarLock(SidecarFiles(Path("/proc/liqtrend/x"))).held(),
    ):
        pass
    assert not SidecarLock(SidecarFiles(Path("/proc/liqtrend/x"))).running()


def test_a_lock_that_is_there_stays_as_it_is(files: SidecarFiles) -> None:
    with SidecarLock(files).held():
        lock = SidecarLock(files)
        before = files.lock.stat().st_ino
        assert lock.keep()
        assert files.lock.stat().st_ino == before


def test_a_lock_whose_file_was_removed_is_taken_again(
    files: SidecarFiles, caplog: pytest.LogCaptureFixture
) -> None:
    with SidecarLock(files).held():
        lock = SidecarLock(files)
        files.lock.unlink()
        assert not SidecarLock(files).running()
        assert lock.keep()
        assert SidecarLock(files).running()
        assert "held again" in caplog.text
        files.lock.unlink()
        assert lock.keep()
        assert SidecarLock(files).running()


def test_another_sidecar_that_took_the_lock_meanwhile_is_noticed(files: SidecarFiles) -> None:
    with SidecarLock(files).held():
        lock = SidecarLock(files)
        files.lock.unlink()
        with SidecarLock(SidecarFiles(files.prefix)).held() as first:
            assert first
            assert not lock.keep()


def test_who_holds_no_lock_has_none_to_keep(files: SidecarFiles) -> None:
    lock = SidecarLock(files)
    assert lock.keep()
    assert not files.lock.exists()


def test_a_directory_that_is_moved_away_and_back_is_not_anothers(tmp_path: Path) -> None:
    files = SidecarFiles(tmp_path / "there" / "store.sqlite")
    with SidecarLock(files).held():
        lock = SidecarLock(files)
        (tmp_path / "there").rename(tmp_path / "away")
        assert lock.keep()
        assert not (tmp_path / "there").exists(), "what is moved back would land in it"
        (tmp_path / "away").rename(tmp_path / "there")
        assert lock.keep()
        assert SidecarLock(files).running()


def test_a_directory_that_was_another_one_for_a_while_is_still_ours(tmp_path: Path) -> None:
    files = SidecarFiles(tmp_path / "there" / "store.sqlite")
    with SidecarLock(files).held():
        lock = SidecarLock(files)
        (tmp_path / "there").rename(tmp_path / "away")
        (tmp_path / "there").mkdir()
        assert lock.keep()
        assert SidecarLock(files).running()
        (tmp_path / "there").rename(tmp_path / "other")
        (tmp_path / "away").rename(tmp_path / "there")
        assert lock.keep()


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_a_disk_that_does_not_answer_says_nothing_of_another_sidecar(
    files: SidecarFiles, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    stat = Path.stat

    def fail_once(path: Path, **options: Any) -> os.stat_result:
        monkeypatch.setattr(Path, "stat", stat)
        raise OSError(code, "no")

    with SidecarLock(files).held():
        lock = SidecarLock(files)
        monkeypatch.setattr(Path, "stat", fail_once)
        assert lock.keep()
        assert Path.stat is stat, "it was asked"
        assert lock.keep()


def test_a_full_disk_does_not_keep_the_lock_from_being_held_again(
    files: SidecarFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with SidecarLock(files).held():
        lock = SidecarLock(files)
        files.lock.unlink()
        monkeypatch.setattr("liq_provider.core.private_files.replace_text", full)
        assert lock.keep()
        assert SidecarLock(files).running()
