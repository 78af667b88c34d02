"""A PostgreSQL server of its own for the tests, on loopback, from the installed binaries."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from sqlalchemy.engine import make_url

from liq_provider.launch.ports import free_port

_USERS = ("postgres", "nobody")


def binaries() -> Path:
    """:return: the directory of the newest that is installed; without one a test is skipped"""
    directories = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if on_path:
        directories.append(Path(on_path).resolve().parent)
    whole = [path for path in directories if (path / "pg_ctl").exists()]
    if not whole:
        pytest.skip("no PostgreSQL server is installed (initdb, pg_ctl); apt install postgresql")
    return max(whole, key=lambda path: _version(path))


def _version(path: Path) -> tuple[int, str]:
    number = path.parent.name
    return (int(number) if number.isdigit() else 0, str(path))


@contextmanager
def server(port: int | None = None) -> Iterator[str]:
    """
    Run a server until the end.

    :param port: a free one by default
    :return: its address, without a database
    """
    bin_dir = binaries()
    directory = Path(tempfile.mkdtemp(prefix="liq-pg-"))
    port = port or free_port()
    try:
        user = _other_user(directory)
        data = directory / "data"
        _run(user, bin_dir / "initdb", "-D", data, "-U", "liq", "-A", "trust", "-E", "UTF8", "-N")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -k {directory}"
        control = (bin_dir / "pg_ctl", "-D", data, "-w", "-l", directory / "log")
        _run(user, *control, "-o", options, "start")
        try:
            yield f"postgresql+psycopg://liq@127.0.0.1:{port}"
        finally:
            _run(user, *control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _other_user(directory: Path) -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    user = next(name for name in _USERS if name in known)
    shutil.chown(directory, user)
    return user


@contextmanager
def stopped(address: str) -> Iterator[None]:
    """While it lasts the server accepts connections (its kernel does) and never answers."""
    port = str(make_url(address).port)
    (postmaster,) = (
        process
        for process in psutil.process_iter(["cmdline", "ppid"])
        if "postgres" in (process.info["cmdline"] or [""])[0] and port in process.info["cmdline"]
    )
    postmaster.suspend()  # first, so that no new one comes
    children = postmaster.children(recursive=True)
    for process in children:
        process.suspend()
    try:
        yield
    finally:
        for process in (postmaster, *children):
            process.resume()


def _run(user: str | None, *command: object) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        user=user,
        extra_groups=[] if user else None,
        cwd="/",
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
