"""The sidecar as a process of its own: killed, started again, asked to end."""

import asyncio
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from liq_provider.core.coverage import Interval
from liq_provider.errors import StoreUnusable
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.sidecar.sidecar_lock import SidecarLock
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.store.reader import Reader
from tests.sidecars import MINUTE, Process, Time, freqtrade_config, liquidate, quiet_exchange, until

START = 1_795_350_000_000

# The process takes the exchange's time, so the test decides how long it waits for a close.
STARTS_AT_MS = 50_000


@dataclass
class Run:
    reader: Reader
    files: SidecarFiles
    log: str = ""
    committed: int = 0
    after_kill: int = 0
    lock_was_free: bool = False
    second: subprocess.CompletedProcess[str] | None = None
    spans: list[Interval] = field(default_factory=list)
    killed_ms: int = 0
    restarted_ms: int = 0
    exit_status: int | None = None


async def play(base_dir: Path) -> Run:
    moment = Time(START + STARTS_AT_MS)
    async with quiet_exchange(moment) as sim:
        config = base_dir / "config.json"
        config.write_text(json.dumps(freqtrade_config(sim, base_dir)))
        path = base_dir / "user_data" / "liq_provider.sqlite"
        path.parent.mkdir()
        run = Run(Reader(f"sqlite:///{path}"), SidecarFiles(path))
        process = Process(config, base_dir / "log")
        try:
            await story(run, process, sim, moment)
        finally:
            process.close()
            run.log = (base_dir / "log").read_text()
        return run


async def story(run: Run, process: Process, sim: Simulator, moment: Time) -> None:
    def facts(key: str) -> Any:
        try:
            return run.reader.states([key]).get(key)
        except StoreUnusable:  # the sidecar has not made it yet
            return None

    def feeds_live(since_ms: int) -> Callable[[], bool]:
        def live() -> bool:
            status = facts("sidecar") or {"started_ms": 0, "feeds": {}}
            states = {feed["state"] for feed in status["feeds"].values()}
            return bool(states == {"live"} and status["now_ms"] >= since_ms)

        return live

    def clients() -> bool:
        return len(sim.state()["clients"]) == 3  # type: ignore[arg-type]

    def spans() -> list[Interval]:
        return run.reader.coverage(["bybit"], 0, START + 99 * MINUTE)["bybit"]

    process.start()
    await until(feeds_live(START), "all feeds are live", 60)
    await until(lambda: spans(), "a minute is settled", 150)
    liquidate(sim, "bybit", 40, 1_000.0)
    await until(lambda: run.reader.count("liquidations") == 40, "they are stored")
    run.second = await process.second()
    liquidate(sim, "bybit", 40, 2_000.0)  # some of it is on its way when the end comes
    await asyncio.sleep(0.45)
    run.committed = run.reader.count("liquidations")
    run.killed_ms = moment.now_ms()
    await process.end(signal.SIGKILL)
    run.after_kill = run.reader.count("liquidations")
    run.lock_was_free = not SidecarLock(run.files).running()

    moment.jump_to(START + 10 * MINUTE + STARTS_AT_MS)
    await until(lambda: not clients(), "the exchange has noticed")
    run.restarted_ms = moment.now_ms()
    process.start()
    await until(feeds_live(run.restarted_ms), "all feeds are live again", 60)
    await until(lambda: spans()[-1].start_ms >= run.restarted_ms, "a minute is settled again", 150)
    run.spans = spans()
    run.exit_status = await process.end(signal.SIGTERM)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    run = asyncio.run(play(tmp_path_factory.mktemp("process")))
    yield run
    run.reader.close()


def test_nothing_that_was_committed_is_lost_to_a_kill(run: Run) -> None:
    assert run.after_kill >= run.committed >= 40


def test_a_killed_sidecar_leaves_the_lock_free(run: Run) -> None:
    assert run.lock_was_free


def test_coverage_shows_the_hole(run: Run) -> None:
    before = [span for span in run.spans if span.end_ms <= run.killed_ms]
    after = [span for span in run.spans if span.start_ms >= run.restarted_ms]
    assert before and after
    assert before + after == run.spans


def test_a_second_sidecar_on_the_same_store_ends_at_once(run: Run) -> None:
    assert run.second is not None
    assert run.second.returncode == 0
    assert "Another sidecar serves this store already" in run.second.stdout


def test_a_sidecar_that_is_asked_to_end_does(run: Run) -> None:
    assert run.exit_status == 0
    assert "The sidecar ended" in run.log
    assert "Traceback" not in run.log
    assert not SidecarLock(run.files).running()
    assert not run.files.pid.exists()
