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
