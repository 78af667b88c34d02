"""Readiness as the store knows it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from liq_provider.config.measuring import feature_params_of
from liq_provider.core.coverage import Interval
from liq_provider.core.doubts import Doubt
from liq_provider.core.markets import Market
from liq_provider.measure.feature_rows import State
from liq_provider.measure.readiness import FeedFacts, ReadinessReport
from liq_provider.store.readiness_facts import Assessed, assess
from tests.sidecar.test_settle_minute import SETTINGS, Store
from tests.store.helpers import MINUTE, T0

HEARD = {"bybit": FeedFacts(heard_ms=0)}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.writer.close()


def assessed(store: Store, close: int, feeds: dict[str, FeedFacts] | None = None) -> Assessed:
    return assess(store.reader, SETTINGS, feeds or HEARD, T0 + close * MINUTE)


def eth(store: Store) -> None:
    store.put(0, 5.0, base_asset="ETH", pair="ETH/USDT:USDT", market_id="ETHUSDT")


def test_while_baselines_are_short_every_coin_says_until_when(store: Store) -> None:
    store.past(6)
    eth(store)
    store.settle(1, (0, 1))
    readiness = assessed(store, 1)
    assert readiness.coins["BTC"] == (State.WARMING_UP, 6, 6)
    assert readiness.report.coins["BTC"].from_ms == T0 + 5 * MINUTE
    # A coin is known from its first minute on, not from the next whole segment.
    assert readiness.coins["ETH"][0] == State.WARMING_UP


def test_how_far_each_coin_is_is_known_at_every_minute(store: Store) -> None:
    store.past(40)
    eth(store)
    for minute in range(1, 5):
        store.settle(minute, (0, minute))
        readiness = assessed(store, minute)
        assert readiness.coins["BTC"] == (State.READY, 30, 30 - minute + 1)
        assert readiness.coins["ETH"] == (State.TOO_THIN, 30, 0 if minute == 1 else 1)
    assert readiness.report.whole.ready


def test_it_agrees_with_what_is_decided_on(store: Store) -> None:
    store.past(40)
    for close in range(1, 8):
        store.put(close - 1, 50.0)
        spans = [(0, 3), (4, close)] if close > 4 else [(0, min(close, 3))]
        store.settle(close, *spans)
        readiness = assessed(store, close)
        rows = store.reader.features(None, T0 + close * MINUTE, T0 + close * MINUTE)["BTC"]
        assert readiness.coins["BTC"][0] == rows.state[-1]
        assert readiness.report.venues["bybit"].ready is (close != 4)
        assert readiness.report.whole.ready is (close != 4)


def test_a_venue_after_a_hole_is_back_when_its_whole_segment_is_covered(store: Store) -> None:
    store.past(40)
    store.settle(1)
    readiness = assessed(store, 1).report
    assert readiness.venues["bybit"].from_ms == T0 + 2 * MINUTE
    assert "is not known" in readiness.venues["bybit"].reason
    assert readiness.coins["BTC"].from_ms == T0 + 2 * MINUTE
    assert readiness.venues["okx"].reason == "okx is not heard: no sidecar listens to it"


def test_a_venue_that_counts_says_for_which_coins_it_does_not(store: Store) -> None:
    for venue in ("bybit", "okx"):
        store.past(40, venue)
    eth(store)
    heard = {venue: [Interval(T0, T0 + MINUTE)] for venue in ("bybit", "okx")}
    missed = [Doubt("okx", "BTC", heard["okx"][0])]
    store.writer.settle(T0 + MINUTE, heard, T0 + MINUTE + 2_000, missed)
    readiness = assessed(store, 1, {venue: FeedFacts(heard_ms=0) for venue in heard}).report
    assert readiness.venues["okx"].ready and readiness.coins["BTC"].ready
    assert readiness.uncounted == {"okx": ["BTC"]}
    assert ReadinessReport.of_json(json.loads(json.dumps(readiness.as_json()))) == readiness
    windows = feature_params_of(SETTINGS)
    assert readiness.for_coins(["BTC"], windows).uncounted == {"okx": ["BTC"]}
    assert readiness.for_coins(["ETH"], windows).uncounted == {}


def test_a_coin_that_was_listed_lately_is_behind_the_others(store: Store) -> None:
    store.past(40)
    store.put(-3, 5.0, base_asset="NEW", pair="NEW/USDT:USDT", market_id="NEWUSDT")
    new = Market("bybit", "NEWUSDT", "NEW/USDT:USDT", "NEW", listed_ms=T0 - 4 * MINUTE)
    store.writer.put_markets("bybit", [new])
    store.settle(1, (0, 1))
    readiness = assessed(store, 1)
    assert readiness.coins["BTC"][0] == State.READY
    assert readiness.coins["NEW"][0] == State.WARMING_UP
    assert readiness.report.coins["NEW"].from_ms == T0 + 7 * MINUTE
