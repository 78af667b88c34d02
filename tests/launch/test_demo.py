"""``make demo`` as a stranger sees it: real processes, real Freqtrade, real time."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
# The first waves come at most 80 s after the start, the exits within the minute after.
SECONDS = 160


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a demo prints; run in a directory of its own, so that no other run is disturbed."""
    place = tmp_path_factory.mktemp("demo")
    for name in ("strategies", "config.json.example"):
        (place / name).symlink_to(ROOT / name)
    done = subprocess.run(
        [sys.executable, "-m", "liq_provider.launch.demo"],
        cwd=place,
        env={**os.environ, "OPENAI_API_KEY": "", "DEMO_SECONDS": str(SECONDS), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=SECONDS + 100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    left = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(place) in " ".join(process.info["cmdline"] or [])
    ]
    assert not left, "the demo must stop everything that it started"
    return done.stdout


def lines(told: str, kind: str) -> list[str]:
    return [line[10:] for line in told.splitlines() if line[10:].startswith(kind)]


@pytest.mark.timeout(300)
def test_it_is_labelled_synthetic(told: str) -> None:
    assert told.startswith("SYNTHETIC market")
    assert "Summary (SYNTHETIC market, dry-run)" in told


def test_a_long_and_a_short_are_entered_on_waves(told: str) -> None:
    entries = lines(told, "entry")
    assert any("SHORT" in line and "liq_short_strong" in line for line in entries)
    assert any("LONG" in line and "liq_long_strong" in line for line in entries)


def test_a_trailing_and_a_fallback_stop_close_positions(told: str) -> None:
    exits = lines(told, "exit")
    assert any("trailing stop" in line and "+" in line for line in exits)
    assert any("fallback stop" in line and "-2." in line for line in exits)


def test_a_wave_is_refused_with_its_reason(told: str) -> None:
    assert any("purity" in line for line in lines(told, "refused"))
    assert any(
        "skip (low)" in line and "candles do not agree" in line for line in lines(told, "verdict")
    )


def test_the_stand_in_for_a_model_is_labelled_as_such(told: str) -> None:
    assert "STAND-IN, not an AI" in told
    assert all("stand-in, not an AI" in line for line in lines(told, "verdict"))


def test_every_line_of_the_summary_fits_a_terminal(told: str) -> None:
    table = told[told.index("Summary") :].splitlines()
    rows = [line for line in table if "/USDT" in line and "refused" not in line]
    assert len(rows) >= 3
    assert all(len(line.rstrip()) <= 80 for line in rows)
