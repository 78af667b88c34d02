"""Windows of the market table, against the whole of what is stored."""

from pathlib import Path

import pytest

from liq_provider.dashboard import recent_sums as module
from liq_provider.dashboard.queries import PageReader
from liq_provider.dashboard.recent_sums import RecentSums
from tests.sidecar.test_settle_minute import Store
from tests.store.helpers import MINUTE, T0

LENGTHS = (5, 10, 60, 240, 1_440)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOADING_S", 60.0)


def totals(windows: RecentSums) -> dict[int, float]:
    """What each window shows of all coins, in USD."""
    sums = {}
    for minutes in LENGTHS:
        window = windows.window(minutes)
        assert window is not None, minutes
        sums[minutes] = sum(longs + shorts for longs, shorts, *_ in window.sums.values())
    return sums


def test_what_was_liquidated_this_second_is_in_every_window(tmp_path: Path) -> None:
    store = Store(tmp_path)
    reader = PageReader(store.reader.url)
    windows = RecentSums(reader, LENGTHS)
    store.put(-30, 1_000.0)
    windows.refresh(T0 + MINUTE, T0)
    before = totals(windows)
    assert (before[5], before[10], before[60], before[1_440]) == (0, 0, 1_000, 1_000)
    store.put(0, 2_000_000.0, base_asset="ETH", pair="ETH/USDT:USDT")
    windows._due_s = 0.0
    windows.refresh(T0 + MINUTE, T0)
    after = totals(windows)
    assert after == {5: 2e6, 10: 2e6, 60: 2_001_000, 240: 2_001_000, 1_440: 2_001_000}
    store.writer.close()


@pytest.mark.parametrize("shift_min", [0, 1, 7, 10, 13])
def test_a_window_is_the_sum_of_its_minutes_wherever_it_begins(
    tmp_path: Path, shift_min: int
) -> None:
    store = Store(tmp_path)
    for minute in range(-1_460, 16, 3):
        store.put(minute, 1_000.0 + minute)
    reader = PageReader(store.reader.url)
    windows = RecentSums(reader, LENGTHS)
    for step in range(shift_min + 1):
        close_ms = T0 + (step + 1) * MINUTE
        windows._due_s = 0.0
        windows.refresh(close_ms, close_ms - MINUTE)
    for minutes in LENGTHS:
        window = windows.window(minutes)
        assert window is not None and window.to_ms == close_ms
        plain = reader.sums(close_ms - minutes * MINUTE, close_ms)
        assert {key: pytest.approx(value[:3]) for key, value in plain.items()} == {
            key: value[:3] for key, value in window.sums.items()
        }
    store.writer.close()


def test_a_sidecar_that_does_not_settle_does_not_make_windows_old(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(0, 500.0)
    windows = RecentSums(PageReader(store.reader.url), LENGTHS)
    windows.refresh(T0 + MINUTE, 0)
    assert totals(windows) == dict.fromkeys(LENGTHS, 500)
    store.writer.close()


def test_what_is_imported_into_the_past_is_seen_after_a_while(tmp_path: Path) -> None:
    store = Store(tmp_path)
    windows = RecentSums(PageReader(store.reader.url), LENGTHS)
    windows.refresh(T0 + MINUTE, T0)
    store.put(-700, 9_000.0)
    for _ in range(200):
        windows._due_s = 0.0
        windows.refresh(T0 + MINUTE, T0)
    assert totals(windows)[1_440] == 9_000
    store.writer.close()


def test_a_window_that_is_not_read_yet_is_not_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOADING_S", -1.0)
    store = Store(tmp_path)
    windows = RecentSums(PageReader(store.reader.url), LENGTHS)
    windows.refresh(T0 + MINUTE, T0)
    assert windows.window(10) is not None and windows.window(1_440) is None
    for _ in range(150):
        windows._due_s = 0.0
        windows.refresh(T0 + MINUTE, T0)
    assert windows.window(1_440) is not None
    store.writer.close()


def test_the_known_share_is_that_of_the_window(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.past(40)
    shares = PageReader(store.reader.url).known_shares(("bybit", "okx"), T0 - 80 * MINUTE, T0)
    assert shares["bybit"] == pytest.approx(0.5, abs=0.02) and not shares.get("okx")
    store.writer.close()
