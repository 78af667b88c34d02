"""Liquidations that wait on disk."""

from pathlib import Path

import pytest

from liq_provider.store.booking import Incoming
from liq_provider.store.spool import Spool

from .helpers import T0, incoming


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.spool"


def some(count: int, first: int = 0) -> list[Incoming]:
    return [incoming(T0 + n, since_ms=T0 - 5, ordinal=n % 2) for n in range(first, first + count)]


def test_everything_comes_back_in_order(path: Path) -> None:
    spool = Spool(path)
    assert spool.put(some(3)) == 3
    assert spool.put(some(2, first=3)) == 2
    assert spool.waiting == 5
    taken = []
    while spool.waiting:
        batch = spool.take(2)
        assert spool.take(2) == batch  # until it is in the store
        taken += batch
        assert spool.taken() == 0
    assert taken == some(5)
    assert not path.exists()


def test_a_later_run_takes_up_what_was_left(path: Path) -> None:
    Spool(path).put(some(3))
    spool = Spool(path)
    assert spool.waiting == 3
    spool.put(some(1, first=3))
    assert spool.take(10) == some(4)


def test_what_comes_while_it_is_read_waits_behind(path: Path) -> None:
    spool = Spool(path)
    spool.put(some(2))
    spool.take(1)
    spool.taken()
    spool.put(some(1, first=2))
    assert spool.waiting == 2
    assert spool.take(10) == some(2, first=1)


def test_more_than_fits_is_refused(path: Path) -> None:
    Spool(path).put(some(1))
    size = path.stat().st_size
    spool = Spool(path, max_bytes=3 * size + 1)
    assert spool.put(some(5, first=1)) == 2
    assert spool.put(some(1)) == 0
    assert spool.waiting == 3
    assert path.stat().st_size == 3 * size


def test_a_line_that_a_crash_broke_spoils_no_other(path: Path) -> None:
    Spool(path).put(some(2))
    with path.open("ab") as file:
        file.write(b'{"liquidation":{"venue":"byb')
    spool = Spool(path)
    assert spool.waiting == 3
    spool.put(some(1, first=2))
    assert spool.take(10) == some(3)
    assert spool.taken() == 1
    assert spool.waiting == 0


def test_a_file_of_nonsense_is_counted_and_cleared(path: Path) -> None:
    path.write_bytes(b"\x00\xff\n[]\n{}\nnull\n")
    spool = Spool(path)
    assert spool.take(10) == []
    assert spool.taken() == 4
    assert spool.waiting == 0
    assert not path.exists()


def test_a_spool_that_cannot_be_written_takes_nothing(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(path / "not" / "there")
    assert spool.put(some(2)) == 0
    assert spool.waiting == 0
    assert "cannot be written" in caplog.text


def test_a_full_disk_leaves_no_half_line(path: Path) -> None:
    # The kernel's own full device: every write fails with ENOSPC.
    path.symlink_to("/dev/full")
    spool = Spool(Path("/dev/null"))
    spool._path = path
    assert spool.put(some(2)) == 0
    assert spool.waiting == 0


def test_a_file_that_somebody_removed_ends_the_wait(path: Path) -> None:
    spool = Spool(path)
    spool.put(some(2))
    path.write_bytes(b"")
    assert spool.take(10) == []
    spool.taken()
    assert spool.waiting == 0
