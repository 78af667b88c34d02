"""Features of the last two days are kept; what is told of older ones stays the same."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import insert

from liq_provider.bot.rules_of_bots import in_force_of
from liq_provider.bot.store_reading import _HISTORY_MS
from liq_provider.config.measuring import windows_of
from liq_provider.core.durations import HOUR_MS
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.judge.verdict_story import read_story
from liq_provider.measure.feature_rows import COLUMNS, FeatureRows
from liq_provider.store import kept_features, schema
from liq_provider.store.kept_features import KEPT_MS, features_of
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.bot.helpers import stored, verdict
from tests.sidecar.test_settle_minute import SETTINGS, Store, cascade
from tests.store.helpers import MINUTE, T0

FROM, TO = T0 + MINUTE, T0 + 3 * MINUTE


def test_a_settled_minute_deletes_the_features_that_nobody_looks_back_to(
    writer: Writer, reader: Reader
) -> None:
    for close_ms in (T0, T0 + MINUTE, T0 + KEPT_MS, T0 + KEPT_MS + MINUTE):
        rows = [stored(coin, close_ms, 9.0, 0.98) for coin in ("BTC", "ETH")]
        writer.put_results(rows, [], close_ms, close_ms)
    kept = reader.features(None, 0, 2**62)
    closes = [T0 + MINUTE, T0 + KEPT_MS, T0 + KEPT_MS + MINUTE]
    assert {coin: rows.close_ms.tolist() for coin, rows in kept.items()} == dict.fromkeys(
        ("BTC", "ETH"), closes
    )
    assert reader.oldest_features_ms() == closes[0]


def test_a_bot_and_a_sidecar_that_catches_up_look_back_less_than_is_kept() -> None:
    assert KEPT_MS >= _HISTORY_MS + HOUR_MS


def test_features_of_an_older_store_go_by_whole_closes_and_not_all_at_once(
    writer: Writer, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_features, "_AT_ONCE", 3)
    rows = [stored(coin, T0 + minute * MINUTE, 9.0, 0.98) for minute in range(4) for coin in "ABCD"]
    with writer.engine.begin() as connection:
        connection.execute(insert(schema.features), rows)
    late_ms = T0 + KEPT_MS + 100 * MINUTE
    left = []
    for minute in range(5):
        writer.put_results([], [], late_ms + minute * MINUTE, late_ms)
        left.append(reader.count("features"))
    assert left == [12, 8, 4, 0, 0]


# -- beyond


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three recorded minutes, of which the first brings a wave."""
    store = Store(tmp_path)
    store.past(60)
    cascade(store, 0)
    store.put(1, 30_000.0)
    store.put(2, 40_000.0, position_side="short")
    for close in (1, 2, 3):
        store.settle(close, (0, close))
    store.writer.put_state("sidecar", {"windows": windows_of(SETTINGS)}, T0)
    return store


def forgotten(store: Store, close_ms: int = T0 + 2 * KEPT_MS) -> None:
    store.writer.put_results([], [], close_ms, close_ms)
    store.writer.put_results([stored("ETH", close_ms, 1.0, 0.98)], [], close_ms, close_ms)


def same(one: FeatureRows, other: FeatureRows) -> None:
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_what_is_no_more_kept_is_computed_as_it_was_recorded(store: Store) -> None:
    recorded = features_of(store.reader, "BTC", FROM, TO)
    assert recorded.close_ms.tolist() == [FROM, FROM + MINUTE, TO]
    forgotten(store)
    assert store.reader.features(["BTC"], FROM, TO) == {}
    same(features_of(store.reader, "BTC", FROM, TO), recorded)


def test_of_a_wave_that_is_kept_in_part_the_rest_is_computed(store: Store) -> None:
    recorded = features_of(store.reader, "BTC", FROM, TO)
    forgotten(store, TO + KEPT_MS)
    assert store.reader.features(["BTC"], FROM, TO)["BTC"].close_ms.tolist() == [TO]
    same(features_of(store.reader, "BTC", FROM, TO), recorded)


def test_what_the_caller_computed_stands_in_for_what_is_not_kept(store: Store) -> None:
    own = replace(features_of(store.reader, "BTC", FROM, TO), z=np.array([1.0, 2.0, 3.0]))
    assert features_of(store.reader, "BTC", FROM, TO, own).z[0] > 9.0
    forgotten(store)
    assert features_of(store.reader, "BTC", FROM, TO, own).z.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("windows", "to_ms"),
    [
        (None, TO),
        ({"venues": ["bybit"]}, TO),  # of a sidecar that speaks otherwise
        (windows_of(SETTINGS) | {"min_baseline_segments": 10_000}, TO),
    ],
)
def test_what_cannot_be_known_any_more_is_not_made_up(
    store: Store, windows: dict[str, Any] | None, to_ms: int
) -> None:
    forgotten(store)
    store.writer.put_state("sidecar", {"windows": windows}, T0)
    assert not len(features_of(store.reader, "BTC", FROM, to_ms))


def test_minutes_that_are_not_settled_have_no_features(store: Store) -> None:
    with store.writer.engine.begin() as connection:
        connection.execute(schema.features.delete())
    store.writer.put_state("computed_ms", FROM, FROM)
    rows = features_of(store.reader, "BTC", FROM, TO)
    assert rows.close_ms.tolist() == [FROM]


def test_an_old_verdict_is_told_as_when_it_was_new(store: Store) -> None:
    rules: RulesInForce = in_force_of(SETTINGS, {}, MINUTE, (), "the bot")
    row = verdict(1, inputs=json.dumps({"trend_change": -0.01, "trend_noise": 0.001}))
    new = read_story(store.reader, row, rules)
    assert (new.words, new.enters) == ("enter (medium)", True)
    forgotten(store)
    assert read_story(store.reader, row, rules) == new
