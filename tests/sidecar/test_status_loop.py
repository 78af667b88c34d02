"""The status, told to the page every second and to the store now and then."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from liq_provider.core.one_thread import OneThread
from liq_provider.errors import StoreBusy
from liq_provider.sidecar import status_loop
from liq_provider.sidecar.neighbours import Neighbours
from liq_provider.sidecar.page_protocol import Unwatched
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.sidecar.status_loop import StatusLoop
from tests.sidecars import until


class Page(Unwatched):
    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def take_status(self, status: dict[str, Any]) -> None:
        self.told.append(status)


class Presence:
    """What the store makes of it."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self.asked = self.fails = False
        self.go = threading.Event()
        self.go.set()

    def tell(self, _status: dict[str, Any], now_ms: int) -> bool:
        assert self.go.wait(30)
        if self.fails:
            raise StoreBusy("database is locked")
        self.told.append(now_ms)
        return self.asked


class StatusLoopRig:
    def __init__(self, base_dir: Path, idle_exit_min: float | None = None) -> None:
        self.page, self.presence, self.stop = Page(), Presence(), asyncio.Event()
        self.writing = OneThread("store")
        self.files = SidecarFiles(base_dir / "store.sqlite")
        self.neighbours = Neighbours(self.files, idle_exit_min=idle_exit_min)
        self.loop = StatusLoop(
            lambda: {"now_ms": 7, "bots": self.neighbours.bots},
            self.neighbours,
            self.page,
            cast(Any, self.presence),
            self.writing,
            self.stop,
        )

    def close(self) -> None:
        self.writing.shutdown(wait=False)
        self.neighbours.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[StatusLoopRig]:
    made = StatusLoopRig(tmp_path)
    yield made
    made.close()


async def test_page_and_store_are_told_how_it_is_and_who_is_there(
    rig: StatusLoopRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_loop, "_EVERY_S", 0.01)
    rig.files.beat({"name": "a bot"})
    running = asyncio.create_task(rig.loop.run())
    await until(lambda: len(rig.page.told) > 3, "it is told again and again")
    running.cancel()
    assert rig.page.told[-1] == {"now_ms": 7, "bots": [{"name": "a bot"}]}
    await until(lambda: rig.presence.told, "the store is told")
    assert rig.presence.told == [7], "seldom"
    assert not rig.stop.is_set()


async def test_a_store_that_hangs_is_told_only_once_until_it_answers(rig: StatusLoopRig) -> None:
    rig.presence.go.clear()
    first = rig.loop.tell_store()
    await asyncio.sleep(0.01)
    assert rig.loop.tell_store() is first
    rig.presence.go.set()
    await asyncio.wait_for(first, 20)
    again = rig.loop.tell_store()
    assert again is not first
    await asyncio.wait_for(again, 20)
    assert rig.presence.told == [7, 7]


async def test_somebody_asks_it_to_end_through_the_store(rig: StatusLoopRig) -> None:
    rig.presence.asked = True
    await asyncio.wait_for(rig.loop.tell_store(), 20)
    assert rig.stop.is_set()


async def test_a_store_that_fails_ends_nothing(rig: StatusLoopRig) -> None:
    rig.presence.fails = True
    await asyncio.wait_for(rig.loop.tell_store(), 20)
    assert not rig.stop.is_set()


async def test_it_ends_when_no_bot_came(tmp_path: Path) -> None:
    rig = StatusLoopRig(tmp_path, idle_exit_min=0.0)
    running = asyncio.create_task(rig.loop.run())
    await asyncio.wait_for(rig.stop.wait(), 20)
    running.cancel()
    rig.close()
