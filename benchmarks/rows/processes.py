"""``status``, and a sidecar with its page at rest: what they cost as whole processes."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.contest import Contestant, Goal, Growth, Measured, Row
from benchmarks.days_of_orders import days_of_orders
from benchmarks.measuring import measured

_HERE = "benchmarks.rows.processes"
_START_S = 120.0
_SETTLED_S = 3.0
_REST_S = 4.0
_RUN = ("run", "--foreground", "-c", "config.json")


# -- status --------------------------------------------------------------------------------


def prepare_status(folder: Path, size: int) -> None:
    """:param size: days of liquidations in the store that ``status`` tells of"""
    from liq_provider.core.liquidation import Liquidation
    from liq_provider.store.booked_minute import Incoming
    from liq_provider.store.database import open_engine
    from liq_provider.store.writer import Writer

    (folder / "user_data").mkdir()
    with closing(Writer(open_engine(f"sqlite:///{folder / 'store.sqlite'}"))) as writer:
        writer.append([Incoming(Liquidation(*order)) for order in days_of_orders(size)])
    _write_config(folder, {"exchange": {"name": "binance"}}, {})


def _write_config(folder: Path, config: dict[str, Any], section: dict[str, Any]) -> None:
    own = {"store": f"sqlite:///{folder / 'store.sqlite'}", **section}
    config |= {"user_data_dir": str(folder / "user_data"), "timeframe": "1m", "liq_provider": own}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def status(folder: Path, size: int) -> Measured:
    """The whole command; there is no sidecar, which it has to find out and to say."""
    scene = (folder / "scene").resolve()
    told, cpu_s, wall_s = _command(
        ["-m", "liq_provider.cli", "status", "--json", "-c", "config.json"], scene
    )
    report = json.loads(told)
    if report["running"] or not report["problem"]:
        raise ValueError(f"status says {report}")
    # What depends on the time of day is left out.
    said = [sorted(report), report["coins"], sorted(report["coverage_24h"]), report["computed_ms"]]
    return measured(cpu_s, said, cpu_s, wall_s, f"{wall_s:.2f} s of the clock")


def nothing(folder: Path, size: int) -> Measured:
    """Python, started and ended."""
    _, cpu_s, wall_s = _command(["-c", "pass"], folder)
    return measured(cpu_s, [""], cpu_s, wall_s)


def _command(arguments: Sequence[str], folder: Path) -> tuple[str, float, float]:
    """:return: output, seconds of the processor and of the clock"""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    wall_s = time.perf_counter() - begun
    if done.returncode not in (0, 1):
        raise ValueError(done.stderr.strip() or f"it ended with {done.returncode}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, used.ru_utime + used.ru_stime, wall_s


# -- a sidecar -----------------------------------------------------------------------------


def rest(folder: Path, size: int) -> Measured:
    """
    A sidecar with its page, heard by nobody, once all feeds are live.

    :param size: pairs that the exchange lists
    """
    import psutil

    from benchmarks.simulated import exchange
    from liq_provider.simulator.urls import freqtrade_exchange_config, venue_urls

    (folder / "user_data").mkdir()
    with exchange(0.2, size) as simulated:
        section = {
            "venues": venue_urls(simulated.url),
            "dashboard": {"enabled": True, "port": 0},
            "news": {"provider": "none"},
        }
        _write_config(folder, {"exchange": freqtrade_exchange_config(simulated.url)}, section)
        with (folder / "sidecar.txt").open("w") as log:
            sidecar = subprocess.Popen(
                [sys.executable, "-m", "liq_provider.cli", *_RUN],
                cwd=folder,
                stdout=log,
                stderr=log,
            )
        try:
            feeds = _live(folder, sidecar)
            time.sleep(_SETTLED_S)
            process = psutil.Process(sidecar.pid)
            before = sum(process.cpu_times()[:2])
            time.sleep(_REST_S)
            cpu_s = sum(process.cpu_times()[:2]) - before
            memory_mb = process.memory_info().rss / 2**20
        finally:
            sidecar.terminate()
            sidecar.wait(60)
    share = cpu_s / _REST_S
    return measured(memory_mb, feeds, cpu_s, _REST_S, f"{share:.1%} of a core")


def _live(folder: Path, sidecar: "subprocess.Popen[bytes]") -> list[str]:
    """:return: venues whose feeds are live, once all are"""
    from liq_provider.errors import StoreError
    from liq_provider.store.reader import Reader

    reader, deadline = Reader(f"sqlite:///{folder / 'store.sqlite'}"), time.monotonic() + _START_S
    while time.monotonic() < deadline and sidecar.poll() is None:
        try:
            feeds = (reader.states(["sidecar"]).get("sidecar") or {}).get("feeds", {})
        except StoreError:  # it is being made
            feeds = {}
        live = sorted(name for name, feed in feeds.items() if feed["state"] == "live")
        if live and len(live) == len(feeds):
            return live
        time.sleep(0.2)
    raise ValueError((folder / "sidecar.txt").read_text(encoding="utf-8").strip()[-300:])


STATUS = Row(
    name="status",
    work="`status --json` of a store of two days, the whole command",
    unit="seconds",
    better="less",
    goal=Goal(0.4),
    contestants=(
        Contestant("LiqTrend", f"{_HERE}:status"),
        Contestant(
            "Python alone",
            f"{_HERE}:nothing",
            differs="it does nothing, and is the least that any command takes",
        ),
    ),
    size=2,
    compares="With its imports; what it tells is the same in all rounds.",
    prepare=f"{_HERE}:prepare_status",
    warm=True,
    growth=(Growth("days in the store", f"{_HERE}:status", (2, 8, 32), f"{_HERE}:prepare_status"),),
)
REST = Row(
    name="rest",
    work="memory of a sidecar with its page at rest, 13 pairs",
    unit="MB",
    better="less",
    goal=Goal(160),
    contestants=(Contestant("LiqTrend", f"{_HERE}:rest"),),
    size=13,
    compares=(
        "Feeds of the simulated exchanges are live, with few liquidations, and nobody looks at the "
        "page; what it takes of a core, for four seconds, is told beside it. There is nobody to "
        "compare with; all rounds have the same feeds."
    ),
    growth=(Growth("pairs", f"{_HERE}:rest", (13, 500), cost="value"),),
)
