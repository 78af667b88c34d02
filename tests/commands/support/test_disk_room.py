"""A disk that will be full before long is told of."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from liq_provider.commands.support.disk_room import disk_remark

DAY = 86_400_000
MB = 1_000_000
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A hundred MB that came in ten days, on a disk that has another hundred."""
    path = tmp_path / "store.sqlite"
    with path.open("wb") as file:
        file.truncate(100 * MB)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 100 * MB))
    return f"sqlite:///{path}"


def test_a_store_that_outgrows_its_disk_within_a_month_is_told_of(store: str) -> None:
    said = disk_remark(store, (0, 10 * DAY), None)
    assert said == ("it grows by 10 MB a day, and its disk has 100 MB left: enough for 10 days")


@pytest.mark.parametrize(
    ("span", "keep_days"),
    [
        ((0, 40 * DAY), None),  # slower: enough for 40 days
        ((0, 10 * DAY), 10),  # as large as it gets
        ((0, 10 * DAY), 19),
        ((0, DAY // 2), None),  # too young to tell
        (None, None),
    ],
)
def test_a_store_that_has_room_is_not(
    store: str, span: tuple[int, int] | None, keep_days: float | None
) -> None:
    assert disk_remark(store, span, keep_days) is None


def test_a_server_looks_after_its_own_disk(store: str) -> None:
    assert disk_remark("postgresql+psycopg://u@host/name", (0, 10 * DAY), None) is None
