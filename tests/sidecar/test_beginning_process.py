"""A sidecar that was killed and started again within a wave: no entry when coverage returns."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import numpy as np

from liq_provider.config.settings import load_settings
from liq_provider.core.coverage import Interval
from liq_provider.errors import StoreError
from liq_provider.judge.decisions import CandleTrend, Rules, decide
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

START = 1_795_350_000_000
# The process takes the exchange's time, so the test decides how long it waits for a close.
STARTS_AT_MS = 40_000
PAST = 40 * 3  # liquidations that are remembered


def state(reader: Reader, key: str) -> Any:
    try:
        return reader.states([key]).get(key)
    except StoreError:  # the sidecar is making it
        return None


async def live(reader: Reader, since_ms: int) -> None:
    def all_live() -> bool:
        status = state(reader, "sidecar") or {"now_ms": 0, "feeds": {}}
        states = {feed["state"] for feed in status["feeds"].values()}
        return bool(states == {"live"} and status["now_ms"] >= since_ms)

    await until(all_live, "all feeds are live", 90)


async def play(base_dir: Path) -> tuple[dict[str, Any], Reader, int]:
    """:return: configuration, store, and the minute in which the rest of the wave was heard"""
    moment = Time(START + STARTS_AT_MS)
    async with quiet_exchange(moment) as sim:
        config = freqtrade_config(sim, base_dir, segment_min=2, baseline_hours=1)
        (base_dir / "config.json").write_text(json.dumps(config))
        path = base_dir / "user_data" / "liq_provider.sqlite"
        path.parent.mkdir()
        url = f"sqlite:///{path}"
        remember(url, ["BTC"], START, known_min=1)
        reader, process = Reader(url), Process(base_dir / "config.json", base_dir / "log")
        try:
            process.start()
            await live(reader, START)
            liquidate(sim, "bybit", 8, 40_000.0)
            await until(lambda: reader.count("liquidations") >= PAST + 8, "they are stored", 30)
            await process.end(signal.SIGKILL)
            restarted_ms = START + 3 * MINUTE + STARTS_AT_MS
            moment.jump_to(max(restarted_ms, moment.now_ms()))
            process.start()
            await live(reader, restarted_ms)
            await until(lambda: moment.now_ms() % MINUTE < 50_000, "there is room in the minute")
            rest_ms = moment.now_ms() // MINUTE * MINUTE
            liquidate(sim, "bybit", 8, 80_000.0)
            await until(lambda: reader.count("liquidations") >= PAST + 16, "they are stored", 9)
            # Somebody else heard all of that minute, so that the next one completes a segment.
            writer = Writer(open_engine(url))
            for venue in ("binance", "bybit", "okx"):
                span = Interval(rest_ms, rest_ms + MINUTE)
                writer.cover(venue, [span], "import", rest_ms + MINUTE)
            writer.close()
            wanted_ms = rest_ms + 2 * MINUTE
            await until(lambda: (state(reader, "computed_ms") or 0) >= wanted_ms, "settled", 180)
            await process.end(signal.SIGTERM)
        finally:
            process.close()
        return config, reader, rest_ms


def test_what_is_left_of_a_wave_after_a_kill_is_not_entered(tmp_path: Path) -> None:
    config, reader, rest_ms = asyncio.run(play(tmp_path))
    close_ms = rest_ms + 2 * MINUTE
    rows = reader.features(["BTC"], START, close_ms)["BTC"]
    closes = np.arange(START + MINUTE, close_ms + 1, MINUTE)
    falling = CandleTrend(np.full(len(closes), -0.02), np.full(len(closes), 0.01))
    decisions = decide(closes, rows, falling, (), Rules.of(load_settings(config)), "matrix")
    last = int(np.flatnonzero(closes == close_ms)[0])
    assert decisions.sure[last], "by everything else it would be entered"
    assert not decisions.seen[last]
    assert not decisions.entry[last]
    newest = reader.waves(START)[0]
    assert (newest["last_ms"], newest["seen"]) == (close_ms, False)
    reader.close()
