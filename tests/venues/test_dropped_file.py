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
TIMEOUT_S = 560

# Whatever walks over all venues, or over all files. A list anywhere in it that has to be edited for
# a new venue is a mistake.
WALKERS = (
    "tests/commands/test_status.py",
    "tests/config",
    "tests/core/test_durations.py",
    "tests/dashboard/test_board.py",
    "tests/exchange",
    "tests/history/test_order_formats.py",
    "tests/scripts/test_structure.py::test_no_two_of_our_classes_bear_one_name",
    "tests/sidecar/test_venue_feeds.py",
    "tests/simulator/test_live.py",
    "tests/simulator/test_rest.py",
    "tests/simulator/test_sockets.py",
    "tests/stream",
    "tests/test_cli.py",
    "tests/test_docs.py",
    "tests/test_doctests.py",
    "tests/venues",
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, in which the file and its frames are dropped in place."""
    place = tmp_path_factory.mktemp("copy") / "project"
    leave_out = shutil.ignore_patterns("__pycache__", ".git", ".venv", ".*_cache", "user_data")
    shutil.copytree(ROOT, place, ignore=leave_out)
    shutil.copy(DROPPED / "example.py", place / "liq_provider" / "venues")
    shutil.copytree(DROPPED / "golden", place / "tests" / "golden" / "example")
    return place


def in_the_copy(project: Path, tool: str, *options: str) -> str:
    """Run one of the tools there, which has to be content."""
    done = subprocess.run(
        [Path(sys.executable).with_name(tool), *options],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    return done.stdout


@pytest.mark.processes
def test_a_venue_that_is_dropped_in_place_streams_is_simulated_imported_and_shown(
    project: Path,
) -> None:
    said = in_the_copy(
        project,
        *("pytest", "-q", "-p", "no:cacheprovider", "-k", "story or example"),
        *("tests/venues/dropped/story.py", "tests/venues", "tests/simulator"),
    )
    assert "passed" in said and "failed" not in said


@pytest.mark.slow
@pytest.mark.processes
def test_no_list_anywhere_has_to_name_it(project: Path) -> None:
    in_the_copy(
        project,
        *("pytest", "-q", "-p", "no:cacheprovider", "-m", "not processes and not slow", *WALKERS),
    )


@pytest.mark.slow
@pytest.mark.processes
def test_lint_types_and_import_contracts_hold_with_it(project: Path) -> None:
    in_the_copy(project, "ruff", "check", "--no-cache")
    in_the_copy(project, "ruff", "format", "--check", "--no-cache")
    in_the_copy(project, "lint-imports", "--no-cache")
    in_the_copy(project, "mypy", "liq_provider/venues/example.py")


def installed(place: Path, package: str, *points: str) -> Path:
    """What an installed package leaves behind that adds venues."""
    shutil.copy(DROPPED / "example.py", place / "another_exchange.py")
    info = place / f"{package}-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(["[liqtrend.venues]", *points, ""]))
    return place


def with_it(
    place: Path, *command: str, cwd: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run Python where the package is installed."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=cwd or place,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(place)])},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )


@pytest.mark.processes
def test_a_venue_of_another_package_is_found_by_its_entry_point(tmp_path: Path) -> None:
    code = (
        "from liq_provider.config.settings import load_settings\n"
        "from liq_provider.venues import VENUES\n"
        "read = load_settings({'liq_provider': {'venues': {'example': {'enabled': True}}}}, {})\n"
        "print(*(set(read.venues.enabled) & {'example', 'okx'} & VENUES.keys()))\n"
    )
    said = with_it(installed(tmp_path, "mine", "example = another_exchange:VENUE"), "-c", code)
    assert sorted(said.stdout.split()) == ["example", "okx"], said.stderr
    installed(tmp_path, "mine", "example = another_exchange:PastCounter")
    refused = with_it(tmp_path, "-c", "from liq_provider.cli import main\nmain(['status'])\n")
    assert "venue example of mine 1.0: what it states is no Venue of that name" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
@pytest.mark.processes
def test_a_venue_of_another_package_streams_is_simulated_imported_and_shown(tmp_path: Path) -> None:
    installed(tmp_path, "mine", "example = another_exchange:VENUE")
    story = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/venues/dropped/story.py")
    said = with_it(tmp_path, *story, cwd=ROOT)
    assert said.returncode == 0 and "passed" in said.stdout, said.stdout[-6_000:]


@pytest.mark.processes
def test_more_venues_than_can_be_added_up_are_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "many.py").write_text(
        "from dataclasses import replace\n"
        "from another_exchange import VENUE\n"
        "for n in range(61):\n"
        "    play = replace(VENUE.dialect, prefix=f'/v{n}')\n"
        "    globals()[f'v{n}'] = replace(VENUE, name=f'v{n}', dialect=play)\n"
    )
    installed(tmp_path, "many", *(f"v{n} = many:v{n}" for n in range(61)))
    for count in (60, 61):
        enabled = {f"v{n}": {"enabled": True} for n in range(count)}
        (tmp_path / f"{count}.json").write_text(json.dumps({"liq_provider": {"venues": enabled}}))
    code = "from liq_provider.cli import main\nmain(['status', '-c', '60.json'])\n"
    said = with_it(tmp_path, "-c", f"{code}main(['status', '-c', '61.json'])\n")
    words = " ".join((said.stdout + said.stderr).split())
    assert "There is no store" in words and "Traceback" not in words
    assert "venues: 64 are enabled, and at most 63 can be added up" in words
