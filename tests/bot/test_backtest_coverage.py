"""How much of a backtest is known is said, and said loudly where it is little."""

from typing import Any

import numpy as np
import pytest

from liq_provider.bot.backtest_coverage import CoverageReport, KnownCandles, candles_tested
from liq_provider.core.durations import MINUTE_MS
from liq_provider.measure.feature_rows import COLUMNS, FeatureRows, State

CLOSES = np.arange(1, 11, dtype=np.int64) * MINUTE_MS


def rows(*states: State) -> FeatureRows:
    size = len(states)
    columns: dict[str, Any] = {name: np.ones(size, dtype=kind) for name, kind in COLUMNS.items()}
    state = np.array([int(each) for each in states])
    return FeatureRows(**columns | {"close_ms": CLOSES[:size], "state": state})


def test_candles_are_told_apart_by_what_is_known_of_them() -> None:
    states = [State.UNCOVERED, State.WARMING_UP, State.TOO_THIN, State.READY]
    # Of the last six candles there is no row at all.
    assert KnownCandles.of(CLOSES, rows(*states)) == KnownCandles(10, known=3, ready=2)
    assert KnownCandles.of(CLOSES, FeatureRows.empty()) == KnownCandles(10, 0, 0)


def test_only_tested_candles_count() -> None:
    assert list(candles_tested(CLOSES, {}, 3)) == list(CLOSES[3:])
    closes = CLOSES + 1_772_323_200_000  # 2026-03-01
    assert list(candles_tested(closes, {"timerange": "20260301-"}, 3)) == list(closes[3:])
    assert list(candles_tested(closes, {"timerange": "1772323500-"}, 3)) == list(closes[5:])


def test_little_coverage_is_said_in_large_letters_once_before_the_result(
    caplog: pytest.LogCaptureFixture,
) -> None:
    report = CoverageReport(0.8, first_word=True, tested=lambda close_ms: close_ms)
    report.take("A", KnownCandles(100, 70, 60))
    report.take("B", KnownCandles(100, 88, 80))
    with caplog.at_level("WARNING"):
        report.warn_first()
        report.warn_first()
    assert caplog.text.count("ONLY 79.0% OF THE CANDLES HAVE KNOWN LIQUIDATIONS") == 1
    report.take("B", KnownCandles(100, 90, 80))
    assert report.warning() is None, "the stated share is enough"
