"""``make trade``, ``doctor``, ``status`` and ``stop``, on a simulated exchange."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from liq_provider.cli import main
from liq_provider.config.pair_list_file import write_pairs
from tests.launch.conftest import write_config
from tests.sidecars import PATIENCE


def until(path: Path, words: str, seconds: float) -> str:
    """What is in the file once it holds ``words``."""
    deadline = time.monotonic() + seconds * PATIENCE
    while time.monotonic() < deadline:
        text = path.read_text() if path.exists() else ""
        if words in text:
            return text
        time.sleep(0.2)
    raise AssertionError(f"{words!r} did not come:\n{path.read_text()}")


def test_one_command_starts_bot_and_sidecar_and_says_when_a_signal_is_possible(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = place / "told.txt"
    with told.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "liq_provider.launch.trade"],
            cwd=place,
            env={**os.environ, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        # Of a minute that is not settled yet; on a busy machine one may be by then.
        text = until(told, "; possible from 20", 60)
        assert text.startswith("DRY-RUN on binance's public data")
        # The bot's list is there before the bot, and from then on the sidecar keeps it.
        pairs = place / "user_data" / "liq_pairs.json"
        assert f"Made {pairs}, the list of pairs" in text
        until(told, "binance: live, connected and subscribed", 20)
        until(pairs, '"written_ms"', 60)
        until(told, "dashboard  http://127.0.0.1:", 10)

        assert main(["doctor"]) in (0, 1)  # 1 while no minute is settled yet
        out = capsys.readouterr().out
        assert "nothing overrides what LiqTrend relies on" in out
        assert "all 2 have a liquidation feed" in out
        assert "network to okx" in out

        # A plain `freqtrade trade` has nothing but its log.
        logged = until(place / "user_data" / "freqtrade.log", "LiqTrend: no entries before 20", 90)
        line = next(line for line in logged.splitlines() if "no entries before" in line)
        assert "of 72 baseline segments of 5 min are known" in line
        assert " UTC (in 6 h " in line or " UTC (in 5 h " in line
        until(told, "entries    warming up: ", 20)
        capsys.readouterr()
        assert main(["status"]) == 1
        assert "warming up: " in " ".join(capsys.readouterr().out.split())
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 0
    assert "The sidecar keeps recording" in told.read_text()

    assert main(["status"]) in (0, 1)
    assert "Dashboard: http://127.0.0.1:" in capsys.readouterr().out
    assert main(["stop"]) == 0
    assert "ended" in capsys.readouterr().out
    assert main(["stop"]) == 0
    assert "No sidecar is running" in capsys.readouterr().out
    log = (place / "user_data" / "liq_provider.sqlite.log").read_text()
    # A busy disk may take longer than the sidecar waits for it: that is said, and nothing is lost.
    waited = "The store does not answer. Liquidations wait on disk."
    assert not [line for line in log.splitlines() if "ERROR" in line and waited not in line]
    assert "0 wait on disk, 0 are lost" in log
    assert "Traceback" not in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_ended_by_the_system_leaves_nothing_running(
    place: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "liq_provider.launch.demo"],
        preexec_fn=in_the_background_of_a_script,
        cwd=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    logs = place / "user_data" / "demo"
    try:
        until(logs / "simulator.log", "serving on", 30)
        until(logs / "freqtrade.log", "RUNNING", 60)
    finally:
        process.send_signal(number)
        try:
            _, said = process.communicate(timeout=120)
        finally:
            others = (p for p in psutil.process_iter() if p.pid != os.getpid())
            left = [p for p in others if str(place) in " ".join(command(p))]
            for other in left:
                other.kill()
    assert b"Traceback" not in said and b"killing it" not in said
    assert not left


def in_the_background_of_a_script() -> None:
    """There Ctrl-C is ignored; a run of tests under ``nohup`` ignores more, which is undone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def command(process: psutil.Process) -> list[str]:
    try:
        return [*process.cmdline(), process.cwd()]
    except psutil.Error:
        return []


@pytest.mark.parametrize("by", ["file", "environment"])
def test_real_money_is_not_started_from_here(place: Path, exchange: str, by: str) -> None:
    if by == "file":
        write_config(place, exchange, dry_run=False)
    done = subprocess.run(
        [sys.executable, "-m", "liq_provider.launch.trade"],
        cwd=place,
        env={**os.environ, "FREQTRADE__DRY_RUN": "false"} if by == "environment" else None,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode != 0
    assert "dry_run is false" in done.stderr


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"trading_mode": "spot"}, "trading_mode"),
        ({"minimal_roi": {"0": 0.02}}, "minimal_roi"),
        ({"trailing_stop": True}, "trailing_stop"),
        ({"timeframe": "15m"}, "liq_provider.segment_min"),
        ({"liq_provider": {"z_treshold": 2}}, "liq_provider.z_treshold"),
        ({"liq_provider": {"judge": {"z_min": 3.5}}}, "z_threshold 3.0 is below"),
        ({"exchange": {"pair_whitelist": ["NOSUCH/USDT:USDT"]}}, "pair_whitelist"),
    ],
)
def test_doctor_names_the_key_to_change(
    place: Path, exchange: str, capsys: pytest.CaptureFixture[str], changes: dict, key: str
) -> None:
    if key == "pair_whitelist":
        # Which markets there are is known once a sidecar has listed them.
        process = subprocess.Popen([sys.executable, "-m", "liq_provider.cli", "run"], cwd=place)
        store = place / "user_data" / "liq_provider.sqlite"
        deadline = time.monotonic() + 60 * PATIENCE
        while not (
            store.exists()
            and main(["doctor"]) < 2
            and "liquidation feed" in capsys.readouterr().out
        ):
            assert time.monotonic() < deadline, "the sidecar lists no markets"
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    write_config(place, exchange, **changes)
    assert main(["doctor"]) == 2
    assert key in capsys.readouterr().out


def test_doctor_warns_of_a_pair_list_that_the_sidecar_must_serve_first(
    place: Path, exchange: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pairlists = [{"method": "RemotePairList", "pairlist_url": "http://127.0.0.1:8686/pairlist"}]
    for autostart in (True, False):
        write_config(place, exchange, pairlists=pairlists, liq_provider={"autostart": autostart})
        assert main(["doctor"]) < 2
        assert ("run the sidecar as a service" in capsys.readouterr().out) is autostart


def test_doctor_knows_a_list_in_a_file_and_says_where_it_would_not_be_renewed(
    place: Path, exchange: str, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {"method": "RemotePairList", "pairlist_url": "file:///user_data/liq_pairs.json"}
    write_config(place, exchange, pairlists=[entry])
    main(["doctor"])
    said = capsys.readouterr().out
    assert "run the sidecar as a service" not in said
    assert "the whole market" in said and "made when the bot starts" in said
    write_pairs(place / "user_data" / "liq_pairs.json", ["BTC/USDT:USDT"])
    main(["doctor"])
    assert "1 pairs now" in capsys.readouterr().out
    elsewhere = entry | {"pairlist_url": "file:///elsewhere/liq_pairs.json"}
    write_config(place, exchange, pairlists=[elsewhere])
    main(["doctor"])
    said = capsys.readouterr().out
    assert "pairlists[0].pairlist_url" in said and "liq_provider.market.file" in said


@pytest.mark.parametrize(
    ("written", "said_s"),
    [({}, "1800 s"), ({"refresh_period": 1}, "1 s"), ({"refresh_period": 0}, "")],
)
def test_doctor_warns_of_a_list_that_is_not_read_in_each_loop(
    place: Path,
    exchange: str,
    capsys: pytest.CaptureFixture[str],
    written: dict[str, int],
    said_s: str,
) -> None:
    entry = {"method": "RemotePairList", "pairlist_url": "file:///user_data/liq_pairs.json"}
    write_config(place, exchange, pairlists=[entry | written])
    main(["doctor"])
    said = capsys.readouterr().out
    assert ("pairlists[0].refresh_period" in said) is bool(written.get("refresh_period", 1))
    assert said_s in said
