"""Features through the store: listings, bars, and the recorded files."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from liq_provider.core.coverage import Interval
from liq_provider.core.doubts import Doubt
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.markets import Market
from liq_provider.history.importer import import_bars, import_files
from liq_provider.measure.feature_rows import COLUMNS, State
from liq_provider.measure.minute_grid import FeatureParams
from liq_provider.measure.scales import EVERY_SCORE
from liq_provider.store.coverage_claims import doubt
from liq_provider.store.database import open_engine
from liq_provider.store.minute_features import compute
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.store.helpers import incoming
from tests.two_pass import SMALL, START_MS, Reference, assert_equal, check

RECORDED = Path(__file__).parents[2].parent / "shared" / "recorded"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tuple[Writer, Reader]]:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    with closing(Writer(open_engine(url))) as writer:
        yield writer, Reader(url)


def test_a_pair_has_no_coverage_before_its_listing(store: tuple[Writer, Reader]) -> None:
    writer, reader = store
    listed_ms = START_MS + 100 * MINUTE_MS + 1
    market = Market("binance", "NEWUSDT", "NEW/USDT:USDT", "NEW", listed_ms=listed_ms)
    writer.put_markets("binance", [market])
    writer.cover("binance", [Interval(START_MS, START_MS + 300 * MINUTE_MS)])
    features = compute(
        reader,
        ["NEW", "OLD"],
        ["binance"],
        SMALL,
        START_MS + 50 * MINUTE_MS,
        START_MS + 160 * MINUTE_MS,
    )
    new, old = (item.features for item in features)
    wanted = features[0].wanted
    assert (new.close_ms[wanted[0]], new.close_ms[wanted[-1]]) == (
        START_MS + 50 * MINUTE_MS,
        START_MS + 160 * MINUTE_MS,
    )
    assert (old.state[wanted] != State.UNCOVERED).all()
    known = new.close_ms[new.state != State.UNCOVERED]
    # Minute 100 holds the listing, so 101 is the first that is covered as a whole.
    assert known[0] == START_MS + (101 + SMALL.segment_min) * MINUTE_MS
    row = int(wanted[-1])
    # Of the 59 minutes since, two are the scored segment and one is left over.
    assert (new.baseline_n[row], old.baseline_n[row]) == (20, 20)
    assert new.baseline_n[row - 20] == 18


def test_a_minute_alone_is_what_it_is_among_all_others(store: tuple[Writer, Reader]) -> None:
    """With a hole, a coin in doubt, and a venue that comes late."""
    writer, reader = store
    rng, size = np.random.default_rng(3), 90

    def at(minute: int) -> int:
        return START_MS + minute * MINUTE_MS

    for venue in ("bybit", "okx"):
        orders = [
            incoming(at(int(n)) + int(k), venue=venue, notional_usd=float(rng.lognormal(8, 2)))
            for k, n in enumerate(rng.integers(0, size, 160))
        ]
        writer.append(orders)
    writer.cover("bybit", [Interval(at(0), at(50)), Interval(at(53), at(size))], "import")
    writer.cover("okx", [Interval(at(31), at(size))], "import")
    with writer.engine.begin() as connection:
        doubt(connection, [Doubt("okx", "", Interval(at(60), at(61)))], "", at(64))
    venues = ["bybit", "okx"]
    (whole,) = compute(reader, ["BTC"], venues, SMALL, at(1), at(size))
    every = whole.rows(EVERY_SCORE)
    assert len({int(mask) for mask in whole.features.venue_mask}) > 2
    assert (every.state == State.READY).sum() > 30 and not every.steady.all()
    for minute in range(1, size + 1):
        (alone,) = compute(reader, ["BTC"], venues, SMALL, at(minute), at(minute))
        row = alone.rows(EVERY_SCORE)
        for name in COLUMNS:
            left, right = getattr(row, name), getattr(every, name)[[minute - 1]]
            assert np.array_equal(left, right, equal_nan=left.dtype.kind == "f"), (minute, name)
    (busy,) = compute(reader, ["BTC"], venues, SMALL, at(1), at(size), quiet=False)
    rows = np.flatnonzero(every.long_usd + every.short_usd)
    assert 0 < len(rows) < size
    for name in COLUMNS:
        left, right = getattr(busy.rows(EVERY_SCORE), name), getattr(every, name)[rows]
        assert np.array_equal(left, right, equal_nan=left.dtype.kind == "f"), name


def recorded(name: str) -> Path:
    """:return: the recorded file, or the test is skipped"""
    path = RECORDED / name
    if not path.exists():
        pytest.skip(f"no recorded data: {path} is absent")
    return path


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "format_name", "coins"),
    [
        ("binance_forceorder_2025-01-26_27.csv", "binance-forceorder", ("BTC", "ETH", "DOGE")),
        ("binance_forceorder_2024-08-17_18.csv", "binance-forceorder", ("BTC", "ETH", "SOL")),
        ("okx_liquidations_2026-03-04_05.csv", "okx-rest", ("BTC", "ETH", "SOL", "DOGE")),
    ],
)
@pytest.mark.parametrize(
    "params", [FeatureParams(), FeatureParams(1, 20, 6, 3)], ids=["defaults", "short"]
)
def test_recorded_files_equal_the_two_pass_calculation(
    store: tuple[Writer, Reader],
    name: str,
    format_name: str,
    coins: tuple[str, ...],
    params: FeatureParams,
) -> None:
    writer, reader = store
    report = import_files(writer, reader, [recorded(name)], format_name)
    (venue,) = report.covered
    span = reader.span()
    assert span is not None
    end_ms = span[1] - span[1] % MINUTE_MS + MINUTE_MS
    if "2025-01-26" in name:  # a few stragglers ten days later
        end_ms = report.covered[venue][-2].end_ms // MINUTE_MS * MINUTE_MS
    from_ms = end_ms - 26 * 60 * MINUTE_MS
    ready = 0
    for item in compute(reader, coins, [venue], params, from_ms, end_ms):
        features = item.features
        busy = item.wanted[features.notional_usd[item.wanted] > 0]
        rows = [*busy[:: max(1, len(busy) // 40)].tolist(), int(item.wanted[-1])]
        assert len(rows) > 3
        robust_z = features.robust_z(np.array(rows))
        grids = reader.grids([item.base_asset], [venue], from_ms - params.before_ms(), end_ms)
        reference = Reference(grids[item.base_asset], params)
        for row in rows:
            assert_equal(features, reference.row(row), row, float(robust_z[row]))
            ready += features.state[row] == State.READY
    assert ready or params == FeatureParams()


@pytest.mark.recorded
def test_recorded_hourly_bars_equal_the_two_pass_calculation(store: tuple[Writer, Reader]) -> None:
    writer, reader = store
    path = recorded("coinglass_btc_liquidation_1h.csv")
    import_bars(writer, [path], "coinglass", pair="BTC/USDT:USDT")
    span = reader.bar_span("coinglass", "BTC")
    assert span is not None
    grid = reader.bar_grid("BTC", "coinglass", 60, *span)
    assert int(grid.covered.sum()) == 4_316
    params = FeatureParams(60, 168, 72, 20)
    check(grid, params, [0, 71, 72, 73, 200, 400, 777, 1_000, 1_199, grid.minutes - 1])
