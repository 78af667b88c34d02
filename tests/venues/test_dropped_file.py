"""A file of a venue and its golden frames are all that a venue needs: no other file is changed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DROPPED = Path(__file__).parent / "dropped"
TIMEOUT_S = 280


def copy_with_the_file(place: Path) -> Path:
    """A copy of the project, in which the file and its frames are dropped in place."""
    leave_out = shutil.ignore_patterns("__pycache__")
    for name in ("liq_provider", "tests"):
        shutil.copytree(ROOT / name, place / name, ignore=leave_out)
    shutil.copy(ROOT / "pyproject.toml", place)
    shutil.copy(DROPPED / "example.py", place / "liq_provider" / "venues")
    shutil.copytree(DROPPED / "golden", place / "tests" / "golden" / "example")
    return place


@pytest.mark.processes
def test_a_venue_that_is_dropped_in_place_streams_is_simulated_imported_and_shown(
    tmp_path: Path,
) -> None:
    place = copy_with_the_file(tmp_path / "project")
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                "-k",
                "story or example",
            ),
            *("tests/venues/dropped/story.py", "tests/venues/test_contract.py"),
            "tests/venues/test_garbage.py",
        ],
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    assert "passed" in done.stdout and "failed" not in done.stdout


@pytest.mark.processes
def test_a_venue_of_another_package_is_found_by_its_entry_point(tmp_path: Path) -> None:
    shutil.copy(DROPPED / "example.py", tmp_path / "another_exchange.py")
    info = tmp_path / "another_exchange-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: another-exchange\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[liqtrend.venues]\nexample = another_exchange:VENUE\n")
    code = (
        "from liq_provider.config.settings import load_settings\n"
        "from liq_provider.venues import VENUES\n"
        "read = load_settings({'liq_provider': {'venues': {'example': {'enabled': True}}}}, {})\n"
        "print(sorted(VENUES), read.venues.enabled)\n"
    )
    said = python(code, tmp_path)
    assert said.stdout.split() == [
        *("['binance',", "'bybit',", "'example',", "'gate',", "'okx']"),
        *("('binance',", "'bybit',", "'example',", "'okx')"),
    ]
    (info / "entry_points.txt").write_text("[liqtrend.venues]\nexample = another_exchange:Reader\n")
    refused = python("from liq_provider.cli import main\nmain(['status'])\n", tmp_path)
    assert "venue example: what it states is no Venue of that name" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.processes
def test_more_venues_than_can_be_added_up_are_one_clear_sentence(tmp_path: Path) -> None:
    shutil.copy(DROPPED / "example.py", tmp_path / "another_exchange.py")
    (tmp_path / "many.py").write_text(
        "from dataclasses import replace\n"
        "from another_exchange import VENUE\n"
        "globals().update({f'v{n}': replace(VENUE, name=f'v{n}') for n in range(61)})\n"
    )
    info = tmp_path / "many-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: many\nVersion: 1.0\n")
    points = "\n".join(f"v{n} = many:v{n}" for n in range(61))
    (info / "entry_points.txt").write_text(f"[liqtrend.venues]\n{points}\n")
    sentence = "venues: 64 are enabled, and at most 63 can be added up"
    for count, told in ((60, "There is no store"), (61, sentence)):
        enabled = {f"v{n}": {"enabled": True} for n in range(count)}
        config = tmp_path / "config.json"
        config.write_text(json.dumps({"liq_provider": {"venues": enabled}}))
        code = "import sys\nfrom liq_provider.cli import main\n"
        said = python(f"{code}sys.exit(main(['status', '-c', {str(config)!r}]))\n", tmp_path)
        assert "Traceback" not in said.stderr
        assert told in " ".join((said.stdout + said.stderr).split())


def python(code: str, package: Path) -> "subprocess.CompletedProcess[str]":
    """Run a program that has the package installed."""
    path = os.pathsep.join([str(ROOT), str(package)])
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=package,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
