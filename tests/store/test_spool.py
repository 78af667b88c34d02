"""Liquidations that wait on disk."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from liq_provider.errors import StoreUnusable
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.spool import Spool, Waiting
from tests.store.helpers import T0, incoming


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
        batch = spool.take(2).orders
        assert spool.take(2).orders == batch  # until it is in the store
        taken += batch
        assert spool.taken() == 0
    assert taken == some(5)
    assert not path.exists()


def test_a_later_run_takes_up_what_was_left(path: Path) -> None:
    Spool(path).put(some(3))
    spool = Spool(path)
    assert spool.waiting == 3
    spool.put(some(1, first=3))
    assert spool.take(10).orders == some(4)


def test_what_comes_while_it_is_read_waits_behind(path: Path) -> None:
    spool = Spool(path)
    spool.put(some(2))
    spool.take(1)
    spool.taken()
    spool.put(some(1, first=2))
    assert spool.waiting == 2
    assert spool.take(10).orders == some(2, first=1)


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
    assert spool.take(10).orders == some(3)
    assert spool.taken() == 1
    assert spool.waiting == 0


def test_a_file_of_nonsense_is_counted_and_cleared(path: Path) -> None:
    path.write_bytes(b"\x00\xff\n[]\n{}\nnull\n")
    spool = Spool(path)
    assert spool.take(10).orders == []
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
    spool = Spool(path.with_name("another"))
    spool._path = path
    assert spool.put(some(2)) == 0
    assert spool.waiting == 0


def test_a_file_that_somebody_removed_ends_the_wait(path: Path) -> None:
    spool = Spool(path)
    spool.put(some(2))
    path.write_bytes(b"")
    assert spool.take(10).orders == []
    spool.taken()
    assert spool.waiting == 0


# -- what is read is trusted as little as a frame


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize(
    "change",
    [
        {"price": None},
        {"price": "50000"},
        {"price": -50_000.0},
        {"price": True},
        {"quantity": 0},
        {"notional_usd": -5_000.0},
        {"notional_usd": 2e10, "price": 1e13},
        {"notional_usd": 101.0},  # is not price times quantity
        {"position_side": "lnng"},
        {"venue": "binancg"},
        {"venue": ["bybit"]},
        {"market_id": 7},
        {"market_id": ""},
        {"pair": "BTC\x00"},
        {"base_asset": "X" * 100},
        {"event_ms": T0 / 1000},
        {"event_ms": T0 // 1000},
        {"received_ms": str(T0)},
        {"received_ms": 10**30},
        {"ordinal": -1},
        {"ordinal": 0.5},
        {"more": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("checksummed", [True, False])
def test_a_line_that_no_exchange_could_have_sent_is_set_aside(
    path: Path, change: dict[str, Any], checksummed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    good, other = some(2)
    raw = asdict(good)
    raw["liquidation"] |= change
    payload = _json(raw)
    bad = (b"%08x " % crc32(payload) if checksummed else b"") + payload + b"\n"
    path.write_bytes(_json(asdict(good)) + b"\n" + bad)
    spool = Spool(path)
    spool.put([other])
    assert spool.take(10).orders == [good, other]
    assert spool.taken() == 1
    assert (spool.waiting, spool.set_aside) == (0, 1)
    assert lines_of(path.with_name(path.name + "-bad")) == [bad]
    assert "1 lines of" in caplog.text


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("since_ms", [None, "0", -1, True, 12.5, T0 // 1000])
def test_a_beginning_that_is_no_time_is_set_aside(path: Path, since_ms: Any) -> None:
    path.write_bytes(_json(asdict(some(1)[0]) | {"since_ms": since_ms}) + b"\n")
    spool = Spool(path)
    assert spool.take(10).orders == []
    assert spool.taken() == 1


def test_a_byte_that_changed_on_disk_is_noticed(path: Path) -> None:
    Spool(path).put(some(3))
    lines = lines_of(path)
    # Still a liquidation, and one that any exchange could have sent.
    lines[1] = lines[1].replace(b'"long"', b'"short"')
    path.write_bytes(b"".join(lines))
    spool = Spool(path)
    assert spool.take(10).orders == [some(3)[0], some(3)[2]]
    assert spool.taken() == 1


def test_lines_of_an_older_version_are_still_read(path: Path) -> None:
    path.write_bytes(b"".join(_json(asdict(item)) + b"\n" for item in some(3)))
    assert Spool(path).take(10).orders == some(3)


def test_what_is_set_aside_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liq_provider.store.spool._MAX_ASIDE_BYTES", 1_000)
    path.write_bytes(b"nonsense\n" * 500)
    spool = Spool(path)
    spool.take(1_000)
    assert spool.taken() == spool.set_aside == 500
    assert path.with_name(path.name + "-bad").stat().st_size <= 1_000


def test_copies_are_told_from_the_others(path: Path) -> None:
    spool = Spool(path)
    spool.put(some(2))
    spool.put(some(2, first=2), copies=True)
    spool.put(some(1, first=4))
    taken = []
    while spool.waiting:
        taken.append(spool.take(10))
        spool.taken()
    assert taken == [
        Waiting(some(2)),
        Waiting(some(2, first=2), copies=True),
        Waiting(some(1, first=4)),
    ]


def test_a_file_that_is_no_file_stops_nobody(path: Path) -> None:
    path.mkdir()
    spool = Spool(path)
    assert (spool.waiting, spool.put(some(1))) == (0, 0)
    assert str(path) in (spool.error or "")


def test_what_comes_after_somebody_took_the_file_away_is_not_lost(path: Path) -> None:
    spool = Spool(path)
    spool.put(some(3))
    spool.take(2)
    spool.taken()
    path.unlink()
    spool.put(some(1, first=3))
    assert spool.take(10).orders == some(1, first=3)
    spool.taken()
    assert spool.waiting == 0


def removed(spool: Spool) -> tuple[int, list[tuple[str, str, int]]]:
    removed = spool.removed()
    return removed.lines, sorted(removed.minutes)


MINUTES = [("bybit", "BTC", T0)]


def test_what_was_taken_away_is_told_and_waited_for_no_more(path: Path) -> None:
    spool = Spool(path)
    spool.put(some(3))
    spool.take(1)
    spool.taken()
    path.unlink()
    assert spool.take(10) == Waiting([])
    assert spool.waiting == 0
    assert removed(spool) == (2, MINUTES)
    assert removed(spool) == (0, [])
    spool.put(some(2, first=3))
    assert spool.take(10).orders == some(2, first=3)


@pytest.mark.parametrize("taken", [0, 1])
def test_what_was_taken_away_before_more_came_is_told_as_well(path: Path, taken: int) -> None:
    spool = Spool(path)
    spool.put(some(3))
    for _ in range(taken):
        spool.take(1)
        spool.taken()
    path.unlink()
    spool.put(some(5, first=3))
    assert removed(spool) == (3 - taken, MINUTES)
    assert (spool.waiting, spool.take(10).orders) == (5, some(5, first=3))
    spool.taken()
    assert (spool.waiting, removed(spool)) == (0, (0, []))


def test_a_file_that_was_cut_is_told(path: Path) -> None:
    spool = Spool(path)
    spool.put(some(3))
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    assert spool.take(10).orders == some(1)
    assert removed(spool) == (3, MINUTES)
    spool.taken()
    assert spool.waiting == 0


def test_a_backups_file_in_its_place_is_taken_up(path: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    Spool(backup).put(some(7))
    spool = Spool(path)
    spool.put(some(2, first=7))
    backup.replace(path)
    assert spool.take(10).orders == some(7)
    assert removed(spool) == (2, MINUTES)
    spool.taken()
    assert spool.waiting == 0


def test_a_call_that_had_some_in_hand_when_they_were_taken_away_spoils_no_later_ones(
    path: Path,
) -> None:
    spool = Spool(path)
    spool.put(some(3))
    spool.take(2)
    path.unlink()
    spool.put(some(4, first=3))
    assert spool.taken() == 0
    assert spool.take(10).orders == some(4, first=3)


def test_a_file_that_cannot_be_read_is_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: Path, **_options: Any) -> None:
        raise OSError(5, "Input/output error")

    spool = Spool(path)
    spool.put(some(3))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", fail)
        with pytest.raises(StoreUnusable):
            spool.take(10)
    assert spool.take(10).orders == some(3)
    assert removed(spool) == (0, [])
