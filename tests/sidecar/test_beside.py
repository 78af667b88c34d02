"""What lies beside the store, on a disk that may hang."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from liq_provider.sidecar.beside import Beside
from liq_provider.sidecar.files import RuntimeFiles


async def test_bots_and_whether_we_are_alone_are_told(tmp_path: Path) -> None:
    files = RuntimeFiles(tmp_path / "store.sqlite")
    files.beat({"name": "a bot"})
    with files.held():
        beside = Beside(files)
        assert (beside.bots, beside.alone) == ([], True)
        await beside.look(10)
        assert beside.bots == [{"name": "a bot"}]
        assert beside.idle_s < 60
        files.lock.unlink()
        with RuntimeFiles(files.prefix).held():
            await beside.look(10)
            assert not beside.alone
        beside.close()


async def test_a_disk_that_hangs_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, go = RuntimeFiles(tmp_path / "store.sqlite"), threading.Event()
    beside = Beside(files)

    def hang(_self: RuntimeFiles) -> list[dict[str, Any]]:
        assert go.wait(30)
        return [{"name": "late"}]

    monkeypatch.setattr(RuntimeFiles, "bots", hang)
    async with asyncio.timeout(10):
        for _ in range(3):
            await beside.look(0.05)
    assert (beside.bots, beside.alone) == ([], True)
    go.set()
    await beside.look(10)
    assert beside.bots == [{"name": "late"}]
    beside.close()


async def test_a_heartbeat_that_cannot_be_removed_ends_nothing(tmp_path: Path) -> None:
    files = RuntimeFiles(tmp_path / "store.sqlite")
    files.beat({"name": "a bot"})
    stubborn = files.heartbeat(4711)
    stubborn.mkdir()
    os.utime(stubborn, (0, 0))
    beside = Beside(files)
    await beside.look(10)
    assert beside.bots == [{"name": "a bot"}]
    assert beside.idle_s < 60
    beside.close()


async def test_what_was_told_stands_while_the_directory_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_self: RuntimeFiles) -> float:
        raise OSError("Stale file handle")

    files = RuntimeFiles(tmp_path / "store.sqlite")
    files.beat({"name": "a bot"})
    with files.held():
        beside = Beside(files)
        await beside.look(10)
        monkeypatch.setattr(RuntimeFiles, "last_beat_s", fail)
        await beside.look(10)
        assert (beside.bots, beside.alone) == ([{"name": "a bot"}], True)
        files.lock.unlink()
        with RuntimeFiles(files.prefix).held():
            await beside.look(10)
            assert not beside.alone, "that is looked at all the same"
        beside.close()
