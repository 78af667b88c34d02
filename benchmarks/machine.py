"""What machine this is and with which versions, without its name and its paths."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

_PACKAGES = ("numpy", "pandas", "pyarrow", "duckdb", "SQLAlchemy", "ccxt", "freqtrade")
_ASK = """
import platform, sqlite3
from importlib.metadata import PackageNotFoundError, version
said = [f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}"]
for name in %r:
    try:
        said.append(f"{name} {version(name)}")
    except PackageNotFoundError:
        pass
print(", ".join(said))
"""


def versions(python: Path) -> str:
    """:return: of an environment's packages that count here"""
    done = subprocess.run(
        [str(python), "-c", _ASK % (_PACKAGES,)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "not there"


def processor() -> str:
    """:return: its name, as the system says it"""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def machine() -> str:
    """:return: one line"""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (
        f"{os.cpu_count()} cores of {processor()}, {pages / 2**30:.0f} GiB of memory, "
        f"{platform.system()}"
    )


def load() -> str:
    """:return: processes that wanted a core in the last minute"""
    return f"{os.getloadavg()[0]:.1f}"


def today() -> str:
    """:return: date and minute, UTC"""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
