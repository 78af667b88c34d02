"""Facts about a wave, in a few words."""

from typing import Any

import numpy as np

from liq_provider.core.arrays import FloatArray
from liq_provider.judge.verdict import Facts
from liq_provider.measure.waves import Strength
from liq_provider.news.desk import NewsSet, set_key
from liq_provider.news.headline import NewsItem

NOW = 1_795_350_000_000


def falling(rows: int = 16) -> FloatArray:
    """Candles that fall by five percent, each from the close before."""
    ends = np.linspace(100.0, 95.0, rows)
    starts = np.concatenate([[100.0], ends[:-1]])
    return np.column_stack([starts, starts + 0.1, ends - 0.2, ends, np.full(rows, 7.5)])


CANDLES = falling()

DETAILS = {
    "z": 9.0,
    "purity": 0.95,
    "notional_usd": 1e6,
    "long_usd": 9.5e5,
    "short_usd": 5e4,
    "count": 30,
    "trend": "down",
    "trend_change": -0.05,
    "trend_noise": 0.01,
}


def facts(**changes: Any) -> Facts:
    values: dict[str, Any] = {
        "symbol": "BTC/USDT:USDT",
        "base_asset": "BTC",
        "direction": "SHORT",
        "strength": Strength.STRONG,
        "aligned": True,
        "wave_start_ms": NOW,
        "close_ms": NOW,
        "details": dict(DETAILS),
    }
    return Facts(**(values | changes))


def news(*titles: str, summary: str = "", min_sources: int = 1) -> NewsSet:
    items = tuple(
        NewsItem(f"id{n}", title, "wire", summary, NOW - 600_000) for n, title in enumerate(titles)
    )
    return NewsSet(items, set_key(items), min_sources=min_sources)
