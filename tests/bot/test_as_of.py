"""
No decision knows what was not there yet.

Freqtrade's lookahead-analysis cuts candles; it cannot see leaks from our own store. So here the
store is cut, and what it holds is made available later.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liq_provider.bot.source import HistorySource
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.judge.decisions import CandleTrend, Decisions, Rules, VerdictMode, decide
from liq_provider.store.bar_rows import put_bars
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.bot.helpers import at, settings, verdict

pytestmark = pytest.mark.slow

MINUTES = 400
SETTINGS = settings(
    segment_min=5,
    baseline_hours=2,
    min_baseline_segments=12,
    min_active_segments=3,
    max_entry_delay_s=30,
)
COLUMNS = ("state", "z", "purity", "strength", "sign", "wave_ms", "judged", "news", "level")


@dataclass(frozen=True)
class Past:
    """Everything that ever came into a store, each with the time at which it was there."""

    orders: Sequence[Liquidation]
    holes: Sequence[Interval]
    fill_ms: int
    verdicts: Sequence[dict[str, Any]]

    def until(self, close_ms: int) -> "Past":
        """:return: what a bot that decides at a close could have had"""
        known_ms, judged_ms = close_ms + SETTINGS.settle_ms, close_ms + SETTINGS.max_entry_delay_ms
        return Past(
            [order for order in self.orders if order.received_ms <= known_ms],
            self.holes,
            self.fill_ms if self.fill_ms <= close_ms else 0,
            [row for row in self.verdicts if row["available_at"] <= judged_ms],
        )


def past(seed: int) -> Past:
    rng = np.random.default_rng(seed)
    orders = []
    waves = sorted(int(m) for m in rng.choice(np.arange(200, MINUTES - 20), 4, replace=False))
    for minute in range(MINUTES):
        size = 40_000.0 if minute in waves else 2_000.0
        for second in sorted(rng.integers(0, 60, 8 if minute in waves else 1)):
            event_ms = at(minute) - MINUTE_MS + int(second) * 1000 + int(rng.integers(1000))
            # Most come within a second, some late, a few much too late.
            late_ms = int(rng.choice([300, 900, 8_000, 70_000], p=[0.6, 0.3, 0.07, 0.03]))
            side = "long" if minute in waves or rng.random() < 0.5 else "short"
            usd = size * float(rng.lognormal(0, 0.3))
            orders.append(
                Liquidation(
                    "okx",
                    "BTC-USDT-SWAP",
                    "BTC/USDT:USDT",
                    "BTC",
                    side,  # type: ignore[arg-type]
                    100.0,
                    usd / 100,
                    usd,
                    event_ms,
                    event_ms + late_ms,
                )
            )
    verdicts = [
        verdict(minute, minute + 4, after_s=float(rng.uniform(2.5, 90)), news="supports")
        for minute in waves
    ]
    start = int(rng.integers(60, 150))
    hole = Interval(at(start), at(start + 12))
    return Past(orders, [hole], at(start + 40), verdicts)


def store_of(path: Path, taken: Past, end_ms: int) -> HistorySource:
    writer = Writer(open_engine(f"sqlite:///{path}"))
    for one in sorted(taken.orders, key=lambda order: order.received_ms):
        if not any(hole.start_ms <= one.event_ms < hole.end_ms for hole in taken.holes):
            writer.append([Incoming(one)])
    begin = at(0) - MINUTE_MS
    for hole in taken.holes:
        writer.cover("okx", [Interval(begin, min(hole.start_ms, end_ms))])
        begin = hole.end_ms
        if taken.fill_ms:
            missed = [o for o in taken.orders if hole.start_ms <= o.event_ms < hole.end_ms]
            writer.fill("okx", "BTC", hole, missed, taken.fill_ms - 30_000)
    writer.cover("okx", [Interval(begin, end_ms)] if end_ms > begin else [])
    for row in taken.verdicts:
        writer.put_verdicts([row])
    writer.close()
    return HistorySource(Reader(f"sqlite:///{path}"), SETTINGS)


def decisions(source: HistorySource, closes: np.ndarray, mode: VerdictMode) -> Decisions:
    rows = source.rows("BTC", int(closes[0]), int(closes[-1]))
    verdicts = source.verdicts("BTC", int(closes[0]), int(closes[-1]))
    falling = CandleTrend(np.full(len(closes), -0.02), np.full(len(closes), 0.01))
    return decide(closes, rows, falling, verdicts, Rules.of(SETTINGS), mode)


def assert_same(whole: Decisions, cut: Decisions, row: int) -> None:
    for name in COLUMNS:
        one, other = getattr(whole, name)[row], getattr(cut, name)[row]
        assert np.array_equal(one, other, equal_nan=True), (name, row, one, other)


def _too_late(verdict: dict[str, Any], close_ms: int) -> bool:
    known_ms = close_ms + SETTINGS.max_entry_delay_ms
    return verdict["wave_start_ms"] <= close_ms and verdict["available_at"] > known_ms


CLOSES = np.array([at(minute) for minute in range(130, MINUTES)], dtype=np.int64)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int | None], HistorySource]:
    """The store of a seed, whole or as it was at a close; filled once, read in every mode."""
    base = tmp_path_factory.mktemp("stores")

    @cache
    def store(seed: int, close_ms: int | None) -> HistorySource:
        taken, path = past(seed), base / f"{seed}-{close_ms}"
        if close_ms is None:
            return store_of(path, taken, at(MINUTES))
        return store_of(path, taken.until(close_ms), close_ms)

    return store


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mode", ["recorded", "matrix", "both"])
def test_what_comes_later_changes_no_decision(
    stores: Callable[[int, int | None], HistorySource], seed: int, mode: VerdictMode
) -> None:
    taken = past(seed)
    whole = decisions(stores(seed, None), CLOSES, mode)
    assert (whole.level > 0).any(), "there is something to see"
    waves = np.flatnonzero(whole.strength > 0)
    filled = int(np.searchsorted(CLOSES, taken.fill_ms))
    for row in sorted({*waves[:4].tolist(), *waves[-2:].tolist(), max(filled - 1, 0), filled, 100}):
        close_ms = int(CLOSES[row])
        cut = decisions(stores(seed, close_ms), CLOSES[: row + 1], mode)
        if mode == "both" and cut.judged[row] and not whole.judged[row]:
            # A wave whose verdict came too late was not traded live either, so the matrix does
            # not stand in for it. What was recorded later may withhold an entry, never make one.
            assert any(_too_late(verdict, close_ms) for verdict in taken.verdicts)
            continue
        assert_same(whole, cut, row)


@pytest.mark.parametrize("late_ms", [-1, 0, 1])
def test_a_verdict_counts_from_the_candle_that_could_have_waited_for_it(
    tmp_path: Path, late_ms: int
) -> None:
    taken = past(1)
    wave = min(row["wave_start_ms"] for row in taken.verdicts)
    limit_ms = wave + SETTINGS.max_entry_delay_ms
    verdicts = [
        row | {"available_at": limit_ms + late_ms}
        for row in taken.verdicts
        if row["wave_start_ms"] == wave
    ]
    source = store_of(tmp_path / "s", replace(taken, verdicts=verdicts), at(MINUTES))
    judged = decisions(source, CLOSES, "recorded").judged
    first = int(np.searchsorted(CLOSES, wave))
    assert bool(judged[first]) == (late_ms <= 0)
    assert judged[first + 1], "one candle later it counts in any case"


@pytest.mark.parametrize("later_min", [0, 1, 60])
def test_a_fill_changes_no_decision_before_it_was_there(tmp_path: Path, later_min: int) -> None:
    taken = past(2)
    moved = replace(taken, fill_ms=taken.fill_ms + later_min * MINUTE_MS)
    never = decisions(
        store_of(tmp_path / "n", replace(taken, fill_ms=0), at(MINUTES)), CLOSES, "matrix"
    )
    some = decisions(store_of(tmp_path / "s", moved, at(MINUTES)), CLOSES, "matrix")
    differs = ~((never.z == some.z) | (np.isnan(never.z) & np.isnan(some.z)))
    assert differs.any(), "it serves baselines"
    assert CLOSES[differs].min() >= moved.fill_ms
    hole = taken.holes[0]
    within = (CLOSES > hole.start_ms) & (CLOSES < hole.end_ms + 5 * MINUTE_MS)
    assert not some.level[within].any(), "and never an entry"


def test_a_bar_counts_at_its_close_and_never_before(tmp_path: Path) -> None:
    hour = 60 * MINUTE_MS
    start_ms = at(0) - at(0) % hour
    own = settings(
        backtest_source="coinglass",
        segment_min=60,
        baseline_hours=40,
        min_baseline_segments=10,
        min_active_segments=5,
    )
    rng = np.random.default_rng(1)
    bars = [
        {
            "base_asset": "BTC",
            "source": "coinglass",
            "bar_min": 60,
            "start_ms": start_ms + n * hour,
            "market": "",
            "pair": "BTC/USDT:USDT",
            "long_usd": 5e7 if n == 60 else float(rng.lognormal(12, 1)),
            "short_usd": float(rng.lognormal(11, 1)),
            "available_at": start_ms + (n + 1) * hour + 2_000,
        }
        for n in range(80)
    ]
    closes = np.array([start_ms + n * hour for n in range(1, 81)], dtype=np.int64)
    trend = CandleTrend(np.full(80, -0.02), np.full(80, 0.01))

    def levels(path: Path, rows: list[dict[str, Any]]) -> Decisions:
        engine = open_engine(f"sqlite:///{path}")
        put_bars(engine, rows)
        engine.dispose()
        source = HistorySource(Reader(f"sqlite:///{path}"), own, 60)
        measured = source.rows("BTC", int(closes[0]) - hour + MINUTE_MS, int(closes[-1]))
        return decide(closes, measured, trend, (), Rules.of(own), "matrix")

    whole = levels(tmp_path / "whole", bars)
    assert whole.level[60], "at the close of the hour of the wave"
    assert not whole.level[59], "and not before"
    for row in (15, 59, 60, 61):
        known = [bar for bar in bars if bar["available_at"] <= int(closes[row]) + 2_000]
        assert_same(whole, levels(tmp_path / f"{row}", known), row)
