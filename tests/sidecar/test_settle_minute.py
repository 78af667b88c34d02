"""Settling a minute, and computing what follows from it."""

import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event

from liq_provider.config.settings import Settings
from liq_provider.core.coverage import CoverageTracker, Interval
from liq_provider.measure.feature_rows import State
from liq_provider.measure.minute_results import Settled
from liq_provider.sidecar.pair_of_coin import PairOfCoin
from liq_provider.sidecar.settle_minute import Settler
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.store.helpers import MINUTE, T0, incoming

SETTINGS = Settings(
    segment_min=1, baseline_hours=0.5, min_baseline_segments=10, min_active_segments=5
)


class Store:
    def __init__(self, directory: Path, settings: Settings = SETTINGS) -> None:
        url = f"sqlite:///{directory / 'store.sqlite'}"
        self.writer = Writer(open_engine(url))
        # Whoever makes one in passing need not close it.
        weakref.finalize(self, self.writer.close)
        self.reader = Reader(url)
        self.names = PairOfCoin()
        self.settler = Settler(self.writer, self.reader, settings, self.names)

    def settle(self, close: int, *spans: tuple[int, int], venue: str = "bybit") -> Settled:
        """Close of minute ``close``; spans in minutes after T0."""
        close_ms = T0 + close * MINUTE
        covered = [Interval(T0 + a * MINUTE, T0 + b * MINUTE) for a, b in spans]
        self.writer.settle(close_ms, {venue: covered}, close_ms + 2_000)
        return self.settler.compute(close_ms, close_ms + 2_100)

    def put(self, minute: int, usd: float, **changes: Any) -> None:
        at_ms = T0 + minute * MINUTE + 1_000
        self.writer.append([incoming(at_ms, notional_usd=usd, **changes)])

    def past(self, minutes: int, venue: str = "bybit") -> None:
        """A recording of what came before T0."""
        for n in range(1, minutes + 1):
            self.put(-n, 1_000.0 + 100 * (n % 7), venue=venue)
        self.writer.cover(venue, [Interval(T0 - minutes * MINUTE, T0)], "import")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.writer.close()


def cascade(store: Store, minute: int, **changes: Any) -> None:
    for n in range(5):
        store.put(minute, 100_000.0, ordinal=n, **changes)


def test_a_minute_gives_features_waves_and_anomalies(store: Store) -> None:
    store.past(40)
    cascade(store, 0)
    settled = store.settle(1, (0, 1))
    (anomaly,) = settled.anomalies
    assert (anomaly.base_asset, anomaly.direction, anomaly.count) == ("BTC", "SHORT", 5)
    assert anomaly.wave_start_ms == settled.close_ms == T0 + MINUTE
    assert settled.covered == ("bybit",)
    assert settled.pairs == {"BTC": "BTC/USDT:USDT"}
    rows = store.reader.features(None, T0, T0 + MINUTE)["BTC"]
    baseline = np.array([1_000.0 + 100 * (n % 7) for n in range(1, 31)])
    assert rows.z[-1] == pytest.approx((500_000 - baseline.mean()) / baseline.std(), rel=1e-9)
    assert rows.state[-1] == State.READY
    (wave,) = store.reader.waves(0)
    assert (wave["start_ms"], wave["minutes"], wave["pair"]) == (T0 + MINUTE, 1, "BTC/USDT:USDT")
    states = store.reader.states(["watermark_ms", "computed_ms"])
    assert states == {"watermark_ms": T0 + MINUTE, "computed_ms": T0 + MINUTE}


def test_a_wave_goes_on_in_the_next_minute(store: Store) -> None:
    store.past(40)
    cascade(store, 0)
    store.settle(1, (0, 1))
    for n in range(9):
        store.put(1, 900_000.0, ordinal=n)
    settled = store.settle(2, (0, 2))
    assert [anomaly.wave_start_ms for anomaly in settled.anomalies] == [T0 + MINUTE]
    (wave,) = store.reader.waves(0)
    assert (wave["minutes"], wave["last_ms"]) == (2, T0 + 2 * MINUTE)


def test_computing_a_minute_again_changes_nothing(store: Store) -> None:
    store.past(40)
    cascade(store, 0)
    store.settle(1, (0, 1))
    before = store.reader.waves(0), store.reader.count("features")
    store.settle(1, (0, 1))
    assert (store.reader.waves(0), store.reader.count("features")) == before


def test_a_wave_is_on_record_with_whether_its_beginning_was_seen(tmp_path: Path) -> None:
    store = Store(tmp_path, SETTINGS.model_copy(update={"segment_min": 2}))
    store.past(60)
    # Minute 0 is unknown, minute 1 brings the wave and minute 2 nothing more.
    cascade(store, 1)
    assert store.settle(2, (1, 2)).anomalies == (), "half of its segment is unknown"
    settled = store.settle(3, (1, 3))
    assert [anomaly.seen for anomaly in settled.anomalies] == [False]
    cascade(store, 3)
    assert [anomaly.seen for anomaly in store.settle(4, (1, 4)).anomalies] == [False]
    for close in range(5, 9):
        store.settle(close, (1, close))
    for n in range(5):
        store.put(8, 5e6, ordinal=n)
    settled = store.settle(9, (1, 9))
    assert [anomaly.seen for anomaly in settled.anomalies] == [True]
    waves = sorted(store.reader.waves(0), key=lambda row: row["start_ms"])
    assert [(row["minutes"], row["seen"]) for row in waves] == [(3, False), (1, True)]
    store.writer.close()


def test_minutes_that_nobody_computed_are_made_up_for(store: Store) -> None:
    """Or a wave that goes on would look like one that begins, live only."""
    store.past(40)
    store.settle(1, (0, 1))
    cascade(store, 1)
    # The store was busy: the minute is final, but its features were not computed.
    store.settler.settle(T0 + 2 * MINUTE, {"bybit": [Interval(T0, T0 + 2 * MINUTE)]}, T0)
    cascade(store, 2, position_side="long")
    settled = store.settle(3, (0, 3))
    assert [anomaly.wave_start_ms for anomaly in settled.anomalies] == [T0 + 2 * MINUTE]
    rows = store.reader.features(["BTC"], T0, T0 + 3 * MINUTE)["BTC"]
    assert rows.close_ms.tolist() == [T0 + n * MINUTE for n in (2, 3)]
    (wave,) = store.reader.waves(0)
    assert wave["minutes"] == 2


def test_a_long_standstill_is_not_computed_minute_by_minute(store: Store) -> None:
    store.past(40)
    store.settle(1, (0, 1))
    for minute in range(20, 100):
        store.put(minute, 1_000.0 + 100 * (minute % 7))
    cascade(store, 100)
    settled = store.settle(101, (0, 101))
    assert [anomaly.close_ms for anomaly in settled.anomalies] == [T0 + 101 * MINUTE]
    closes = store.reader.features(["BTC"], T0, T0 + 101 * MINUTE)["BTC"].close_ms
    assert closes.tolist() == [T0 + n * MINUTE for n in range(71, 102)]


def test_a_minute_whose_close_is_not_proven_stays_uncovered_for_good(store: Store) -> None:
    tracker = CoverageTracker("bybit", settle_ms=2_000)
    tracker.begin(T0 - MINUTE)

    def settle(close: int) -> None:
        close_ms = T0 + close * MINUTE
        heard = ["bybit"] if tracker.heard(close_ms) else []
        store.settler.settle(close_ms, heard, close_ms + 2_000)

    tracker.prove(T0 + 1_000, T0 + 1_100)
    settle(0)
    tracker.prove(T0 + 59_999, T0 + 60_100)
    store.put(0, 1_000.0)
    settle(1)
    # The proof of that very minute comes a moment too late.
    tracker.prove(T0 + 62_500, T0 + 63_500)
    tracker.prove(T0 + 2 * MINUTE + 1_000, T0 + 2 * MINUTE + 1_100)
    settle(2)
    (grid,) = store.reader.grids(["BTC"], ["bybit"], T0 - MINUTE, T0 + 2 * MINUTE).values()
    assert grid.covered.tolist() == [[True, False, True]]
    assert grid.long_usd.tolist() == [[0.0, 1_000.0, 0.0]]


def test_an_anomaly_needs_a_covered_minute(store: Store) -> None:
    store.past(40)
    cascade(store, 0)
    settled = store.settle(1)
    assert (settled.anomalies, settled.covered) == ((), ())
    assert store.reader.waves(0) == []


def test_a_coin_is_named_by_the_bots_pair_or_else_by_the_venues(store: Store) -> None:
    store.past(40)
    store.put(0, 5.0, pair="BTC/USDC:USDC", market_id="BTCPERP")
    store.put(0, 5.0)
    store.put(0, 5.0, base_asset="ETH", pair="ETH/USDT:USDT", market_id="ETHUSDT")
    store.names.update({"ETH": "ETH/USDC:USDC"})
    settled = store.settle(1, (0, 1))
    assert settled.pairs == {"BTC": "BTC/USDT:USDT", "ETH": "ETH/USDC:USDC"}


def test_what_serves_baselines_only_is_never_scored(store: Store) -> None:
    """Filled rows are there for whoever asks for them; a live segment does not see them."""
    store.past(40)
    cascade(store, 0)
    with store.writer.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE sums SET filled = 1 WHERE minute_ms >= ?", (T0,))
    settled = store.settle(1, (0, 1))
    assert (settled.anomalies, settled.pairs) == ((), {})


def test_the_store_is_asked_as_often_for_many_coins_as_for_few(store: Store) -> None:
    asked: list[str] = []

    def note(*arguments: Any) -> None:
        asked.append(arguments[2])

    event.listen(store.reader._engine, "before_cursor_execute", note)
    store.past(40)
    often = []
    for count, close in ((2, 1), (12, 2)):
        names = [
            {"base_asset": coin, "pair": f"{coin}/USDT:USDT", "market_id": f"{coin}USDT"}
            for coin in (f"C{n}" for n in range(count))
        ]
        at_ms = T0 + (close - 1) * MINUTE + 1_000
        store.writer.import_batch(
            [
                incoming(at_ms - n * MINUTE, notional_usd=1_000.0 + 100 * (n % 7), **name)
                for name in names
                for n in range(1, 13)
            ]
        )
        store.writer.append(
            [
                incoming(at_ms, notional_usd=100_000.0, ordinal=n, **name)
                for name in names
                for n in range(5)
            ]
        )
        asked.clear()
        settled = store.settle(close, (0, close))
        assert len(settled.anomalies) == count
        often.append(len(asked))
    # The first time it is asked, too, whether it is a store of this version.
    assert often[1] <= often[0], asked
