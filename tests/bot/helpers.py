"""Feature rows, verdicts and stores in a few words."""

import json
import weakref
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from liq_provider.bot.snapshot import READING, Snapshot
from liq_provider.bot.source import LiveSource
from liq_provider.bot.store_reading import StoreReading
from liq_provider.config.measuring import windows_of
from liq_provider.config.settings import Settings, load_settings, sidecar_settings
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import MINUTE_MS
from liq_provider.judge.decisions import CandleTrend, Rules
from liq_provider.measure.feature_rows import FeatureRows, State
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.verdict_minutes import Confirmed
from liq_provider.store.writer import Writer

T0 = 1_795_350_000_000 // MINUTE_MS * MINUTE_MS


def at(minute: int) -> int:
    """Close of a minute, counted from an arbitrary beginning."""
    return T0 + minute * MINUTE_MS


def settings(**section: Any) -> Settings:
    """Settings that differ from the defaults in what is named."""
    return load_settings({"liq_provider": section}, {})


def rules(**section: Any) -> Rules:
    """Decision rules of such settings."""
    return Rules.of(settings(**section))


def feature_rows(
    minutes: Mapping[int, tuple[float, float]],
    usd: float = 1e6,
    count: int = 10,
    unknown_before: Collection[int] = (),
) -> FeatureRows:
    """
    :param minutes: by minute z and the share of long liquidations
    :param unknown_before: minutes that follow unknown ones, with all their money before them
    """
    order = sorted(minutes)
    size = len(order)
    z = np.array([minutes[minute][0] for minute in order], dtype=float)
    share = np.array([minutes[minute][1] for minute in order], dtype=float)
    return FeatureRows(
        close_ms=np.array([at(minute) for minute in order], dtype=np.int64),
        long_usd=usd * share,
        short_usd=usd * (1 - share),
        count=np.full(size, count, dtype=np.int64),
        z=z,
        robust_z=np.full(size, np.nan),
        percentile=np.full(size, np.nan),
        state=np.full(size, int(State.READY), dtype=np.int64),
        baseline_n=np.full(size, 288, dtype=np.int64),
        active_n=np.full(size, 100, dtype=np.int64),
        **begun(np.array([minute not in unknown_before for minute in order], dtype=bool)),
    )


def begun(steady: np.ndarray) -> dict[str, np.ndarray]:
    """
    The columns that say how a wave began.

    :param steady: the minute before was known; where it was not, nothing is on record of the
        segment without its newest minute
    """
    floats = ("long_usd", "short_usd", "z", "robust_z", "percentile")
    return {
        "steady": steady,
        "before_count": np.zeros(len(steady), dtype=np.int64),
        **{f"before_{name}": np.full(len(steady), np.nan) for name in floats},
    }


def trend(sign: int | None, size: int) -> CandleTrend:
    """:param sign: of the whole frame; None for unknown"""
    change = np.full(size, np.nan if sign is None else 0.02 * sign)
    return CandleTrend(change, np.full(size, np.nan if sign is None else 0.01))


def verdict(
    first: int,
    last: int | None = None,
    *,
    base: str = "BTC",
    direction: str = "SHORT",
    after_s: float = 3.0,
    **values: Any,
) -> dict[str, Any]:
    """
    A row of the table ``verdicts``.

    :param first: minute of the wave's first anomaly, which it was made for
    :param last: the wave's last confirming minute
    :param after_s: how long after the close of ``first`` it was available
    """
    last_ms = at(first if last is None else last)
    return {
        "base_asset": base,
        "direction": direction,
        "wave_start_ms": at(first),
        "strength": "strong",
        "aligned": "yes",
        "news_key": "",
        "judge": "matrix",
        "symbol": f"{base}/USDT:USDT",
        "news": "not_asked",
        "action": "enter",
        "confidence": "medium",
        "downgrade": 0,
        "liq_note": "",
        "trend_note": "",
        "news_note": "",
        "action_reason": "a strong one-sided wave that price follows",
        "close_ms": at(first),
        "available_at": at(first) + round(after_s * 1000),
        "expires_at": last_ms + 32_000,
        "inputs": "{}",
        "guard": "[]",
        "confirmed": None if last is None else json.dumps([[at(first), last_ms]]),
    } | values


def stored(base: str, close_ms: int, z: float, long_share: float, **values: Any) -> dict[str, Any]:
    """A row of the table ``features``."""
    usd, count = values.pop("usd", 1e6), values.pop("count", 10)
    return {
        "close_ms": close_ms,
        "base_asset": base,
        "pair": f"{base}/USDT:USDT",
        "long_usd": usd * long_share,
        "short_usd": usd * (1 - long_share),
        "notional_usd": usd,
        "count": count,
        "z": z,
        "robust_z": None,
        "long_ratio": long_share,
        "purity": max(long_share, 1 - long_share),
        "mean_usd": 1e4,
        "std_usd": 1e4,
        "state": int(State.READY),
        "baseline_n": 288,
        "active_n": 100,
        "venues": "binance,bybit,okx",
        "available_at": close_ms + 2_000,
        "steady": True,
    } | values


class Store:
    """A store that a test fills the way the sidecar does."""

    def __init__(self, path: Path, own: Settings | None = None, url: str = "") -> None:
        self.path = path
        self.url = url or f"sqlite:///{path}"
        self.writer = Writer(open_engine(self.url))
        # Whoever makes one in passing need not close it.
        weakref.finalize(self, self.writer.close)
        self.settings = own or settings()

    def settle(self, close_ms: int, rows: Sequence[dict[str, Any]] = (), **sidecar: Any) -> None:
        """A minute is settled, with these features, by a sidecar that says this of itself."""
        status = {
            "skew_ms": 0,
            "windows": windows_of(self.settings),
            "settings": sidecar_settings(self.settings),
            "feeds": {},
        } | sidecar
        self.writer.put_state("sidecar", status, close_ms)
        self.writer.settle(close_ms, {}, close_ms + 2_000)
        self.writer.put_results(list(rows), [], close_ms, close_ms + 2_000)

    def judge(self, row: dict[str, Any]) -> None:
        """The sidecar has judged a wave."""
        self.writer.put_verdicts([row], now_ms=row["available_at"])

    def cover(self, from_ms: int, to_ms: int, source: str = "import") -> None:
        """All venues were heard in this span."""
        for venue in self.settings.venues.enabled:
            self.writer.cover(venue, [Interval(from_ms, to_ms)], source)

    def close(self) -> None:
        """Give the file back."""
        self.writer.engine.dispose()

    def confirm(self, row: dict[str, Any], close_ms: int, after_ms: int = 2_500) -> None:
        """A later minute shows the state that a verdict was made for."""
        confirmed = Confirmed(
            row["base_asset"],
            row["direction"],
            row["wave_start_ms"],
            row["strength"],
            row["aligned"],
            row["news_key"],
            row["judge"],
            close_ms,
            close_ms + 32_000,
        )
        self.writer.put_verdicts([], [confirmed], close_ms + after_ms)


class ReadNow:
    """Reads the store each time that it is asked, where the bot has a thread for it."""

    unanswered_s = 0.0

    def __init__(self, reading: StoreReading) -> None:
        self.reading = reading
        self.snapshot = Snapshot(error=READING)

    def take(self) -> Snapshot:
        self.snapshot = self.reading(self.snapshot)
        return self.snapshot

    def end(self) -> None:
        pass


def live_source(store_url: str, own: Settings | None = None, wait_s: float = 5.0) -> LiveSource:
    """What a live bot sees, read at the moment at which it looks."""
    own = own or settings()
    return LiveSource(ReadNow(StoreReading(lambda: Reader(store_url, wait_s), own)), own)
