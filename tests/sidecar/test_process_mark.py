"""Which process left a mark, and that only that one is signalled."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from liq_provider.sidecar.process_mark import ProcessMark, _started

# As a sidecar's command line; it only waits.
SIDECAR = "import time; print(1, flush=True); time.sleep(60)"


pytestmark = pytest.mark.processes


@pytest.fixture
def sidecar() -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", SIDECAR, "liq_provider.cli", "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def mark_of(pid: int) -> ProcessMark:
    return replace(ProcessMark.mine("run"), pid=pid, started=_started(str(pid)))


def test_the_process_that_left_the_mark_is_signalled(sidecar: "subprocess.Popen[str]") -> None:
    mark = mark_of(sidecar.pid)
    assert not mark.is_gone()
    assert mark.terminate()
    assert sidecar.wait(60) == -15
    assert mark.is_gone()
    assert not mark.terminate()


@pytest.mark.parametrize("field", ["boot", "namespace", "started"])
def test_a_process_that_differs_in_anything_is_not(
    field: str, sidecar: "subprocess.Popen[str]"
) -> None:
    for value in ("other", ""):
        assert not replace(mark_of(sidecar.pid), **{field: value}).terminate()
    assert sidecar.poll() is None


def test_a_process_of_another_command_is_not() -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        assert not mark_of(stranger.pid).terminate()
        assert stranger.poll() is None
        stranger.kill()


def test_what_ran_elsewhere_is_not_known_to_be_gone() -> None:
    gone = replace(ProcessMark.mine("run"), started="1")
    assert gone.is_gone()
    assert not replace(gone, boot="other").is_gone()
    assert not replace(gone, namespace="other").is_gone()


def test_marks_are_read_as_they_were_written_and_others_are_none() -> None:
    mine = ProcessMark.mine("run")
    assert mine.pid == os.getpid()
    assert ProcessMark.read(mine.write()) == mine
    assert ProcessMark.read("4711") == ProcessMark(4711)
    for text in ("", "x", "[1]", "{}", '{"pid": "1"}', '{"pid": 1, "x": 2}', "1.5", "true"):
        assert ProcessMark.read(text) is None, text
