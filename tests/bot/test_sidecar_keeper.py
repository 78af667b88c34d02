"""Heartbeats and the sidecar's start wait for nobody, and nobody waits for them."""

import threading
import time
from pathlib import Path

import pytest

from liq_provider.bot import sidecar_keeper as module
from liq_provider.bot.sidecar_keeper import Place, SidecarWatch
from liq_provider.sidecar.sidecar_files import SidecarFiles
from tests.store import faults


def until(true: object, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_bot_beats_once_for_each_loop_and_not_when_it_stands_still(tmp_path: Path) -> None:
    files = SidecarFiles(tmp_path / "store.sqlite")
    watch = SidecarWatch(lambda: (files, None))
    watch.ask({"name": "one"})
    until(files.bots)
    assert files.bots() == [{"name": "one"}]
    files.heartbeat().unlink()
    time.sleep(1.5)
    assert files.bots() == [], "no loop, no beat"
    watch.ask({"name": "two"})
    until(files.bots)
    assert files.bots() == [{"name": "two"}]
    watch.end()


def test_a_mount_that_hangs_is_said_once_and_beats_go_on_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_SAID_AFTER_S", 1.0)
    files = SidecarFiles(tmp_path / "mount" / "store.sqlite")
    files.prefix.parent.mkdir()
    watch = SidecarWatch(lambda: (files, None))
    with faults.hung(files.prefix.parent):
        begun_s = time.monotonic()
        while time.monotonic() - begun_s < 2.5:
            before_s = time.perf_counter()
            watch.ask({"name": "one"})
            assert time.perf_counter() - before_s < 1
            time.sleep(0.05)
        assert files.last_beat_s() is None
    assert caplog.text.count("the bot's heartbeat and restarts of the sidecar wait") == 1
    watch.ask({"name": "one"})
    until(files.bots)
    watch.end()


def test_finding_the_files_may_hang_as_well() -> None:
    frees = threading.Event()

    def find() -> Place:
        frees.wait(30)
        raise OSError("it is gone")

    watch = SidecarWatch(find)
    before_s = time.perf_counter()
    for _ in range(100):
        watch.ask({})
    assert time.perf_counter() - before_s < 2
    watch.end()
    frees.set()
