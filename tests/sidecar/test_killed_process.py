"""
The sidecar as a process of its own: killed within a wave, started again before its end, and asked
to end. What was written stays, the hole is known, and the rest of the wave is not entered.
"""

import asyncio
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liq_provider.config.settings import load_settings
from liq_provider.core.coverage import Interval
from liq_provider.errors import StoreError
from liq_provider.judge.decisions import CandleTrend, Rules, decide
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.sidecar.sidecar_lock import SidecarLock
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.sidecars import (
    MINUTE,
    Process,
    Time,
    freqtrade_config,
    liquidate,
    quiet_exchange,
    remember,
    until,
)

VENUES = ("binance", "bybit", "okx")
START = 1_795_350_000_000
STARTS_AT_MS = 20_000  # in the minute
PAST = 40 * 3  # liquidations that are remembered


@dataclass
class Run:
    config: dict[str, Any]
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
    rest_ms: int = 0
    exit_status: int | None = None

    def state(self, key: str) -> Any:
        try:
            return self.reader.states([key]).get(key)
        except StoreError:  # the sidecar is making it
            return None

    def heard(self) -> list[Interval]:
        return self.reader.coverage(["bybit"], 0, START + 99 * MINUTE, ("live",))["bybit"]

    def live(self, since_ms: int) -> Callable[[], bool]:
        def all_live() -> bool:
            status = self.state("sidecar") or {"now_ms": 0, "feeds": {}}
            states = {feed["state"] for feed in status["feeds"].values()}
            return bool(states == {"live"} and status["now_ms"] >= since_ms)

        return all_live


async def play(base_dir: Path) -> Run:
    moment = Time(START + STARTS_AT_MS, base_dir / "jumped")
    async with quiet_exchange(moment) as sim:
        config = freqtrade_config(sim, base_dir, segment_min=2, baseline_hours=1)
        (base_dir / "config.json").write_text(json.dumps(config))
        path = base_dir / "user_data" / "liq_provider.sqlite"
        path.parent.mkdir()
        remember(f"sqlite:///{path}", ["BTC"], START, known_min=1)
        run = Run(config, Reader(f"sqlite:///{path}"), SidecarFiles(path))
        process = Process(base_dir / "config.json", base_dir / "log", moment)
        try:
            await killed(run, process, sim, moment)
            await started_again(run, process, sim, moment)
            run.exit_status = await process.end(signal.SIGTERM)
        finally:
            process.close()
            run.log = (base_dir / "log").read_text()
        return run


async def next_minute(moment: Time) -> None:
    close_ms = moment.near_close()
    await until(lambda: moment.now_ms() > close_ms + 500, "the next minute", 10)


async def killed(run: Run, process: Process, sim: Simulator, moment: Time) -> None:
    """A minute is heard, a wave begins, and a part of it is on its way when the end comes."""
    process.start()
    await until(run.live(START), "all feeds are live", 90)
    await next_minute(moment)
    moment.near_close()
    await until(run.heard, "a minute is settled", 60)
    liquidate(sim, "bybit", 8, 40_000.0)
    await until(lambda: run.reader.count("liquidations") == PAST + 8, "they are stored")
    run.second = await process.second()
    liquidate(sim, "bybit", 40, 2_000.0)
    await asyncio.sleep(0.45)
    run.committed = run.reader.count("liquidations") - PAST
    run.killed_ms = moment.now_ms()
    await process.end(signal.SIGKILL)
    run.after_kill = run.reader.count("liquidations") - PAST
    run.lock_was_free = not SidecarLock(run.files).running()
    await until(lambda: not sim.state()["clients"], "the exchange has noticed")


async def started_again(run: Run, process: Process, sim: Simulator, moment: Time) -> None:
    """Minutes later, the rest of the wave comes."""
    moment.jump_to((run.killed_ms // MINUTE + 3) * MINUTE + STARTS_AT_MS)
    run.restarted_ms = moment.now_ms()
    process.start()
    await until(run.live(run.restarted_ms), "all feeds are live again", 90)
    await until(lambda: moment.now_ms() % MINUTE < 55_000, "there is room in the minute")
    run.rest_ms = moment.now_ms() // MINUTE * MINUTE
    before = run.reader.count("liquidations")
    liquidate(sim, "bybit", 8, 80_000.0)
    await until(lambda: run.reader.count("liquidations") == before + 8, "they are stored", 9)
    # Somebody else heard all of that minute, so that the next one completes a segment.
    writer = Writer(open_engine(run.reader.url))
    for venue in VENUES:
        span = Interval(run.rest_ms, run.rest_ms + MINUTE)
        writer.cover(venue, [span], "import", run.rest_ms + MINUTE)
    writer.close()
    await next_minute(moment)
    wanted_ms = moment.near_close()
    await until(lambda: (run.state("computed_ms") or 0) >= wanted_ms, "settled", 60)
    run.spans = run.heard()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    run = asyncio.run(play(tmp_path_factory.mktemp("killed")))
    yield run
    run.reader.close()


def test_nothing_that_was_committed_is_lost_to_a_kill(run: Run) -> None:
    assert run.after_kill >= run.committed >= 8


def test_a_killed_sidecar_leaves_the_lock_free(run: Run) -> None:
    assert run.lock_was_free


def test_coverage_shows_the_hole(run: Run) -> None:
    before = [span for span in run.spans if span.end_ms <= run.killed_ms]
    after = [span for span in run.spans if span.start_ms >= run.restarted_ms]
    assert before and after
    assert before + after == run.spans


def test_what_is_left_of_a_wave_after_a_kill_is_not_entered(run: Run) -> None:
    close_ms = run.rest_ms + 2 * MINUTE
    rows = run.reader.features(["BTC"], START, close_ms)["BTC"]
    closes = np.arange(START + MINUTE, close_ms + 1, MINUTE)
    falling = CandleTrend(np.full(len(closes), -0.02), np.full(len(closes), 0.01))
    decisions = decide(closes, rows, falling, (), Rules.of(load_settings(run.config)), "matrix")
    last = int(np.flatnonzero(closes == close_ms)[0])
    assert decisions.sure[last], "by everything else it would be entered"
    assert not decisions.seen[last]
    assert not decisions.entry[last]
    newest = run.reader.waves(START)[0]
    assert (newest["last_ms"], newest["seen"]) == (close_ms, False)


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
