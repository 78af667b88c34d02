"""What several modules of the tests use."""

import time
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.world import World
from tests import handles, lanes, processes, rewriting, tradesdb
from tests.judge_rig import JudgeRig


def pytest_configure() -> None:
    processes.obey_signals()
    processes.watch()
    handles.watch()
    tradesdb.watch()


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    rewriting.begin(session.config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    processes.mark(items)
    lanes.mark(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> lanes.Lanes | None:
    return lanes.Lanes(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, None, None]:
    processes.started.clear()
    yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, None, None]:
    yield
    tradesdb.close()
    handles.miss(item, nextitem)
    processes.complain(item)


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[JudgeRig]:
    world = World(int(time.time() * 1000), background=0.0, history_h=2)
    async with Simulator(world) as sim:
        rig = JudgeRig(sim, tmp_path)
        yield rig
        for model in rig.models:
            await model.close()
        for executor in rig.executors:
            executor.shutdown()
        rig.writer.close()
