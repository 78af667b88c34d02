"""Live equals replay: what was computed minute by minute is what the store gives at once."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from liq_provider.config.measuring import feature_params_of, floor_of
from liq_provider.config.settings import Settings
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.history.importer import import_files
from liq_provider.judge.decisions import CandleTrend, Decisions, Rules, decide
from liq_provider.measure.feature_rows import COLUMNS, FeatureRows
from liq_provider.measure.scales import EVERY_SCORE
from liq_provider.measure.trend import trend_inputs
from liq_provider.measure.waves import direction_word, score, waves_of
from liq_provider.simulator.market import TapeRow
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.minute_features import compute
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from liq_provider.venues import VENUES
from tests.live_hour import CANDLES_BEFORE, COINS, MINUTES, START_MS, LiveHour, Trouble, decided

pytestmark = pytest.mark.slow

CALM = Trouble(None, None)


@pytest.fixture(scope="module", params=[1, 2], ids=["seed1", "seed2"])
def hour(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveHour]:
    """An hour with everything that can go wrong."""
    path = tmp_path_factory.mktemp("live") / "store.sqlite"
    with closing(LiveHour(f"sqlite:///{path}", request.param)) as hour:
        hour.run()
        yield hour


def replay(reader: Reader, hour: LiveHour) -> dict[str, FeatureRows]:
    """The whole hour at once, dense."""
    params, venues = feature_params_of(hour.settings), hour.settings.venues.enabled
    first_ms, last_ms = int(hour.closes[0]), int(hour.closes[-1])
    computed = compute(reader, sorted(COINS), venues, params, first_ms, last_ms)
    return {item.base_asset: item.rows(EVERY_SCORE) for item in computed}


def decide_all(hour: LiveHour, base: str, rows: FeatureRows) -> Decisions:
    """The matrix for every candle of the hour, as a backtest does it."""
    change, noise = trend_inputs(hour.prices[base], hour.settings.trend_candles)
    trend = CandleTrend(change[CANDLES_BEFORE:], noise[CANDLES_BEFORE:])
    return decide(hour.closes, rows, trend, [], Rules.of(hour.settings), "matrix")


def assert_same_features(
    stored: Mapping[str, FeatureRows], replayed: Mapping[str, FeatureRows], rel: float = 0.0
) -> None:
    """Every stored row equals the replayed one; rows that were not stored are empty."""
    for base, rows in replayed.items():
        live = stored.get(base, FeatureRows.empty())
        at = np.isin(rows.close_ms, live.close_ms)
        assert at.sum() == len(live)
        assert not (rows.long_usd[~at].any() or rows.short_usd[~at].any())
        for name in COLUMNS:
            left, right = getattr(live, name), getattr(rows, name)[at]
            if rel:
                np.testing.assert_allclose(left, right, rtol=rel, equal_nan=True)
            else:
                assert np.array_equal(left, right, equal_nan=True), (base, name)


def assert_same_waves(reader: Reader, hour: LiveHour, rows: Mapping[str, FeatureRows]) -> None:
    """The sidecar's waves are the runs of anomalous minutes."""
    floor = floor_of(hour.settings)
    expected = {}
    for base, of in rows.items():
        waves = waves_of(of, floor, hour.settings.segment_min)
        strength, sign, starts = waves.strength, waves.sign, waves.start_ms
        for wave_sign, start_ms in set(zip(sign[starts > 0], starts[starts > 0], strict=True)):
            own = (starts == start_ms) & (sign == wave_sign)
            expected[base, direction_word(wave_sign), int(start_ms)] = (
                int(of.close_ms[own].max()),
                int(own.sum()),
                int(strength[own].max()),
                pytest.approx(float(score(of, floor)[own].max()), rel=1e-12),
                {bool(seen) for seen in waves.seen[own]},
            )
    words = {"medium": 1, "strong": 2}
    assert {
        (row["base_asset"], row["direction"], row["start_ms"]): (
            row["last_ms"],
            row["minutes"],
            words[row["strength"]],
            row["peak_z"],
            {row["seen"]},
        )
        for row in reader.waves(0)
    } == expected
    assert len(expected) > 5


def assert_same_decisions(hour: LiveHour, rows: Mapping[str, FeatureRows]) -> None:
    """Strength, direction, wave, trend, alignment, level and entry of every candle."""
    levels = []
    for base in COINS:
        decisions = decide_all(hour, base, rows[base])
        for number, close_ms in enumerate(hour.closes.tolist()):
            live = decided(hour.seen[close_ms, base], number)
            assert live == decided(decisions, number), (base, number)
            levels.append(live["level"])
    assert len(set(levels)) > 1


def test_the_hour_has_what_it_takes(hour: LiveHour) -> None:
    """Or equality would prove nothing."""
    stored = hour.reader.features(None, int(hour.closes[0]), int(hour.closes[-1]))
    rows = [value for of in stored.values() for value in of.z]
    assert len(rows) > 500
    assert np.isfinite(rows).mean() > 0.5
    spans = hour.reader.coverage(
        hour.settings.venues.enabled, START_MS, int(hour.closes[-1]), ("live",)
    )
    assert {venue: len(of) for venue, of in spans.items()} == {"binance": 1, "bybit": 2, "okx": 2}
    entered = [
        decided(decisions, int((close_ms - START_MS) // MINUTE_MS) - 1)["entry"]
        for (close_ms, _), decisions in hour.seen.items()
    ]
    assert any(entered)


def test_features_waves_and_levels_are_identical_live_and_replayed(hour: LiveHour) -> None:
    stored = hour.reader.features(None, int(hour.closes[0]), int(hour.closes[-1]))
    rows = replay(hour.reader, hour)
    assert_same_features(stored, rows)
    assert_same_waves(hour.reader, hour, rows)
    assert_same_decisions(hour, rows)


@pytest.mark.parametrize(
    ("seed", "trouble"),
    [
        (1, Trouble(None, None, standstill=(32.5, 35.6))),
        (2, Trouble(("okx", 24.5, 27.5), None, standstill=(39.2, 40.6))),
    ],
    ids=["frozen for three minutes", "a venue comes back, then a restart"],
)
def test_a_wave_whose_beginning_nobody_saw_is_the_same_one_live_and_replayed(
    tmp_path: Path, seed: int, trouble: Trouble
) -> None:
    live = LiveHour(f"sqlite:///{tmp_path / 'live.sqlite'}", seed, trouble)
    live.run()
    rows = replay(live.reader, live)
    stored = live.reader.features(None, int(live.closes[0]), int(live.closes[-1]))
    assert_same_features(stored, rows)
    assert_same_waves(live.reader, live, rows)
    assert_same_decisions(live, rows)
    decisions = [decide_all(live, base, rows[base]) for base in COINS]
    missed = [of.sure & ~of.seen for of in decisions]
    assert sum(of.sum() for of in missed) > 0, "waves that would have been entered"
    assert not any(of.entry[late].any() for of, late in zip(decisions, missed, strict=True))
    assert any(of.entry.any() for of in decisions)
    live.close()
    of_floor = {row["seen"] for row in live.reader.waves(0)}
    assert of_floor == {True, False}


def test_any_part_of_the_hour_gives_the_same_as_the_whole(hour: LiveHour) -> None:
    params, venues = feature_params_of(hour.settings), hour.settings.venues.enabled
    whole = replay(hour.reader, hour)
    for first, last in ((1, 1), (7, 8), (22, 45), (60, 60)):
        span = int(hour.closes[first - 1]), int(hour.closes[last - 1])
        for item in compute(hour.reader, sorted(COINS), venues, params, *span):
            part = item.rows(EVERY_SCORE)
            for name in COLUMNS:
                expected = getattr(whole[item.base_asset], name)[first - 1 : last]
                assert np.array_equal(getattr(part, name), expected, equal_nan=True)


def test_what_comes_later_never_changes_a_settled_minute(hour: LiveHour, tmp_path: Path) -> None:
    """Late liquidations, later coverage, fills: through the real writer, then computed again."""
    copy = tmp_path / "copy.sqlite"
    hour.writer.engine.dispose()
    copy.write_bytes(Path(hour.url.removeprefix("sqlite:///")).read_bytes())
    writer, reader = Writer(open_engine(f"sqlite:///{copy}")), Reader(f"sqlite:///{copy}")
    before = replay(reader, hour)
    now_ms = int(hour.closes[-1]) + hour.settings.settle_ms
    late = []
    for number, minutes_ago in enumerate((0.2, 0.9, 1.1, 5, 30, 59)):
        event_ms = now_ms - int(minutes_ago * MINUTE_MS)
        for side in ("long", "short"):
            late.append(
                Incoming(
                    Liquidation(
                        "binance",
                        "BTCUSDT",
                        "BTC/USDT:USDT",
                        "BTC",
                        side,  # type: ignore[arg-type]
                        97_000.0,
                        10.0 + number,
                        9.7e5,
                        event_ms,
                        now_ms + 1,
                    ),
                    START_MS,
                )
            )
    booked = writer.append(late)
    assert booked.inserted == len(late)
    assert booked.booked["arrival"] >= 2
    assert booked.booked["late"] >= 6
    end_ms = int(hour.closes[-1]) + 5 * MINUTE_MS
    for venue in VENUES:
        writer.cover(venue, [Interval(int(hour.closes[-1]), end_ms)], "live", end_ms)
        writer.cover(venue, [Interval(START_MS, end_ms)], "fill", end_ms)
    after = replay(reader, hour)
    assert_same_features(before, after)
    assert_same_decisions(hour, after)
    writer.close()


def test_minutes_that_are_rebuilt_give_the_same(hour: LiveHour, tmp_path: Path) -> None:
    """The orders of a minute are then added in another order, so up to the last digits."""
    copy = tmp_path / "copy.sqlite"
    hour.writer.engine.dispose()
    copy.write_bytes(Path(hour.url.removeprefix("sqlite:///")).read_bytes())
    writer, reader = Writer(open_engine(f"sqlite:///{copy}")), Reader(f"sqlite:///{copy}")
    before = replay(reader, hour)
    assert writer.rebuild() > 1_000
    rebuilt = replay(reader, hour)
    assert_same_features(before, rebuilt, rel=1e-11)
    assert_same_waves(reader, hour, rebuilt)
    assert_same_decisions(hour, rebuilt)
    writer.close()


def test_a_recording_with_receive_times_gives_the_same_in_another_store(tmp_path: Path) -> None:
    live = LiveHour(f"sqlite:///{tmp_path / 'live.sqlite'}", 3, CALM)
    live.run()
    recording = tmp_path / "frames.jsonl"
    rows = [*live.history, *live.tape]
    recording.write_bytes(b"".join(_line(row) for row in rows))
    url = f"sqlite:///{tmp_path / 'imported.sqlite'}"
    writer, reader = Writer(open_engine(url)), Reader(url)
    for venue, table in live.markets.items():
        writer.put_markets(venue, table)
    first_ms = -(-live.world.first_ms // MINUTE_MS) * MINUTE_MS
    covered = Interval(first_ms, START_MS + MINUTES * MINUTE_MS)
    report = import_files(writer, reader, [recording], "frames", covered=covered)
    assert report.bad == 0
    assert report.duplicates > 10
    assert report.booked["arrival"] > 5
    assert report.booked["late"] > 0
    imported = replay(reader, live)
    assert_same_features(replay(live.reader, live), imported, rel=1e-11)
    assert_same_waves(live.reader, live, imported)
    assert_same_decisions(live, imported)
    writer.close()
    live.close()


def _line(row: TapeRow) -> bytes:
    raw: dict[str, Any] = {
        "venue": row.venue,
        "received_ms": row.received_ms,
        "frame": row.frame,
    }
    return orjson.dumps(raw) + b"\n"


def test_other_windows_than_the_defaults_are_identical_too(tmp_path: Path) -> None:
    settings = Settings(
        segment_min=3,
        baseline_hours=10,
        min_baseline_segments=50,
        zscore="robust",
        min_segment_usd=5_000,
    )
    live = LiveHour(f"sqlite:///{tmp_path / 'live.sqlite'}", 4, settings=settings)
    live.run()
    stored = live.reader.features(None, int(live.closes[0]), int(live.closes[-1]))
    rows = replay(live.reader, live)
    assert_same_features(stored, rows)
    assert_same_waves(live.reader, live, rows)
    assert_same_decisions(live, rows)
    live.close()
