"""The bot and a sidecar that is a real process: killed, started in a race, left alone."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from liq_provider.bot.autostart import sidecar_config
from liq_provider.config.settings import load_settings
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import MINUTE_MS
from liq_provider.history.importer import import_files
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.sidecar.sidecar_lock import SidecarLock
from liq_provider.simulator.control import OrderRequest
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.urls import venue_urls
from liq_provider.simulator.world import World
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.freqtradelog import without_torn_session
from tests.integration.harness import (
    BTC,
    Bot,
    bot_config,
    live,
    next_minute,
    now_ms,
    running,
    simulator,
    until,
)
from tests.sidecars import running_pid


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A flat market with a day of background liquidations."""
    with simulator(World(now_ms(), volatility=0.0, history_h=26)) as sim:
        yield sim


def section(sim: Simulator) -> dict[str, Any]:
    return {"autostart": True, "venues": venue_urls(sim.url), "max_staleness_s": 65}


def import_history(sim: Simulator, base: Path, reader: Reader) -> None:
    """The simulator's past day, so that baselines are warm."""
    until_ms = sim.now_ms()
    path = base / "history.jsonl"
    rows = sim.market.tape(sim.market.first_ms, until_ms)
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    writer = Writer(open_engine(reader.url))
    covered = Interval(sim.market.first_ms, until_ms)
    import_files(writer, reader, [path], "frames", covered=covered, now_ms=until_ms)
    writer.engine.dispose()


def cascade(sim: Simulator, symbol: str, orders: int = 12) -> None:
    """Longs are wiped out, a million dollars of them."""
    sim.liquidate(
        OrderRequest(venue=venue, symbol=symbol, position_side="long", notional_usd=90_000 + n)
        for n in range(orders)
        for venue in ("bybit", "okx")
    )


def loops(bot: Bot, until_s: float) -> None:
    """The bot's loops, one a second, until a time."""
    while time.time() < until_s:
        bot.loop()
        time.sleep(min(1.0, max(0.0, until_s - time.time())))


def test_a_killed_sidecar_stops_entries_but_not_exits_and_comes_back(
    sim: Simulator, files: SidecarFiles, tmp_path: Path
) -> None:
    reader = Reader(f"sqlite:///{tmp_path / 'store.sqlite'}")
    with running(bot_config(sim, tmp_path, **section(sim)), tmp_path) as bot:
        until(lambda: live(reader, running_pid(files)), 40)
        _, autostart = bot.strategy.liq.live.watch._keeper._place
        autostart._restart_s = 1e9
        # What is imported ends in a minute of which the feeds heard all.
        next_minute()
        import_history(sim, tmp_path, reader)
        # The minute before now must be covered to its end by the live feed.
        close_s = ((time.time() + 12) // 60 + 1) * 60
        loops(bot, close_s - 6)
        cascade(sim, "BTCUSDT")
        loops(bot, close_s + 4)
        until(lambda: bot.loop() or bot.open, 20, 1.0)
        assert set(bot.open) == {BTC}, bot.messages
        assert bot.open[BTC].is_short

        cascade(sim, "BTCUSDT")  # the wave goes on when the sidecar dies
        time.sleep(1.5)
        counted = reader.count("liquidations"), reader.count("minutes"), reader.count("verdicts")
        killed_ms = now_ms()
        os.kill(running_pid(files) or 0, signal.SIGKILL)
        cascade(sim, "SOLUSDT")
        sim.set_price("SOLUSDT", to_pct=-1.5)
        bot.loop()
        assert set(bot.open) == {BTC}
        sim.set_price("BTCUSDT", to_pct=6)
        bot.loop()
        assert bot.open == {}, "the stop works without a sidecar"

        def told() -> int:
            return sum("max_staleness_s" in text for text in bot.messages)

        until(lambda: bot.loop() or told(), 90, 1.0)
        loops(bot, time.time() + 3)
        assert bot.open == {}, "nothing is entered on what nobody computed"
        assert told() == 1
        assert not SidecarLock(files).running()

        autostart._restart_s = 0.0
        loops(bot, time.time() + 1.5)
        until(lambda: live(reader, running_pid(files)), 30)
        bot.loop()
        second = autostart._process
        second.terminate()
        assert second.wait(60) == 0
    after = reader.count("liquidations"), reader.count("minutes"), reader.count("verdicts")
    assert all(new >= old for new, old in zip(after, counted, strict=True))
    back_ms = now_ms()
    for venue, spans in reader.coverage(("binance", "bybit", "okx"), 0, back_ms, ["live"]).items():
        before = [span for span in spans if span.start_ms < killed_ms]
        assert before, venue
        assert max(span.end_ms for span in before) <= killed_ms
        later = [span for span in spans if span.start_ms > killed_ms]
        assert all(span.start_ms > killed_ms + MINUTE_MS // 2 for span in later), "a hole"


def sidecars(base: Path) -> list[psutil.Process]:
    """Processes of autostarted sidecars of this test."""
    pids = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        info = process.info
        ours = info["cwd"] == str(base) and info["status"] != psutil.STATUS_ZOMBIE
        if ours and "--config-from-stdin" in (info["cmdline"] or []):
            pids.append(process)
    return pids


def test_racing_autostarts_leave_one_sidecar(
    sim: Simulator, files: SidecarFiles, tmp_path: Path
) -> None:
    config = bot_config(sim, tmp_path, **section(sim)) | {"timeframe": "1m"}
    own = sidecar_config(config, load_settings(config, {}), tmp_path)
    program = (
        "import json, sys, warnings; from pathlib import Path\n"
        "from liq_provider.bot.autostart import Autostart\n"
        "from liq_provider.sidecar.sidecar_files import SidecarFiles\n"
        "files = SidecarFiles(Path(sys.argv[1])); files.beat()\n"
        "Autostart(files, json.loads(sys.stdin.read())).ensure()\n"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(files.prefix)],
            stdin=subprocess.PIPE,
            cwd=tmp_path,
            text=True,
        )
        for _ in range(4)
    ]
    for racer in racers:
        racer.communicate(json.dumps(own), timeout=90)
    assert [racer.returncode for racer in racers] == [0] * 4
    until(lambda: SidecarLock(files).running() and len(sidecars(tmp_path)) == 1, 30)
    time.sleep(1)
    assert [process.pid for process in sidecars(tmp_path)] == [running_pid(files)]


def test_ctrl_c_on_the_bot_leaves_the_sidecar_to_other_bots(
    sim: Simulator, files: SidecarFiles, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(bot_config(sim, tmp_path, **section(sim))))
    log = tmp_path / "bot.log"
    with log.open("wb") as output:
        bot = subprocess.Popen(
            [sys.executable, "-m", "freqtrade", "trade", "-c", str(path)],
            cwd=tmp_path,
            stdout=output,
            stderr=output,
            env={**os.environ, "COLUMNS": "400"},
            start_new_session=True,
        )
    try:
        # The lock is held a moment before it is said by whom.
        until(lambda: running_pid(files) is not None and "RUNNING" in log.read_text(), 40)
        pid = running_pid(files)
        os.killpg(bot.pid, signal.SIGINT)  # what a terminal does
        assert bot.wait(60) in (0, 130)
    finally:
        if bot.poll() is None:
            bot.kill()
            bot.wait()
    time.sleep(1)
    assert running_pid(files) == pid
    text = log.read_text()
    assert "Started the sidecar" in text
    assert "Traceback" not in without_torn_session(text)
    stopped = subprocess.run(
        [sys.executable, "-m", "liq_provider.cli", "stop", "-c", str(path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=90,
    )
    assert stopped.returncode == 0, stopped.stderr
    assert not SidecarLock(files).running()
