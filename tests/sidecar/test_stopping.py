"""``liq-provider stop`` asks, and the sidecar obeys: real processes that others are taken for."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from liq_provider.sidecar.process_mark import ProcessMark
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.sidecar.sidecar_lock import SidecarLock
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.store import sidecar_runs
from liq_provider.store.database import open_engine
from tests.sidecars import Process, Time, freqtrade_config, quiet_exchange, running_pid, until
from tests.store import postgres

# A process with another's id in its container; it says so if somebody signals it.
INIT = """
import signal, subprocess, sys
from pathlib import Path
signal.signal(signal.SIGTERM, lambda *_: Path("signalled").touch())
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""
CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


def has_containers() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*CONTAINER, "true"], capture_output=True).returncode == 0


@dataclass
class ConfiguredDirectory:
    """A directory with a configuration, in which commands are given."""

    config: Path

    @property
    def files(self) -> SidecarFiles:
        store = json.loads(self.config.read_text())["liq_provider"]["store"]
        url = store.replace("sqlite:///", f"sqlite:///{self.config.parent}/")
        return SidecarFiles.of(url, self.config.parent)

    async def stop(self, *before: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "liq_provider.cli", "stop", "-c", str(self.config)]
        return await asyncio.to_thread(
            subprocess.run,
            [*before, *command],
            cwd=self.config.parent,
            capture_output=True,
            text=True,
            timeout=90,
        )


def place(
    sim: Simulator, directory: Path, store: str | None = None, **changes: Any
) -> ConfiguredDirectory:
    (directory / "user_data").mkdir(parents=True)
    store = store or "sqlite:///user_data/liq_provider.sqlite"
    section = freqtrade_config(sim, directory, store=store, **changes)
    path = directory / "config.json"
    path.write_text(json.dumps(section))
    return ConfiguredDirectory(path)


@asynccontextmanager
async def sidecar(directory: ConfiguredDirectory, *before: str) -> AsyncIterator[Process]:
    """One that records; ``before`` is what its command stands behind."""
    log, pid = directory.config.parent / "log", directory.files.pid
    process = Process(directory.config, log)
    process._command = [*before, *process._command]
    # One of before may have left both; what this one writes is waited for.
    said, left = log.stat().st_size, pid.read_text() if pid.exists() else None
    process.start()
    try:
        await until(
            lambda: SidecarLock(directory.files).holder() is not None and pid.read_text() != left,
            "it holds the lock",
            60,
        )
        await until(lambda: b"venues" in log.read_bytes()[said:], "it runs", 60)
        yield process
    finally:
        process.close()


@pytest.fixture
def stranger() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


async def ended(process: Process) -> None:
    await until(lambda: not process.alive, "the sidecar ended", 30)


async def test_a_stranger_with_the_number_of_the_pid_file_lives_and_the_sidecar_ends(
    stranger: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    async with quiet_exchange(Time(1_795_350_000_000)) as sim:
        for number, text_ in enumerate(("number", "mark")):
            directory = place(sim, tmp_path / text_)
            # What a kill leaves, of this version and of one before.
            async with sidecar(directory) as process:
                await process.end(signal.SIGKILL)
                mark = ProcessMark.read(directory.files.pid.read_text())
                assert mark is not None
            old = str(stranger.pid)
            if number:
                old = ProcessMark(
                    stranger.pid, mark.run, mark.host, mark.boot, mark.namespace, mark.started
                ).write()
            directory.files.pid.write_text(old)
            nobody = await directory.stop()
            assert nobody.returncode == 0
            assert "No sidecar is running." in nobody.stdout
            assert stranger.poll() is None
            async with sidecar(directory) as process:
                directory.files.pid.write_text(old)
                stopped = await directory.stop()
                assert stopped.returncode == 0, stopped.stdout + stopped.stderr
                assert f"(pid {stranger.pid}" in stopped.stdout
                await ended(process)
            assert stranger.poll() is None


async def test_a_sidecar_in_another_container_ends_and_the_own_first_process_lives(
    tmp_path: Path,
) -> None:
    if not has_containers():
        pytest.skip("this user may not make namespaces of process ids")
    async with quiet_exchange(Time(1_795_350_000_000)) as sim:
        directory = place(sim, tmp_path)
        async with sidecar(directory, *CONTAINER) as process:
            assert running_pid(directory.files) == 1
            stopped = await directory.stop(*CONTAINER, sys.executable, "-c", INIT)
            assert stopped.returncode == 0, stopped.stdout + stopped.stderr
            assert "The sidecar (pid 1 on " in stopped.stdout
            await ended(process)
    assert not (tmp_path / "signalled").exists()
    assert not SidecarLock(directory.files).running()
    assert [path.name for path in directory.files.kept() if ".stop-" in path.name] == []


async def test_a_store_that_is_locked_does_not_keep_a_sidecar_from_obeying(tmp_path: Path) -> None:
    async with quiet_exchange(Time(1_795_350_000_000)) as sim:
        directory = place(sim, tmp_path)
        async with sidecar(directory) as process:
            engine = open_engine(f"sqlite:///{directory.files.prefix}")
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA locking_mode=EXCLUSIVE")
                stopped = await directory.stop()
            engine.dispose()
            assert stopped.returncode == 0, stopped.stdout + stopped.stderr
            await ended(process)
    assert "Asked to end" in (tmp_path / "log").read_text()


async def test_a_request_of_before_does_not_stop_a_sidecar_that_starts_later(
    tmp_path: Path,
) -> None:
    async with quiet_exchange(Time(1_795_350_000_000)) as sim:
        directory = place(sim, tmp_path)
        directory.files.ask_to_stop("")
        directory.files.ask_to_stop("another")
        wide = directory.files.prefix.with_name(directory.files.prefix.name + ".spool-bad")
        wide.touch(0o644)
        wide.chmod(0o644)
        async with sidecar(directory) as process:
            assert wide.stat().st_mode & 0o777 == 0o600
            assert f"{wide} could be read by others" in (tmp_path / "log").read_text()
            directory.files.ask_to_stop("another")
            await asyncio.sleep(3)
            assert process.alive
            stopped = await directory.stop()
            assert stopped.returncode == 0
            await ended(process)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres.server() as address:
        yield address


def database(server: str, name: str) -> str:
    engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{server}/{name}"


async def test_all_sidecars_of_a_server_are_asked_through_it_wherever_they_are(
    server: str, tmp_path: Path
) -> None:
    url = database(server, "everywhere")
    async with quiet_exchange(Time(1_795_350_000_000)) as sim:
        first, second, caller = (place(sim, tmp_path / name, url) for name in "abc")
        none = await caller.stop()
        assert (none.returncode, none.stdout) == (0, "No sidecar is running.\n")
        engine = open_engine(url)
        async with sidecar(first) as one, sidecar(second) as two:
            await until(lambda: len(sidecar_runs.all_runs(engine)) == 2, "both are known", 60)
            assert not SidecarLock(caller.files).running()
            stopped = await caller.stop()
            assert stopped.returncode == 0, stopped.stdout + stopped.stderr
            assert "2 of 2 sidecars of this store ended." in stopped.stdout
            for process in (one, two):
                assert f"The sidecar (pid {process.pid} on " in stopped.stdout
                await ended(process)
            assert sidecar_runs.all_runs(engine) == []
            # One that starts now has nothing to do with that, and one that was killed is gone.
            async with sidecar(first) as third:
                await until(lambda: len(sidecar_runs.all_runs(engine)) == 1, "it is known", 60)
                await asyncio.sleep(6)
                assert third.alive
                await third.end(signal.SIGKILL)
            again = await caller.stop()
            assert (again.returncode, again.stdout) == (0, "No sidecar is running.\n")
        engine.dispose()


async def test_a_server_that_hangs_keeps_nobody_from_stopping_the_sidecar_beside(
    server: str, tmp_path: Path
) -> None:
    async with quiet_exchange(Time(1_795_350_000_000)) as sim:
        directory = place(sim, tmp_path, database(server, "hung_stop"))
        async with sidecar(directory) as process:
            with postgres.stopped(server):
                stopped = await directory.stop()
                await ended(process)
    assert stopped.returncode == 1
    assert f"The sidecar (pid {process.pid} on " in stopped.stdout
    assert ") ended." in stopped.stdout
    assert "Sidecars on other machines were not asked: the store did not answer" in stopped.stdout


async def test_a_sidecar_that_is_frozen_is_reported_and_obeys_when_it_goes_on(
    tmp_path: Path,
) -> None:
    async with quiet_exchange(Time(1_795_350_000_000)) as sim:
        directory = place(sim, tmp_path)
        async with sidecar(directory) as process:
            os.kill(process.pid, signal.SIGSTOP)
            stopped = await directory.stop()
            assert stopped.returncode == 1
            assert "has not ended yet" in stopped.stdout
            os.kill(process.pid, signal.SIGCONT)
            await ended(process)
