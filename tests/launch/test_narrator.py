"""What the launchers say of a trade."""

import time
from pathlib import Path
from typing import Any

import pytest

from liq_provider.config.settings import Settings
from liq_provider.core.durations import MINUTE_MS
from liq_provider.launch import narrator as narrator_module
from liq_provider.launch.narrator import Narrator
from liq_provider.measure.readiness import READY, Readiness, ReadinessReport
from liq_provider.store.reader import Reader
from tests.bot.helpers import Store, at, settings, stored, verdict


def trade(**changes: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "pair": "SOL/USDT:USDT",
        "is_short": False,
        "enter_tag": "liq_long_strong_high",
        "open_rate": 193.11,
        "stop_loss": 189.25,
        "is_stop_loss_trailing": False,
        "is_open": True,
    } | changes


def test_the_stop_is_told_once_the_strategy_has_set_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrator = make(tmp_path)
    told = []
    # Freqtrade begins with the class's own stop, at a hundredth of the price.
    for stop in (1.94, 189.25, 189.25, 192.0):
        monkeypatch.setattr(narrator, "trades", lambda stop=stop: [trade(stop_loss=stop)])
        told.append([line.split(maxsplit=1)[0] for line in narrator._trade_changes()])
    assert told == [["entry"], ["stop"], [], ["stop"]]


def test_the_countdown_is_told_at_once_then_seldom_and_a_venue_that_is_lost_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = round(time.time() * 1000) + 90 * 60_000
    cold = Readiness("warming_up", "warming up: 3 of 72", soon)
    lost = Readiness("unknown", "okx is silent: nothing comes")
    narrator = make(tmp_path)
    narrator._feeds["okx"] = "live"
    elapsed_s = 0.0
    monkeypatch.setattr(narrator_module.time, "monotonic", lambda: elapsed_s)
    told = []
    for whole, okx in ((cold, READY), (cold, READY), (cold, lost), (READY, lost), (READY, READY)):
        elapsed_s += 60
        report = ReadinessReport(0, whole, {"okx": okx}, {})
        monkeypatch.setattr(narrator_module, "readiness_now", lambda *_, report=report: report)
        told.append(list(narrator._readiness_changes()))
    assert told[0][0].startswith("entries    warming up: 3 of 72; possible from 20")
    assert told[0][0].endswith("UTC (in 1 h 29 min)") or told[0][0].endswith("(in 1 h 30 min)")
    assert told[1:] == [
        [],
        ["venue      okx is silent: nothing comes"],
        ["entries    entries are possible"],
        ["venue      okx counts again"],
    ]
    elapsed_s += 400
    assert list(narrator._readiness_changes()) == []
    report = ReadinessReport(0, cold, {"okx": READY}, {})
    monkeypatch.setattr(narrator_module, "readiness_now", lambda *_: report)
    for waited_s, lines in ((10, 1), (100, 0), (201, 1)):
        elapsed_s += waited_s
        assert len(list(narrator._readiness_changes())) == lines


def test_a_minute_that_was_settled_before_the_first_look_is_told(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite")
    since_ms = 1_795_350_017_000
    before_ms, close_ms = since_ms - since_ms % MINUTE_MS, since_ms - since_ms % MINUTE_MS + 60_000
    store.settle(before_ms, [stored("BTC", before_ms, 9, 0.5)])
    store.settle(close_ms, [stored("XRP", close_ms, 9, 0.5)])
    narrator = make(tmp_path, since_ms)
    told = ["refused    XRP: z 9.0, $1,000,000, but purity 50% is not above 75%"]
    assert list(narrator._refused_segments()) == told
    assert list(narrator._refused_segments()) == []
    assert narrator.tally.refused == {("XRP", "-", close_ms): "purity 50% is not above 75%"}
    store.close()


def test_a_segment_that_is_too_small_hides_no_mixed_one_and_each_is_told_once(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path / "store.sqlite")
    narrator = make(tmp_path)
    first_ms = 1_795_350_000_000
    for number, usd in enumerate((10_000, 12_000, 1e6, 2e6)):
        close_ms = first_ms + number * MINUTE_MS
        store.settle(close_ms, [stored("XRP", close_ms, 9, 0.5, usd=usd)])
    assert list(narrator._refused_segments()) == [
        "refused    XRP: z 9.0, $10,000, but $10,000 is less than min_segment_usd 25,000",
        "refused    XRP: z 9.0, $1,000,000, but purity 50% is not above 75%",
    ]
    store.close()


def test_verdicts_of_before_are_not_told(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite")
    close_ms = 1_795_350_000_000
    store.judge(verdict(close_ms) | {"expires_at": close_ms + 61_000})
    old = make(tmp_path, close_ms + 600_000)
    assert list(old._new_verdicts()) == []
    assert [line[:10] for line in make(tmp_path, close_ms)._new_verdicts()] == [
        "wave      ",
        "verdict   ",
    ]
    store.close()


def test_what_was_turned_away_is_told_by_the_gate_that_failed(tmp_path: Path) -> None:
    own, store = settings(), Store(tmp_path / "store.sqlite")
    narrator = Narrator(Reader(store.url), own, store.path.with_name("none.sqlite"), at(1))
    store.settle(at(1))
    assert list(narrator._refused_segments()) == []
    rows = [
        stored("BTC", at(2), 9.0, 0.51),
        stored("ETH", at(2), 9.0, 0.98, count=2),
        stored("SOL", at(2), 9.0, 0.98, usd=9_000.0),
        stored("XRP", at(2), 9.0, 0.98, count=1),
    ]
    store.settle(at(2), rows)
    assert list(narrator._refused_segments()) == [
        "refused    BTC: z 9.0, $1,000,000, but purity 51% is not above 75%",
        "refused    ETH: z 9.0, $1,000,000, but 2 liquidations are fewer than min_count 3",
        "refused    SOL: z 9.0, $9,000, but $9,000 is less than min_segment_usd 25,000",
        "refused    XRP: z 9.0, $1,000,000, but 1 liquidation is fewer than min_count 3",
    ]


def make(tmp_path: Path, since_ms: int = 0) -> Narrator:
    reader = Reader(f"sqlite:///{tmp_path / 'store.sqlite'}")
    return Narrator(reader, Settings(), tmp_path / "trades.sqlite", since_ms)
