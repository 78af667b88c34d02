"""An import that was killed goes on where it was, and ends in the same store."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from liq_provider.cli import main
from tests.history.test_import import HEADER, row

pytestmark = pytest.mark.processes

START_MS = 1_767_225_600_000  # 2026-01-01 00:00 UTC
ROWS = 25_000  # one batch and a bit


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """
    Three files of one recording, 20 ms from row to row, with a second writer's repeats; the last
    is long, so that whoever is killed in the second has not come to its end.
    """
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    folder.mkdir()
    for number, end in enumerate((1, 2, 6)):
        rows = [
            row(START_MS + 20 * n, symbol=f"C{n % 7}USDT", z=str(1 + n % 5))
            for n in range(number * ROWS - 50, end * ROWS)
        ]
        (folder / f"{number}.csv").write_text("\n".join([HEADER, *rows]))
    yield folder


def rows_of(store: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(store)) as connection:
        return connection.execute(query).fetchall()


def content(store: Path) -> list[list[tuple[object, ...]]]:
    queries = [
        "SELECT * FROM liquidations ORDER BY 1, 2, 3, 4, 5, 6, 7",
        "SELECT * FROM minutes ORDER BY 1, 2, 3, 4",
        # Not available_at, which is when the import was done.
        "SELECT venue, base_asset, source, start_ms, end_ms FROM coverage ORDER BY 1, 2, 3, 4",
        "SELECT digest, read_as, orders FROM imports ORDER BY 1",
    ]
    return [rows_of(store, query) for query in queries]


def test_a_killed_import_is_resumed_to_the_same_store(
    recording: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole, killed = tmp_path / "whole.sqlite", tmp_path / "killed.sqlite"
    command = [sys.executable, "-m", "liq_provider.cli", "import", "data", "--store"]
    with subprocess.Popen([*command, f"sqlite:///{killed}"], stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            try:
                stored = rows_of(killed, "SELECT count(*) FROM liquidations")[0][0]
            except sqlite3.OperationalError:
                stored = 0  # not made yet
            if isinstance(stored, int) and stored > ROWS + 50:
                break
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    orders = rows_of(killed, "SELECT count(*) FROM liquidations")[0][0]
    files = rows_of(killed, "SELECT count(*) FROM imports")[0][0]
    assert files in (1, 2), "it was killed in the middle"
    # What is called known ends with the files that were read to their end.
    ((known_ms,),) = rows_of(killed, "SELECT max(end_ms) FROM coverage")
    ((last_ms,),) = rows_of(killed, "SELECT max(event_ms) FROM liquidations")
    assert isinstance(known_ms, int) and isinstance(last_ms, int) and known_ms <= last_ms + 1

    assert main(["import", "data", "--store", f"sqlite:///{killed}"]) == 0
    said = capfd.readouterr().out
    assert f"{files} of the files were read before" in said
    assert main(["import", "data", "--store", f"sqlite:///{whole}"]) == 0
    assert content(killed) == content(whole)
    assert isinstance(orders, int) and ROWS < orders < len(content(whole)[0])


def test_another_import_of_all_has_nothing_to_do_and_says_the_same_numbers(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sorted(recording.iterdir())[1:]:
        path.unlink()
    assert main(["import", "data"]) == 0
    assert "25,050 liquidations kept, 0 duplicates, 0 bad rows in 1 file" in capsys.readouterr().out
    for option in ((), ("--again",)):
        assert main(["import", "data", *option]) == 0
        said = capsys.readouterr().out
        assert "0 liquidations kept, 25,050 duplicates, 0 bad rows in 1 file" in said
        assert ("nothing to do: all was imported before" in said) == (not option)
    # Read as something else it is another import.
    assert main(["import", "data", "--max-gap", "3"]) == 0
    assert "nothing to do" not in capsys.readouterr().out
    assert main(["prune", "--days", "1", "--clock-is-right"]) == 0
    capsys.readouterr()
    assert main(["import", "data"]) == 0
    assert "25,050 liquidations kept" in capsys.readouterr().out


def test_a_file_with_bad_rows_is_read_again(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recording / "bad.csv"
    path.write_text("\n".join([HEADER, row(START_MS), "broken"]))
    for kept in (1, 0):
        assert main(["import", str(path)]) == 1
        said = capsys.readouterr().out
        assert f"{kept} liquidations kept, {1 - kept} duplicates, 1 bad rows" in said
        assert f"{path}:3: too few columns" in said
