"""The lock of the one sidecar of a store, also after somebody removed its file."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from liq_provider.sidecar.lock_keeper import LockKeeper
from liq_provider.sidecar.sidecar_files import SidecarFiles


@pytest.fixture
def files(tmp_path: Path) -> SidecarFiles:
    return SidecarFiles(tmp_path / "store.sqlite")


def test_a_lock_that_is_there_stays_as_it_is(files: SidecarFiles) -> None:
    with files.held():
        keeper = LockKeeper(files)
        before = files.lock.stat().st_ino
        assert keeper.keep()
        assert files.lock.stat().st_ino == before


def test_a_lock_whose_file_was_removed_is_taken_again(
    files: SidecarFiles, caplog: pytest.LogCaptureFixture
) -> None:
    with files.held():
        keeper = LockKeeper(files)
        files.lock.unlink()
        assert not files.running()
        assert keeper.keep()
        assert files.running()
        assert "held again" in caplog.text
        files.lock.unlink()
        assert keeper.keep()
        assert files.running()


def test_another_sidecar_that_took_the_lock_meanwhile_is_noticed(files: SidecarFiles) -> None:
    with files.held():
        keeper = LockKeeper(files)
        files.lock.unlink()
        with SidecarFiles(files.prefix).held() as first:
            assert first
            assert not keeper.keep()


def test_who_holds_no_lock_has_none_to_keep(files: SidecarFiles) -> None:
    keeper = LockKeeper(files)
    assert keeper.keep()
    assert not files.lock.exists()


def test_a_directory_that_is_moved_away_and_back_is_not_anothers(tmp_path: Path) -> None:
    files = SidecarFiles(tmp_path / "there" / "store.sqlite")
    with files.held():
        keeper = LockKeeper(files)
        (tmp_path / "there").rename(tmp_path / "away")
        assert keeper.keep()
        assert not (tmp_path / "there").exists(), "what is moved back would land in it"
        (tmp_path / "away").rename(tmp_path / "there")
        assert keeper.keep()
        assert files.running()


def test_a_directory_that_was_another_one_for_a_while_is_still_ours(tmp_path: Path) -> None:
    files = SidecarFiles(tmp_path / "there" / "store.sqlite")
    with files.held():
        keeper = LockKeeper(files)
        (tmp_path / "there").rename(tmp_path / "away")
        (tmp_path / "there").mkdir()
        assert keeper.keep()
        assert files.running()
        (tmp_path / "there").rename(tmp_path / "other")
        (tmp_path / "away").rename(tmp_path / "there")
        assert keeper.keep()


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_a_disk_that_does_not_answer_says_nothing_of_another_sidecar(
    files: SidecarFiles, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    stat = Path.stat

    def fail_once(path: Path, **options: Any) -> os.stat_result:
        monkeypatch.setattr(Path, "stat", stat)
        raise OSError(code, "no")

    with files.held():
        keeper = LockKeeper(files)
        monkeypatch.setattr(Path, "stat", fail_once)
        assert keeper.keep()
        assert Path.stat is stat, "it was asked"
        assert keeper.keep()


def test_a_full_disk_does_not_keep_the_lock_from_being_held_again(
    files: SidecarFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with files.held():
        keeper = LockKeeper(files)
        files.lock.unlink()
        monkeypatch.setattr("liq_provider.core.private_files.replace_text", full)
        assert keeper.keep()
        assert files.running()
