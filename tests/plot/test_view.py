"""The view holds the numbers that are traded on, and leaves unknown what was not known."""

from pathlib import Path

import numpy as np
import pytest

from liq_provider.config.measuring import feature_params_of
from liq_provider.core.coverage import Interval
from liq_provider.errors import UsageError
from liq_provider.measure.feature_rows import State
from liq_provider.measure.scales import EVERY_SCORE
from liq_provider.plot.records import Candles
from liq_provider.plot.view import PairView, pair_view, runs
from liq_provider.store.bar_rows import put_bars
from liq_provider.store.database import open_engine
from liq_provider.store.minute_features import compute
from liq_provider.store.reader import Reader
from tests.plot.helpers import (
    BYBIT_HOLE,
    CASCADES,
    DAY,
    HOLE,
    HOSTILE,
    MINUTE,
    PAIR,
    SETTINGS,
    SHORT_HOLE,
    at,
    candles,
    liquidations,
    trades,
)
from tests.sidecar.test_settle_minute import SETTINGS as LIVE
from tests.sidecar.test_settle_minute import Store, cascade
from tests.store.helpers import T0, incoming

NO_CANDLES = Candles.of_rows([])


def test_features_are_those_of_the_pipeline(reader: Reader, view: PairView) -> None:
    params = feature_params_of(SETTINGS)
    venues = SETTINGS.venues.enabled
    computed = compute(reader, ["BTC"], venues, params, at(1), at(DAY))[0].rows(EVERY_SCORE)
    assert np.array_equal(view.rows.close_ms, at(1) + MINUTE * np.arange(DAY))
    for name in ("z", "robust_z", "long_usd", "short_usd", "count", "state"):
        assert np.array_equal(getattr(view.rows, name), getattr(computed, name), equal_nan=True)
    assert np.isfinite(view.rows.z).sum() > 1_000


def test_features_and_waves_are_those_that_were_recorded_live(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.past(40)
    cascade(store, 0)
    cascade(store, 2, position_side="short")
    for close in (1, 2, 3):
        store.settle(close, (0, close))
    live = store.reader.features(["BTC"], T0, T0 + 3 * MINUTE)["BTC"]
    view = pair_view(store.reader, LIVE, PAIR, NO_CANDLES, MINUTE, T0, T0 + 3 * MINUTE)
    shown = np.isin(view.rows.close_ms, live.close_ms)
    assert shown.sum() == 2, "the minute between is empty, and nothing was recorded of it"
    for name in ("z", "robust_z", "long_usd", "short_usd", "count", "state", "baseline_n"):
        assert getattr(view.rows, name)[shown].tolist() == getattr(live, name).tolist(), name
    # Segments of one minute: the bars say the same.
    assert view.bars.long_usd.tolist() == view.rows.long_usd.tolist() == [500_000.0, 0.0, 0.0]
    assert view.bars.short_usd.tolist() == [0.0, 0.0, 500_000.0]
    recorded = store.reader.waves(0)
    assert [(w.start_ms, w.direction, w.strength, w.below) for w in view.waves] == [
        (row["start_ms"], row["direction"], row["strength"], False) for row in reversed(recorded)
    ]
    assert [w.peak_z for w in view.waves] == [row["peak_z"] for row in reversed(recorded)]
    store.writer.close()


def test_a_wave_that_was_only_judged_is_shown_as_that(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.past(40)
    cascade(store, 0)
    store.settle(1, (0, 1))
    (live,) = store.reader.waves(0)
    higher = LIVE.model_copy(
        update={"z_threshold": live["peak_z"] + 1, "z_strong": live["peak_z"] + 2}
    )
    view = pair_view(store.reader, higher, PAIR, NO_CANDLES, MINUTE, T0, T0 + MINUTE)
    (wave,) = view.waves
    assert wave.below and wave.start_ms == live["start_ms"] and wave.direction == "SHORT"
    store.writer.close()


def test_what_no_feed_heard_is_unknown_and_not_zero(view: PairView) -> None:
    assert view.unknown == tuple(Interval(at(a), at(b)) for a, b in (HOLE, SHORT_HOLE))
    lost = np.zeros(DAY, dtype=bool)
    for first, end in (HOLE, SHORT_HOLE):
        lost[first:end] = True
    assert np.array_equal(np.isnan(view.bars.long_usd), lost)
    assert np.array_equal(np.isnan(view.bars.short_usd), lost)
    assert np.array_equal(view.bars.minutes_known, np.where(lost, 0, 1))
    assert np.isnan(view.rows.z[lost]).all()
    assert (view.rows.state[lost] == State.UNCOVERED).all()
    assert view.known_share == pytest.approx(1 - 61 / DAY)
    assert np.nansum(view.bars.long_usd == 0) > 500, "a minute that was heard may be quiet"


def test_a_venue_that_was_not_heard_does_not_count(view: PairView) -> None:
    gaps = [span for span in view.covered["bybit"] if span.end_ms == at(BYBIT_HOLE[0])]
    assert gaps and view.covered["okx"][0].end_ms == at(HOLE[0])
    first, end = BYBIT_HOLE
    heard = [
        order.liquidation.notional_usd
        for order in liquidations()
        if at(first) <= order.liquidation.event_ms < at(end) and order.liquidation.venue != "bybit"
    ]
    shown = view.bars.long_usd[first:end] + view.bars.short_usd[first:end]
    assert shown.sum() == pytest.approx(sum(heard), rel=1e-12)


def test_longer_candles_add_up_and_say_how_much_was_known(reader: Reader, view: PairView) -> None:
    five = pair_view(reader, SETTINGS, PAIR, NO_CANDLES, 5 * MINUTE, at(1), at(DAY - 1))
    assert (five.from_ms, five.to_ms) == (at(0), at(DAY)), "whole candles"
    minutes = np.nan_to_num(view.bars.long_usd).reshape(-1, 5).sum(axis=1)
    assert np.nan_to_num(five.bars.long_usd) == pytest.approx(minutes, rel=1e-12)
    assert five.bars.minutes_known[SHORT_HOLE[0] // 5] == 4
    assert np.isnan(five.bars.long_usd[HOLE[0] // 5 : HOLE[1] // 5]).all()
    assert np.array_equal(five.rows.z, view.rows.z, equal_nan=True), "z stays minute by minute"


def test_waves_are_the_cascades(view: PairView) -> None:
    strong = [wave for wave in view.waves if wave.peak_z > 50]
    assert [wave.direction for wave in strong] == ["SHORT", "LONG"]
    for wave, start in zip(strong, CASCADES, strict=True):
        inside = (view.rows.close_ms >= wave.start_ms) & (view.rows.close_ms <= wave.last_ms)
        assert wave.start_ms == at(start + 1) and wave.strength == "strong"
        assert wave.peak_z == np.nanmax(view.rows.z[inside])


def test_a_wave_that_began_before_the_span_keeps_its_beginning(reader: Reader) -> None:
    view = pair_view(reader, SETTINGS, PAIR, NO_CANDLES, MINUTE, at(724), at(740))
    assert view.waves[0].start_ms == at(721)


def test_verdicts_and_trades_of_the_span(reader: Reader, view: PairView) -> None:
    first, second = view.verdicts
    assert (first.words, first.direction, first.reason) == ("enter (medium)", "SHORT", HOSTILE)
    assert (second.words, second.judge) == ("skip: price does not follow", "m@v1")
    assert (first.enters, second.enters) == (True, False)
    assert first.price == candles().close[721]
    assert view.trades == trades()
    later = pair_view(reader, SETTINGS, PAIR, candles(), MINUTE, at(1_000), at(1_100), trades())
    assert later.trades == () and later.verdicts == ()


def test_the_heat_map_adds_up_to_the_liquidations(view: PairView) -> None:
    orders = [one.liquidation for one in liquidations()]
    heat = view.heat
    for side, shown in (("long", heat.long_usd), ("short", heat.short_usd)):
        wanted = sum(order.notional_usd for order in orders if order.position_side == side)
        assert shown.sum() == pytest.approx(wanted, rel=1e-12), side
    assert heat.outside_usd == 0
    assert heat.usd.shape == (len(heat.price) - 1, len(heat.time_ms) - 1)
    order = orders[100]
    row = np.searchsorted(heat.price, order.price, side="right") - 1
    column = np.searchsorted(heat.time_ms, order.event_ms, side="right") - 1
    assert heat.usd[row, column] >= order.notional_usd


def test_prices_are_in_the_units_of_the_pair_and_absurd_ones_are_left_out(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kilo = {"base_asset": "PEPE", "pair": "1000PEPE/USDT:USDT", "market_id": "1000PEPEUSDT"}
    single = {"base_asset": "PEPE", "pair": "PEPE/USDT:USDT", "market_id": "PEPE-USDT-SWAP"}
    rows = [incoming(T0 + n, price=0.008 + n * 1e-6, ordinal=n, **kilo) for n in range(20)]
    rows.append(incoming(T0 + 50, venue="okx", price=8e-6, notional_usd=700.0, **single))
    rows.append(incoming(T0 + 51, price=80.0, notional_usd=33.0, **kilo))
    store.writer.append(rows)
    view = pair_view(store.reader, LIVE, "1000PEPE/USDT:USDT", NO_CANDLES, MINUTE, T0, T0 + MINUTE)
    assert view.heat.outside_usd == 33.0
    assert view.heat.usd.sum() == pytest.approx(20 * 100.0 + 700.0)
    assert 0.007 < view.heat.price[0] < view.heat.price[-1] < 0.009
    store.writer.close()


def test_bars_of_a_vendor(tmp_path: Path) -> None:
    hour = 60 * MINUTE
    start = T0 // hour * hour
    rows = [
        {
            "base_asset": "BTC",
            "source": "coinglass",
            "bar_min": 60,
            "start_ms": start + n * hour,
            "market": "",
            "pair": PAIR,
            "long_usd": 1_000.0 + n,
            "short_usd": 500.0,
            "available_at": start + n * hour,
        }
        for n in range(48)
        if n != 40
    ]
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    engine = open_engine(url)
    put_bars(engine, rows)
    engine.dispose()
    settings = SETTINGS.model_copy(update={"backtest_source": "coinglass", "segment_min": 60})
    settings = settings.model_copy(update={"min_baseline_segments": 4, "min_active_segments": 2})
    view = pair_view(
        Reader(url), settings, PAIR, NO_CANDLES, hour, start + 24 * hour, start + 48 * hour
    )
    assert view.bars.long_usd[:3].tolist() == [1_024.0, 1_025.0, 1_026.0]
    assert view.unknown == (Interval(start + 40 * hour, start + 41 * hour),)
    assert len(view.rows) == 24 and np.isfinite(view.rows.z[0])


def test_a_span_must_be_one_and_not_too_long(reader: Reader) -> None:
    with pytest.raises(UsageError, match="before its end"):
        pair_view(reader, SETTINGS, PAIR, NO_CANDLES, MINUTE, at(5), at(5))
    with pytest.raises(UsageError, match=r"30\.0 days are too much .* at most 14"):
        pair_view(reader, SETTINGS, PAIR, NO_CANDLES, MINUTE, at(0), at(30 * DAY))


def test_runs() -> None:
    flags = np.array([True, True, False, True])
    assert runs(flags, 100, 10) == (Interval(100, 120), Interval(130, 140))
    assert runs(~flags, 100, 10) == (Interval(120, 130),)
    assert runs(np.array([], dtype=bool), 0, 10) == ()


def test_candles_of_an_exchange_and_of_freqtrade_are_the_same() -> None:
    from tests.plot.helpers import frame

    whole = candles()
    rows = [
        [int(whole.open_ms[n]), whole.open[n], whole.high[n], whole.low[n], whole.close[n], 1.0]
        for n in range(3)
    ]
    for drawn in (Candles.of_rows(rows), Candles.of_frame(frame()).between(at(0), at(3))):
        assert drawn.open_ms.tolist() == whole.open_ms[:3].tolist()
        assert drawn.close.tolist() == whole.close[:3].tolist()
    assert len(Candles.of_frame(None)) == 0
