"""What lies neighbours the store, on a disk that may hang."""

import asyncio
import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from liq_provider.sidecar.neighbours import Neighbours
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.sidecar.sidecar_lock import SidecarLock


async def test_bots_and_whether_we_are_alone_are_told(tmp_path: Path) -> None:
    files = SidecarFiles(tmp_path / "store.sqlite")
    files.beat({"name": "a bot"})
    with SidecarLock(files).held():
        neighbours = Neighbours(files)
        assert (neighbours.bots, neighbours.alone) == ([], True)
        await neighbours.look(10)
        assert neighbours.bots == [{"name": "a bot"}]
        assert neighbours.idle_s < 60
        files.lock.unlink()
        with SidecarLock(SidecarFiles(files.prefix)).held():
            await neighbours.look(10)
            assert not neighbours.alone
        neighbours.close()


async def test_a_disk_that_hangs_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, go = SidecarFiles(tmp_path / "store.sqlite"), threading.Event()
    neighbours = Neighbours(files)

    def hang(_self: SidecarFiles) -> list[dict[str, Any]]:
        assert go.wait(30)
        return [{"name": "late"}]

    monkeypatch.setattr(SidecarFiles, "bots", hang)
    async with asyncio.timeout(10):
        for _ in range(3):
            await neighbours.look(0.05)
    assert (neighbours.bots, neighbours.alone) == ([], True)
    go.set()
    await neighbours.look(10)
    assert neighbours.bots == [{"name": "late"}]
    neighbours.close()


async def test_a_heartbeat_that_cannot_be_removed_ends_nothing(tmp_path: Path) -> None:
    files = SidecarFiles(tmp_path / "store.sqlite")
    files.beat({"name": "a bot"})
    stubborn = files.heartbeat(4711)
    stubborn.mkdir()
    os.utime(stubborn, (0, 0))
    neighbours = Neighbours(files)
    await neighbours.look(10)
    assert neighbours.bots == [{"name": "a bot"}]
    assert neighbours.idle_s < 60
    neighbours.close()


async def test_what_was_told_stands_while_the_directory_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_self: SidecarFiles) -> float:
        raise OSError("Stale file handle")

    files = SidecarFiles(tmp_path / "store.sqlite")
    files.beat({"name": "a bot"})
    with SidecarLock(files).held():
        neighbours = Neighbours(files)
        await neighbours.look(10)
        monkeypatch.setattr(SidecarFiles, "last_beat_s", fail)
        await neighbours.look(10)
        assert (neighbours.bots, neighbours.alone) == ([{"name": "a bot"}], True)
        files.lock.unlink()
        with SidecarLock(SidecarFiles(files.prefix)).held():
            await neighbours.look(10)
            assert not neighbours.alone, "that is looked at all the same"
        neighbours.close()


async def test_another_sidecar_or_no_bot_for_long_are_reasons_to_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    files = SidecarFiles(tmp_path / "store.sqlite")
    with SidecarLock(files).held():
        patient, hasty = Neighbours(files), Neighbours(files, idle_exit_min=0.0)
        assert (patient.is_time_to_end(), hasty.is_time_to_end()) == (False, True)
        assert "No bot for 0 minutes; ending" in caplog.text
        files.lock.unlink()
        with SidecarLock(SidecarFiles(files.prefix)).held():
            await patient.look(10)
            assert patient.is_time_to_end()
            assert "Another sidecar serves this store now; ending" in caplog.text
        patient.close()
        hasty.close()
