"""A package that adds a venue and cannot be used ends whatever is started, with one line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins import lay_down

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 280
MENDED = "; mend or uninstall what adds it (liqtrend.venues)"
MISSING = (
    "venue broken of broken_package 1.2: cannot be loaded "
    "(ModuleNotFoundError: No module named 'no_such_module')" + MENDED
)
LIQ_PROVIDER, FREQTRADE = ("-m", "liq_provider.cli"), ("-m", "freqtrade")


def broken(folder: Path) -> Path:
    """An installed package whose venue is of no use."""
    return lay_down(folder, "liqtrend.venues", "broken", "import no_such_module", "broken_package")


def run(place: Path, site: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Python with that package installed."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=place,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(site)]), "COLUMNS": "250"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )


@pytest.mark.parametrize(
    ("command", "begin"),
    [
        ((*LIQ_PROVIDER, "simulate", "--port", "0"), "liq-provider: "),
        ((*LIQ_PROVIDER, "run"), "liq-provider: "),
        (("-m", "liq_provider.launch.trade"), "trade: "),
        (("-m", "liq_provider.launch.demo"), "demo: "),
    ],
)
def test_it_ends_what_is_started(place: Path, command: tuple[str, ...], begin: str) -> None:
    done = run(place, broken(place), *command)
    assert done.stderr.splitlines() == [begin + MISSING]
    assert done.returncode in (1, 2)
    assert "Freqtrade" not in done.stdout, "nothing was started"


def test_the_bot_ends_with_one_error(place: Path) -> None:
    done = run(place, broken(place), *FREQTRADE, "trade", "--strategy", "LiqTrend")
    said = done.stdout + done.stderr
    errors = [line for line in said.splitlines() if " - ERROR - " in line]
    assert [line.rpartition(" - ERROR - ")[2] for line in errors] == [MISSING]
    assert "Traceback" not in said and done.returncode == 2


def test_freqtrade_still_lists_the_strategy(place: Path) -> None:
    done = run(place, broken(place), *FREQTRADE, "list-strategies", "--strategy-path", "strategies")
    assert re.search(r"LiqTrend.*OK", done.stdout), done.stdout + done.stderr
