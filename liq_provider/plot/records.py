"""What a picture of a pair is made of. Times are UTC milliseconds, prices those of the pair."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

import numpy as np

from liq_provider.core.arrays import FloatArray, IntArray
from liq_provider.measure.waves import Direction

if TYPE_CHECKING:
    # The page draws from what ccxt brings, and need not load it.
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Candles:
    """Candles, ascending; arrays of one length, which may be 0."""

    open_ms: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray

    def __len__(self) -> int:
        return len(self.open_ms)

    @classmethod
    def of_rows(cls, rows: Sequence[Sequence[float]]) -> "Candles":
        """:param rows: as ccxt has them: open time, open, high, low, close, ..."""
        table = np.array([row[:5] for row in rows], dtype=float).reshape(-1, 5)
        return cls(table[:, 0].astype(np.int64), *table[:, 1:].T)

    @classmethod
    def of_frame(cls, frame: "pd.DataFrame | None") -> "Candles":
        """:param frame: as Freqtrade has them; None for no candles"""
        if frame is None:
            return cls.of_rows([])
        opened = frame["date"].dt.as_unit("ms").astype("int64").to_numpy()
        prices = (frame[name].to_numpy(dtype=float) for name in ("open", "high", "low", "close"))
        return cls(opened, *prices)

    def between(self, from_ms: int, to_ms: int) -> "Candles":
        """:return: those that open in ``[from_ms, to_ms)``"""
        inside = (self.open_ms >= from_ms) & (self.open_ms < to_ms)
        return Candles(*(getattr(self, column.name)[inside] for column in fields(self)))


@dataclass(frozen=True, slots=True)
class LiquidationBars:
    """
    What was liquidated within each candle, on the venues that were heard, all together.

    :param open_ms: of every candle of the span
    :param long_usd: long positions that were liquidated; NaN where nothing was known
    :param short_usd: short positions that were liquidated; NaN where nothing was known
    :param minutes_known: minutes of the candle in which a venue was heard
    :param mean_price: of its liquidations, weighted by USD; NaN where there are none
    """

    open_ms: IntArray
    long_usd: FloatArray
    short_usd: FloatArray
    minutes_known: IntArray
    mean_price: FloatArray


@dataclass(frozen=True, slots=True)
class WaveSpan:
    """
    :param start_ms: close of the first anomalous minute
    :param last_ms: close of the last one
    :param peak_usd: largest segment
    :param below: only above the judge's floor, not above the settings' thresholds
    :param seen: whether its beginning was; else it is never entered
    """

    start_ms: int
    last_ms: int
    direction: Direction
    strength: str
    peak_z: float
    peak_usd: float
    below: bool = False
    seen: bool = True


@dataclass(frozen=True, slots=True)
class VerdictMark:
    """
    :param enters: it is an entry by the rules in force, as far as the store tells
    :param words: what became of it by them
    :param price: of the pair when it was available, None if not known
    """

    available_at: int
    direction: Direction
    enters: bool
    words: str
    judge: str
    reason: str
    price: float | None


@dataclass(frozen=True, slots=True)
class TradeRecord:
    """
    :param close_ms: None while it is open
    :param stops: times and prices at which a stop was placed or moved
    """

    pair: str
    is_short: bool
    open_ms: int
    open_rate: float
    close_ms: int | None = None
    close_rate: float | None = None
    enter_tag: str = ""
    exit_reason: str = ""
    stops: tuple[tuple[int, float], ...] = ()

    @property
    def side(self) -> Literal["long", "short"]:
        """Of the position."""
        return "short" if self.is_short else "long"

    @property
    def change(self) -> float | None:
        """Of price in the direction of the position, as a share; None while it is open."""
        if self.close_rate is None:
            return None
        return (self.close_rate / self.open_rate - 1) * (-1 if self.is_short else 1)
