"""Files that only their owner may read, whatever the umask, and that no link leads away."""

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from liq_provider.bot.autostart import Autostart
from liq_provider.core import private_files
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.sidecar.sidecar_lock import SidecarLock
from liq_provider.store.database import open_engine
from liq_provider.store.spool import Spool
from liq_provider.store.writer import Writer
from tests.sidecars import running_pid
from tests.store.helpers import incoming


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def leave_everything(files: SidecarFiles) -> None:
    """All that bot and sidecar leave beside a store while they run."""
    writer = Writer(open_engine(f"sqlite:///{files.prefix}"))
    writer.append([incoming()])
    Spool(files.spool).put([incoming()])
    files.spool.with_name(files.spool.name + "-bad").unlink(missing_ok=True)
    Spool(files.spool).put_aside(incoming())
    files.beat({"dry_run": True})
    files.ask_to_stop("")
    writer.close()


def leave_a_log(files: SidecarFiles) -> None:
    autostart = Autostart(files, {})  # with such settings it ends at once
    autostart.ensure()
    assert autostart._process is not None
    autostart._process.wait(90)


@pytest.mark.processes
def test_what_lies_beside_a_store_is_for_its_owner_alone(umask: int, tmp_path: Path) -> None:
    files = SidecarFiles(tmp_path / "store.sqlite")
    held = Writer(open_engine(f"sqlite:///{files.prefix}"))
    leave_a_log(files)
    with held.engine.connect(), SidecarLock(files).held():
        leave_everything(files)
        kept = {path.name.removeprefix("store.sqlite"): mode(path) for path in files.kept()}
        bots = [name for name in kept if name.startswith(".bot-")]
        assert set(kept) >= {"", "-wal", "-shm", ".lock", ".pid", ".log", ".spool", ".spool-bad"}
        assert ".stop-any" in kept and len(bots) == 1
        assert {oct(kept_file) for kept_file in kept.values()} == {"0o600"}
        assert {path.name for path in tmp_path.iterdir()} == {path.name for path in files.kept()}
    held.close()


@pytest.mark.processes
def test_a_directory_that_is_shared_on_purpose_shares_them_with_its_group(
    umask: int, tmp_path: Path
) -> None:
    tmp_path.chmod(0o2770)
    files = SidecarFiles(tmp_path / "store.sqlite")
    leave_a_log(files)
    with SidecarLock(files).held():
        leave_everything(files)
        assert {oct(mode(path)) for path in files.kept()} == {"0o660"}


def test_files_of_before_are_narrowed_and_strangers_files_are_not(tmp_path: Path) -> None:
    files = SidecarFiles(tmp_path / "store.sqlite")
    endings = ("", "-wal", ".lock", ".log", ".log.1", ".bot-host-7", ".spool-bad")
    ours = [tmp_path / f"store.sqlite{ending}" for ending in endings]
    others = [tmp_path / name for name in ("store.sqlite.bak", "config.json", "store.sqlite2")]
    for path in (*ours, *others):
        path.write_text("x")
        path.chmod(0o644)
    linked = tmp_path / "store.sqlite.pid"
    linked.symlink_to(others[0])
    (tmp_path / "store.sqlite.spool").touch(0o400)
    assert set(private_files.narrow(files.kept())) == set(ours)
    assert {oct(mode(path)) for path in ours} == {"0o600"}
    assert {oct(mode(path)) for path in others} == {"0o644"}
    assert mode(tmp_path / "store.sqlite.spool") == 0o400
    assert private_files.narrow(files.kept()) == []


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    files = SidecarFiles(tmp_path / "store.sqlite")
    victim = tmp_path / "precious"
    victim.write_text("precious")
    heartbeat = files.heartbeat()
    for path in (files.pid, heartbeat, heartbeat.with_name(f".{heartbeat.name}.{os.getpid()}")):
        path.symlink_to(victim)
    files.beat({"dry_run": True})
    with SidecarLock(files).held() as first:
        assert first
        assert running_pid(files) == os.getpid()
    assert victim.read_text() == "precious"
    for path in (files.log, files.spool):
        path.symlink_to(victim)
    spool = Spool(files.spool)
    assert spool.put([incoming()]) == 0
    assert spool.error is not None and str(files.spool) in spool.error
    with pytest.raises(OSError, match=r"store\.sqlite\.log"):
        Autostart(files, {}).ensure()
    files.lock.unlink()
    files.lock.symlink_to(victim)
    assert not SidecarLock(files).running()
    assert victim.read_text() == "precious"
    assert mode(victim) == 0o644


def test_a_report_replaces_a_link_and_is_as_open_as_the_umask_says(
    umask: int, tmp_path: Path
) -> None:
    victim, page = tmp_path / "precious", tmp_path / "page.html"
    victim.write_text("precious")
    page.symlink_to(victim)
    private_files.replace_text(page, "ours", for_all=True)
    assert (victim.read_text(), page.read_text()) == ("precious", "ours")
    assert mode(page) == 0o666 & ~umask


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    """As /dev/null has to, which root could replace."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as reader:
        heard = reader.submit(pipe.read_text)
        private_files.replace_text(pipe, "a figure", for_all=True)
        assert heard.result(60) == "a figure"
    assert pipe.is_fifo()


def test_a_link_that_hangs_in_the_air_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError), open(path, "ab", opener=private_files.opener):
        pass
    private_files.make(path)
    private_files.replace_text(path, "ours")
    assert not (tmp_path / "elsewhere").exists()
    assert path.read_text() == "ours" and not path.is_symlink()
