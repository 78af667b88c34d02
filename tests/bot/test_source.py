"""The live snapshot: what is read, when it is stale, and that it never raises."""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liq_provider.bot.snapshot import Snapshot
from liq_provider.bot.source import HistorySource, LiveSource
from liq_provider.config.measuring import feature_params_of, windows_of
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import Market
from liq_provider.measure.minute_results import NewestMinutes
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.minute_features import compute
from liq_provider.store.reader import Reader
from tests.bot.helpers import Store, at, live_source, settings, stored, verdict

NOW = at(10) + 3_000


def source(store: Store, **section: Any) -> LiveSource:
    return live_source(store.url, settings(**section))


def problem(live: LiveSource, now_ms: int = NOW) -> str | None:
    live.refresh()
    return live.snapshot.problem(now_ms, settings())


# -- what is new --------------------------------------------------------------------------


def test_only_coins_that_changed_are_reported(store: Store) -> None:
    live = source(store)
    store.settle(at(9), [stored("BTC", at(9), 5, 0.9), stored("ETH", at(9), 1, 0.5)])
    assert live.refresh() == {"BTC", "ETH"}
    assert live.refresh() == set()
    store.settle(at(10), [stored("ETH", at(10), 2, 0.5)])
    assert live.refresh() == {"ETH"}
    rows = live.rows("ETH")
    assert rows is not None
    assert list(rows.close_ms) == [at(9), at(10)]
    assert live.rows("SOL") is None


def test_a_verdict_is_seen_in_the_next_refresh(store: Store) -> None:
    live = source(store)
    store.settle(at(10))
    live.refresh()
    store.judge(verdict(10))
    assert live.refresh() == {"BTC"}
    assert [row["base_asset"] for row in live.verdicts("BTC")] == ["BTC"]
    assert live.verdicts("ETH") == []


def test_a_verdict_that_lives_longer_is_a_change(store: Store) -> None:
    live = source(store)
    store.settle(at(10))
    store.judge(verdict(10))
    live.refresh()
    store.confirm(verdict(10), at(11))
    assert live.refresh() == {"BTC"}
    assert live.verdicts("BTC")[0]["expires_at"] == at(11) + 32_000


def test_two_verdicts_of_the_same_millisecond_are_both_seen(store: Store) -> None:
    live = source(store)
    store.settle(at(10))
    store.judge(verdict(10))
    assert live.refresh() == {"BTC"}
    store.judge(verdict(10, base="ETH"))  # same available_at, written a moment later
    assert live.refresh() == {"ETH"}


def test_what_was_read_before_an_error_is_still_reported(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = source(store)
    store.settle(at(10), [stored("BTC", at(10), 5, 0.9)])
    store.judge(verdict(10))
    with monkeypatch.context() as patch:
        from liq_provider.errors import StoreBusy

        def busy(*_: Any) -> Any:
            raise StoreBusy("Reading the store: the store is locked by another process")

        patch.setattr(Reader, "verdicts", busy)
        assert live.refresh() == {"BTC"}
        assert "locked" in str(live.snapshot.problem(NOW, settings()))
    assert live.refresh() == {"BTC"}
    assert len(live.verdicts("BTC")) == 1
    assert live.snapshot.problem(NOW, settings()) is None


# -- when it must not be traded on --------------------------------------------------------


def test_before_the_first_minute_nothing_is_entered(store: Store) -> None:
    live = source(store)
    assert problem(live) == "the sidecar has not settled a minute yet"


def test_old_data_is_a_problem_with_its_age(store: Store) -> None:
    live = source(store)
    store.settle(at(10))
    assert problem(live, at(10) + 90_000) is None
    text = problem(live, at(10) + 91_000)
    assert text == "liquidation data is 91 s old (max_staleness_s)"


@pytest.mark.parametrize("skew_ms", [501, -1_200])
def test_a_clock_that_is_off_is_a_problem(store: Store, skew_ms: int) -> None:
    live = source(store)
    store.settle(at(10), skew_ms=skew_ms)
    assert "max_skew_ms" in str(problem(live))


def test_a_clock_that_was_not_compared_is_a_problem() -> None:
    assert "clock" in str(Snapshot(NOW, 0, {"skew_ms": None}).problem(NOW, settings()))


def test_no_live_feed_at_all_is_a_problem_and_names_them() -> None:
    def problem_with(**states: str) -> str | None:
        feeds = {name: {"state": state} for name, state in states.items()}
        return Snapshot(NOW, 0, {"skew_ms": 0, "feeds": feeds}).problem(NOW, settings())

    assert problem_with(okx="down", binance="silent") == "no feed is live: binance silent, okx down"
    assert problem_with(okx="down", binance="live") is None


def test_a_missing_store_is_a_problem_and_no_exception(tmp_path: Path) -> None:
    live = live_source(f"sqlite:///{tmp_path / 'none.sqlite'}")
    assert problem(live)
    assert not (tmp_path / "none.sqlite").exists()


def test_a_store_that_vanishes_is_a_problem_until_it_is_back(store: Store) -> None:
    live = source(store)
    store.settle(at(10), [stored("BTC", at(10), 5, 0.9)])
    assert problem(live) is None
    store.close()
    away = store.path.with_suffix(".away")
    shutil.move(store.path, away)
    assert problem(live)
    assert live.rows("BTC") is not None
    shutil.move(away, store.path)
    assert problem(live) is None


def test_a_damaged_store_is_a_problem_and_no_exception(store: Store) -> None:
    store.settle(at(10))
    store.close()
    store.path.write_bytes(b"no database at all" * 1000)
    assert problem(source(store))


def test_a_store_that_somebody_locks_is_a_problem(store: Store) -> None:
    store.settle(at(10))
    store.close()
    with sqlite3.connect(store.path) as connection:
        # With a write-ahead log nobody can lock a reader out; other programs may change that.
        connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()
    live = live_source(store.url, wait_s=0.5)  # as patient as a bot's reader
    assert problem(live) is None
    with sqlite3.connect(store.path) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        assert "locked" in str(problem(live))
        holder.rollback()
    holder.close()
    assert problem(live) is None


# -- other windows than the sidecar's -----------------------------------------------------


def _fill(store: Store, hours: int = 10) -> int:
    """Minutes of two coins; returns the close of the last one."""
    rng = np.random.default_rng(7)
    minutes = hours * 60
    items = []
    for base in ("BTC", "ETH"):
        for minute in rng.choice(minutes, 300, replace=False):
            event_ms = at(int(minute)) + int(rng.integers(0, 60_000))
            usd = float(rng.lognormal(8, 1.5))
            items.append(
                Liquidation(
                    "binance",
                    f"{base}USDT",
                    f"{base}/USDT:USDT",
                    base,
                    "long" if rng.random() < 0.5 else "short",
                    100.0,
                    usd / 100,
                    usd,
                    event_ms,
                    event_ms + 1_000,
                )
            )
    store.writer.append([Incoming(order) for order in items])
    store.cover(at(0), at(minutes))
    return at(minutes)


def test_other_windows_are_computed_here_and_equal_what_the_sidecar_would_write(
    store: Store,
) -> None:
    close_ms = _fill(store)
    own = settings(segment_min=3, baseline_hours=6, min_baseline_segments=20)
    reader = Reader(store.url)
    live = live_source(store.url, own)
    store.settle(close_ms)  # the sidecar says that it has the default windows
    assert live.refresh() == {"BTC", "ETH"}
    params = feature_params_of(own)
    for base in ("BTC", "ETH"):
        rows = live.rows(base)
        assert rows is not None
        for row in (-1, -20, -60):
            at_ms = int(rows.close_ms[row])
            newest = compute(reader, [base], own.venues.enabled, params, at_ms, at_ms)
            (expected,) = NewestMinutes(newest).table_rows({base: base}, 0)
            assert rows.long_usd[row] == expected["long_usd"]
            assert rows.count[row] == expected["count"]
            assert rows.z[row] == pytest.approx(expected["z"], rel=1e-9)


def test_with_other_windows_readiness_is_this_bots_own(store: Store) -> None:
    close_ms = _fill(store)
    store.writer.put_readiness({"close_ms": close_ms, "whole": {"condition": "ready"}}, [], 0)
    store.settle(close_ms)
    for needed, condition in ((20, "ready"), (110, "ready"), (200, "warming_up")):
        own = settings(segment_min=3, baseline_hours=12, min_baseline_segments=needed)
        live = live_source(store.url, own)
        live.refresh()
        told = live.snapshot.readiness
        assert told is not None
        assert told["coins"]["BTC"]["condition"] == condition
    live = source(store)
    live.refresh()
    assert live.snapshot.readiness == {"close_ms": close_ms, "whole": {"condition": "ready"}}


def test_with_the_sidecars_windows_its_features_are_taken(store: Store) -> None:
    close_ms = _fill(store)
    live = source(store)
    store.settle(close_ms, [stored("BTC", close_ms, 42.0, 0.9)])
    live.refresh()
    rows = live.rows("BTC")
    assert rows is not None
    assert list(rows.z) == [42.0]


def test_a_later_minute_continues_what_was_computed_here(store: Store) -> None:
    close_ms = _fill(store)
    own = settings(segment_min=3, baseline_hours=6, min_baseline_segments=20)
    live = live_source(store.url, own)
    store.settle(close_ms - MINUTE_MS)
    live.refresh()
    store.settle(close_ms)
    live.refresh()
    rows = live.rows("BTC")
    assert rows is not None
    assert rows.close_ms[-1] <= close_ms
    assert (np.diff(rows.close_ms) > 0).all()
    assert windows_of(own) != windows_of(settings())


# -- market lists -------------------------------------------------------------------------


def test_coins_are_known_once_every_venue_has_its_list(store: Store) -> None:
    live = source(store)
    store.settle(at(10), feeds={"binance": {"markets": 2}, "bybit": {"markets": 0}})
    live.refresh()
    assert live.coins() is None
    for venue in settings().venues.enabled:
        store.writer.put_markets(venue, [Market(venue, "BTCUSDT", "BTC/USDT:USDT", "BTC")])
    feeds = {venue: {"markets": 1} for venue in settings().venues.enabled}
    store.settle(at(11), feeds=feeds)
    live.refresh()
    assert live.coins() == {"BTC"}


# -- the past -----------------------------------------------------------------------------


def test_the_last_candle_of_a_backtest_knows_verdicts_up_to_the_delay(store: Store) -> None:
    store.judge(verdict(10, after_s=29))
    store.judge(verdict(10, after_s=31, base="ETH"))
    past = HistorySource(Reader(store.url), settings())
    assert len(past.verdicts("BTC", at(0), at(10))) == 1
    assert len(past.verdicts("ETH", at(0), at(10))) == 0


def test_no_store_is_no_liquidations() -> None:
    past = HistorySource(None, settings())
    assert len(past.rows("BTC", at(0), at(10))) == 0
    assert past.verdicts("BTC", at(0), at(10)) == ()
