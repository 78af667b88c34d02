"""Single candles are those that a search finds, also where candles are missing."""

import numpy as np
import pytest

from liq_provider.bot.row_of_candle import BestPrice, row_at, rows_until
from liq_provider.core.durations import MINUTE_MS
from tests.bot.helpers import at


def closes(rng: np.random.Generator, missing: float) -> np.ndarray:
    minutes = np.flatnonzero(rng.random(60) >= missing) + 1
    return np.array([at(int(minute)) for minute in minutes], dtype=np.int64)


@pytest.mark.parametrize("missing", [0.0, 0.1, 0.9, 1.0])
def test_a_candle_is_where_a_search_finds_it(missing: float) -> None:
    for seed in range(20):
        given = closes(np.random.default_rng(seed), missing)
        known = {int(ms): row for row, ms in enumerate(given)}
        for now_ms in range(at(-2), at(64), MINUTE_MS // 3):
            assert rows_until(given, now_ms, MINUTE_MS) == np.searchsorted(given, now_ms, "right")
            assert row_at(given, now_ms, MINUTE_MS) == known.get(now_ms)


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("short", [True, False])
def test_the_best_price_is_that_of_all_candles_since(missing: float, short: bool) -> None:
    rng = np.random.default_rng(3)
    given = closes(rng, missing)
    high, low = rng.random(len(given)) + 2, rng.random(len(given))
    best = BestPrice(given, high, low, MINUTE_MS)

    def slow(opened_ms: int, now_ms: int) -> float | None:
        entry_close_ms = opened_ms - opened_ms % MINUTE_MS + MINUTE_MS
        since = (given >= entry_close_ms) & (given <= now_ms)
        if not since.any():
            return None
        return float(low[since].min() if short else high[since].max())

    for _ in range(300):
        # One candle after the other, and then another trade, perhaps an earlier one.
        opened = int(rng.integers(-1, 62))
        for minute in range(opened, opened + int(rng.integers(1, 20))):
            now_ms = at(minute) + int(rng.integers(0, 2)) * 30_000
            assert best.since(at(opened), now_ms, short) == slow(at(opened), now_ms)
