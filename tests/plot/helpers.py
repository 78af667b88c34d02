"""A store with a day of liquidations, two cascades and two holes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from liq_provider.config.settings import Settings
from liq_provider.core.coverage import Interval
from liq_provider.plot.records import Candles, TradeRecord
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.bot.helpers import verdict
from tests.store.helpers import MINUTE, incoming

PAIR = "BTC/USDT:USDT"
FIRST = 1_772_582_400_000  # 2026-03-04 00:00 UTC
DAY = 24 * 60
SETTINGS = Settings(baseline_hours=6, min_baseline_segments=36, min_active_segments=10)
HOSTILE = '<img src=x onerror="alert(1)"> </script><b>"fat" & %{x}'

# Minutes after FIRST in which no feed, or not every feed, was heard.
HOLE = (900, 960)
SHORT_HOLE = (1_100, 1_101)
BYBIT_HOLE = (600, 660)
CASCADES = {720: "long", 1_200: "short"}


def at(minute: float) -> int:
    """Milliseconds, counted in minutes from FIRST."""
    return FIRST + round(minute * MINUTE)


def prices() -> np.ndarray:
    """Shape (minutes,): a walk that follows the cascades."""
    rng = np.random.default_rng(7)
    steps = rng.normal(0, 0.0004, DAY)
    steps[720:735] -= 0.0012
    steps[1_200:1_215] += 0.0010
    return 95_000 * np.exp(np.cumsum(steps))


def candles() -> Candles:
    """Of one minute each."""
    close = prices()
    opened = np.concatenate([[95_000], close[:-1]])
    wick = np.abs(np.random.default_rng(8).normal(0, 20, (2, DAY)))
    return Candles(
        at(0) + MINUTE * np.arange(DAY, dtype=np.int64),
        opened,
        np.maximum(opened, close) + wick[0],
        np.minimum(opened, close) - wick[1],
        close,
    )


def frame() -> pd.DataFrame:
    """The same as Freqtrade has them."""
    frame = candles()
    date = pd.to_datetime(frame.open_ms, unit="ms", utc=True)
    columns = {name: getattr(frame, name) for name in ("open", "high", "low", "close")}
    return pd.DataFrame({"date": date, **columns, "volume": 1.0})


def liquidations() -> list[Any]:
    """Small ones all day long, and the cascades."""
    rng = np.random.default_rng(9)
    close, orders = prices(), []
    for minute in np.flatnonzero(rng.random(DAY) < 0.45):
        orders.append(
            incoming(
                at(minute + rng.random() * 0.9),
                position_side=str(rng.choice(["long", "short"])),
                venue=str(rng.choice(["binance", "bybit", "okx"])),
                price=round(float(close[minute]), 1),
                notional_usd=round(float(rng.lognormal(8, 1.2)), 2),
            )
        )
    for start, side in CASCADES.items():
        for n in range(60):
            minute = start + n // 8
            orders.append(
                incoming(
                    at(minute + 0.1 * (n % 8)),
                    position_side=side,
                    venue="binance",
                    price=round(float(close[minute]), 1),
                    notional_usd=40_000.0 + 500 * n,
                )
            )
    return orders


def fill(writer: Writer) -> None:
    """Liquidations, coverage with holes, and what was judged of the cascades."""
    writer.import_batch(liquidations())
    for venue in ("binance", "bybit", "okx"):
        bounds = [0, *SHORT_HOLE, DAY]
        if venue == "bybit":
            bounds = [0, *BYBIT_HOLE, *SHORT_HOLE, DAY]
        bounds = sorted([*bounds, *HOLE])
        spans = [Interval(at(a), at(b)) for a, b in zip(bounds[::2], bounds[1::2], strict=True)]
        writer.cover(venue, spans, "import")
    falling = json.dumps({"trend_change": -0.02, "trend_noise": 0.01})
    shift = {
        "inputs": falling,
        "wave_start_ms": at(721),
        "close_ms": at(721),
        "available_at": at(721) + 2_400,
    }
    writer.put_verdicts([verdict(0, **shift, expires_at=at(729), action_reason=HOSTILE)])
    shift = {
        "inputs": falling,
        "wave_start_ms": at(1_201),
        "close_ms": at(1_201),
        "available_at": at(1_201) + 2_400,
    }
    later = verdict(0, direction="LONG", **shift, expires_at=at(1_209), action="skip", judge="m@v1")
    writer.put_verdicts([later])


def trades() -> tuple[TradeRecord, ...]:
    """A closed short on the first cascade, an open long on the second."""
    price = prices()
    fallen = TradeRecord(
        PAIR,
        is_short=True,
        open_ms=at(722),
        open_rate=float(price[722]),
        close_ms=at(760),
        close_rate=float(price[760]),
        enter_tag="liq_short_strong_medium",
        exit_reason=HOSTILE,
        stops=tuple((at(m), float(price[m]) * 1.01) for m in (723, 727, 731, 735)),
    )
    return fallen, TradeRecord(
        PAIR, is_short=False, open_ms=at(1_202), open_rate=float(price[1_202])
    )


@contextmanager
def store(path: Path) -> Iterator[Reader]:
    """A filled store."""
    url = f"sqlite:///{path}"
    writer = Writer(open_engine(url))
    fill(writer)
    reader = Reader(url)
    try:
        yield reader
    finally:
        reader.close()
        writer.close()
