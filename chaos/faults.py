"""How each fault is done, and undone."""

import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol

import requests
from sqlalchemy import create_engine, text

from chaos.postgres import NoServer
from chaos.schedule import Fault
from chaos.world import World

Undo = Callable[[], None]

_TMPFS_MB = 48
_LEFT_BYTES = 4096


class NotPossible(Exception):
    """This fault cannot be had on this machine; the message says why."""


class Breaker(Protocol):
    """Begins a fault; what it returns ends it."""

    def __call__(self, world: World, fault: Fault) -> Undo: ...


def kill(world: World, fault: Fault) -> Undo:
    """SIGKILL, and a new start when the fault is over."""
    member = world.member(fault.target)
    member.kill()
    return member.start


def freeze(world: World, fault: Fault) -> Undo:
    """SIGSTOP and SIGCONT."""
    member = world.member(fault.target)
    member.signal(signal.SIGSTOP)
    return lambda: member.signal(signal.SIGCONT)


def lock_store(world: World, fault: Fault) -> Undo:
    """Somebody else's transaction holds what everybody needs."""
    release, locked = threading.Event(), threading.Event()
    hold = _hold_postgres if world.server is not None else _hold_sqlite
    thread = threading.Thread(target=hold, args=(world.store_url, locked, release), daemon=True)
    thread.start()
    locked.wait(10)

    def undo() -> None:
        release.set()
        thread.join(20)

    return undo


def _hold_sqlite(url: str, locked: threading.Event, release: threading.Event) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10)) as connection:
        connection.isolation_level = None
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            return  # its disk is full, or somebody was first: locked enough
        finally:
            locked.set()
        release.wait()
        connection.execute("ROLLBACK")


def _hold_postgres(url: str, locked: threading.Event, release: threading.Event) -> None:
    engine = create_engine(url, connect_args={"connect_timeout": 5})
    try:
        with engine.connect() as connection:
            # Also against readers, as a careless ALTER TABLE does.
            connection.execute(text("LOCK TABLE liquidations, state IN ACCESS EXCLUSIVE MODE"))
            locked.set()
            release.wait()
    except Exception:
        locked.set()  # the server is away: nobody can have it
    finally:
        engine.dispose()


def hang_server(world: World, fault: Fault) -> Undo:
    """SIGSTOP of the whole server: it accepts connections and never answers."""
    server = world.server
    assert server is not None
    server.hang()
    return server.go_on


def kill_server(world: World, fault: Fault) -> Undo:
    """The server dies in the middle of everything."""
    server = world.server
    assert server is not None
    server.kill()

    def undo() -> None:
        for _ in range(20):
            try:
                server.start()
                return
            except NoServer:
                time.sleep(0.5)

    return undo


def full_disk(world: World, fault: Fault) -> Undo:
    """Where store and spool lie, not a byte is left."""
    directory = world.disks[fault.target]
    if not is_own_disk(directory):
        raise NotPossible("no tmpfs could be mounted")
    ballast = directory / "ballast"
    with ballast.open("wb", buffering=0) as file:
        size = 1 << 20
        while size >= _LEFT_BYTES:
            try:
                if file.write(bytes(size)) < size:
                    size //= 2
            except OSError:
                size //= 2
    return lambda: ballast.unlink(missing_ok=True)


def is_own_disk(directory: Path) -> bool:
    """:return: whether a file system of its own is mounted there"""
    return directory.is_mount()


def mount_disk(directory: Path) -> bool:
    """:return: whether a small disk could be mounted there"""
    directory.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={_TMPFS_MB}m", "tmpfs", str(directory)]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def unmount_disk(directory: Path) -> None:
    """Give the disk back, if there is one."""
    if is_own_disk(directory):
        subprocess.run(["umount", "-l", str(directory)], capture_output=True)  # noqa: S607


def venue_fault(world: World, fault: Fault) -> Undo:
    """What the exchange does to its clients; it ends by itself."""
    body = {"venue": fault.target, "kind": fault.kind, "seconds": fault.seconds}
    if fault.kind == "late":
        body["delay_s"] = fault.amount
    try:
        world.ask("POST", "/sim/fault", body)
    except requests.RequestException as error:
        raise NotPossible(f"the exchange does not take it: {error}") from error
    return lambda: None


def clock_jump(world: World, fault: Fault) -> Undo:
    """The process sees another time of day, and later the right one again."""
    member = world.member(fault.target)
    member.set_clock(fault.amount)
    return lambda: member.set_clock(0)


BREAKERS: dict[str, Breaker] = {
    "kill": kill,
    "freeze": freeze,
    "lock_store": lock_store,
    "hang_server": hang_server,
    "kill_server": kill_server,
    "full_disk": full_disk,
    "garbage": venue_fault,
    "disconnect": venue_fault,
    "late": venue_fault,
    "duplicate": venue_fault,
    "clock_jump": clock_jump,
}
