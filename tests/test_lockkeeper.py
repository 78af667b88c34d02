"""The lock of the one sidecar of a store, also after somebody removed its file."""

from pathlib import Path

import pytest

from liq_provider.lockkeeper import LockKeeper
from liq_provider.runtime import RuntimeFiles


@pytest.fixture
def files(tmp_path: Path) -> RuntimeFiles:
    return RuntimeFiles(tmp_path / "store.sqlite")


def test_a_lock_that_is_there_stays_as_it_is(files: RuntimeFiles) -> None:
    with files.held():
        keeper = LockKeeper(files)
        before = files.lock.stat().st_ino
        assert keeper.keep()
        assert files.lock.stat().st_ino == before


def test_a_lock_whose_file_was_removed_is_taken_again(
    files: RuntimeFiles, caplog: pytest.LogCaptureFixture
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


def test_another_sidecar_that_took_the_lock_meanwhile_is_noticed(files: RuntimeFiles) -> None:
    with files.held():
        keeper = LockKeeper(files)
        files.lock.unlink()
        with RuntimeFiles(files.prefix).held() as first:
            assert first
            assert not keeper.keep()


def test_who_holds_no_lock_has_none_to_keep(files: RuntimeFiles) -> None:
    keeper = LockKeeper(files)
    assert keeper.keep()
    assert not files.lock.exists()
