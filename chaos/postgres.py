"""A PostgreSQL server of a run's own, which can be hung and killed."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from liq_provider.launch.ports import free_port


class NoServer(Exception):
    """PostgreSQL is not installed, or does not start."""


def _directory_of_binaries() -> Path:
    places = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")]
    on_path = shutil.which("pg_ctl")
    if on_path:
        places.append(Path(on_path).resolve().parent)
    whole = [place for place in places if (place / "initdb").exists()]
    if not whole:
        raise NoServer("PostgreSQL is not installed (Debian: apt install postgresql)")
    return sorted(whole)[-1]


class Server:
    """
    :raises NoServer: it cannot be had
    """

    def __init__(self) -> None:
        self._binaries = _directory_of_binaries()
        self._dir = Path(tempfile.mkdtemp(prefix="liq-chaos-pg-"))
        self._data = self._dir / "data"
        self._port = free_port()
        self._user = self._owner()
        self._call("initdb", "-D", self._data, "-U", "liq", "-A", "trust", "-E", "UTF8", "-N")
        self.start()

    @property
    def url(self) -> str:
        """Value of ``liq_provider.store``."""
        return f"postgresql+psycopg://liq@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c fsync=off -k {self._dir}"
        self._control("-w", "-l", self._dir / "log", "-o", options, "start")

    def kill(self) -> None:
        """End it as a crash does: connections break, nothing is written any more."""
        self._control("-m", "immediate", "stop")

    def hang(self) -> None:
        """Stop it and all its processes; connections stay open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it continue."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it and delete its data."""
        self.go_on()
        try:
            self.kill()
        except NoServer:
            pass  # it is down already
        shutil.rmtree(self._dir, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        # The postmaster first, or it would start new ones meanwhile.
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):  # a backend whose client just left
                process.send_signal(number)

    def _processes(self) -> Iterator[psutil.Process]:
        with suppress(OSError, ValueError, IndexError, psutil.NoSuchProcess):
            number = int((self._data / "postmaster.pid").read_text().splitlines()[0])
            postmaster = psutil.Process(number)
            yield postmaster
            yield from postmaster.children(recursive=True)

    def _owner(self) -> str | None:
        """PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return None
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = next(name for name in ("postgres", "nobody") if name in names)
        shutil.chown(self._dir, user)
        return user

    def _control(self, *arguments: object) -> None:
        self._call("pg_ctl", "-D", self._data, *arguments)

    def _call(self, program: str, *arguments: object) -> None:
        done = subprocess.run(
            [str(self._binaries / program), *map(str, arguments)],
            user=self._user,
            extra_groups=[] if self._user else None,
            cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
        if done.returncode:
            raise NoServer(f"{program}: {done.stderr.strip()}")
