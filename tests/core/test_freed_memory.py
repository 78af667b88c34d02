"""Freed memory goes back to the system; each test in a process of its own."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes

# As answers of exchanges do it: one large piece, then many that are smaller.
KEPT_MB = """
from pathlib import Path
from liq_provider.core.freed_memory import give_back_freed

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

{before}
large = bytearray(24 * 2**20)
del large
first = resident_mb()
pieces = [b"x" * 200_000 for _ in range(100)]
assert resident_mb() > first + 15
del pieces
print(resident_mb() - first)
"""


def kept_mb(before: str) -> float:
    code = KEPT_MB.format(before=before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, and sets glibc")
def test_what_was_freed_is_not_kept() -> None:
    assert kept_mb("") > 15, "otherwise there is nothing to do"
    assert kept_mb("assert give_back_freed()") < 3


def test_where_the_c_library_has_no_such_setting_nothing_changes() -> None:
    code = (
        "import ctypes\n"
        "from liq_provider.core.freed_memory import give_back_freed\n"
        "ctypes.CDLL = lambda name: object()\n"
        "print(give_back_freed())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr


FAULTS = """
import resource
import numpy as np
from liq_provider.core.freed_memory import give_back_freed, keep_freed

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

{before}
for number in range(3):
    begun = faults()
    pieces = [np.ones(50_000) for _ in range(20)]
    del pieces
print(faults() - begun)
"""


def faults_of(before: str) -> int:
    code = FAULTS.format(before=before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="is about glibc")
def test_what_is_kept_is_not_asked_of_the_system_again() -> None:
    assert faults_of("") > 1_000, "otherwise there is nothing to do"
    assert faults_of("keep_freed(20 * 2**20)") < 200


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="is about glibc")
def test_who_gives_back_what_was_freed_goes_on_so() -> None:
    assert (
        kept_mb(
            "give_back_freed()\nfrom liq_provider.core.freed_memory import keep_freed\n"
            "keep_freed(60 * 2**20)"
        )
        < 3
    )
