"""
Waves of the past as events: when a live bot would first have seen each, and what price did then.

An event is the first candle of a wave whose close is anomalous. All its attributes are those
of that moment; what the wave became later is not looked at. Its direction is always the one
that FOLLOWS the liquidations, whatever ``direction_mode`` says: a positive return means that
price ran on, a negative one that it reverted. A wave whose beginning was not seen is no event:
it may be over when it is known, and nobody trades on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from liq_provider.config.settings import Settings
from liq_provider.core.arrays import BoolArray, FloatArray, IntArray
from liq_provider.core.durations import DAY_MS, MINUTE_MS
from liq_provider.judge.decisions import CandleTrend, Decisions, Rules, decide
from liq_provider.measure.feature_rows import FeatureRows, State
from liq_provider.measure.trend import trend_inputs
from liq_provider.measure.waves import Strength


@dataclass(frozen=True, slots=True)
class PairPast:
    """
    One pair's past.

    :param open_ms: opens of the candles, ascending; so are the next two by candle
    :param open: prices
    :param close: prices
    :param rows: features at minute closes, or at the closes of bars
    :param venues: V(t) of each row, as text
    """

    pair: str
    timeframe_ms: int
    open_ms: IntArray
    open: FloatArray
    close: FloatArray
    rows: FeatureRows
    venues: Sequence[str]

    @property
    def close_ms(self) -> IntArray:
        """Closes of the candles."""
        return self.open_ms + self.timeframe_ms

    @property
    def known_ms(self) -> IntArray:
        """Closes of the candles that something is known at."""
        rows = self.rows.close_ms[self.rows.state != State.UNCOVERED]
        return self.close_ms[np.isin(self.close_ms, rows)]

    def between(self, from_ms: int, to_ms: int) -> "PairPast":
        """:return: the candles that close in ``[from_ms, to_ms)``; features stay as they are"""
        part = slice(*np.searchsorted(self.close_ms, [from_ms, to_ms]).tolist())
        return PairPast(
            self.pair,
            self.timeframe_ms,
            self.open_ms[part],
            self.open[part],
            self.close[part],
            self.rows,
            self.venues,
        )

    def forward(self, horizon_min: int, late_candles: int = 0) -> FloatArray:
        """
        Return from the open of the candle after each close to the close ``horizon_min`` later.

        :param late_candles: enter that much later, and leave that much later
        :return: per candle as a share of the entry price; NaN where a candle is missing
        """
        close_ms, wait_ms = self.close_ms, late_candles * self.timeframe_ms
        entry = _at(self.open_ms, close_ms + wait_ms, self.open)
        leave = _at(close_ms, close_ms + wait_ms + horizon_min * MINUTE_MS, self.close)
        return leave / entry - 1


def _at(times_ms: IntArray, wanted_ms: IntArray, values: FloatArray) -> FloatArray:
    if not len(times_ms):
        return np.full(len(wanted_ms), np.nan)
    places = np.minimum(np.searchsorted(times_ms, wanted_ms), len(times_ms) - 1)
    return np.where(times_ms[places] == wanted_ms, values[places], np.nan)


@dataclass(frozen=True, slots=True)
class PairWaves:
    """
    :param events: one row per wave whose beginning was seen, see ``find_waves``
    :param unseen: the other waves: nothing could have been entered there
    :param quiet: candles with a z that no wave is near; where placebos may be drawn from
    :param known: candles whose segment was covered
    """

    past: PairPast
    events: pd.DataFrame
    unseen: int
    quiet: BoolArray
    known: BoolArray


def find_waves(past: PairPast, settings: Settings, rules: Rules) -> PairWaves:
    """
    :param rules: thresholds; their ``direction_mode`` must be ``follow``
    :return: events with the columns pair, close_ms, row (of the candle), sign, strength
        (medium, strong), trend (with, against, flat, unknown), z, purity, notional_usd, venues
    """
    change, noise = trend_inputs(past.close, settings.trend_candles)
    decisions = decide(past.close_ms, past.rows, CandleTrend(change, noise), (), rules, "matrix")
    anomalous = np.flatnonzero(decisions.wave_ms > 0)
    waves = pd.DataFrame(
        {"sign": decisions.sign[anomalous], "wave_ms": decisions.wave_ms[anomalous]}
    )
    every = anomalous[~waves.duplicated().to_numpy()]
    first = every[decisions.seen[every]]
    known = decisions.state != State.UNCOVERED
    events = pd.DataFrame(
        {
            "pair": past.pair,
            "close_ms": decisions.close_ms[first],
            "row": first,
            "sign": decisions.sign[first],
            "strength": [Strength(int(code)).word for code in decisions.strength[first]],
            "trend": _trend_words(decisions, first),
            "z": decisions.z[first],
            "purity": decisions.purity[first],
            "notional_usd": decisions.long_usd[first] + decisions.short_usd[first],
            "venues": _venues(past, decisions.close_ms[first]),
        }
    )
    near = _near(past.close_ms, decisions.close_ms[anomalous], rules.segment_min * MINUTE_MS)
    quiet = (decisions.state == State.READY) & ~near
    return PairWaves(past, events, len(every) - len(first), quiet, known)


def _trend_words(decisions: Decisions, rows: IntArray) -> list[str]:
    words = {1: "with", -1: "against", 0: "flat"}
    relative = decisions.trend[rows] * decisions.sign[rows]
    unknown = decisions.aligned[rows] == 2
    return [
        "unknown" if missing else words[int(code)]
        for code, missing in zip(relative, unknown, strict=True)
    ]


def _venues(past: PairPast, close_ms: IntArray) -> list[str]:
    at = np.searchsorted(past.rows.close_ms, close_ms)
    return [past.venues[row] for row in at]


def _near(close_ms: IntArray, waves_ms: IntArray, reach_ms: int) -> BoolArray:
    if not len(waves_ms):
        return np.zeros(len(close_ms), dtype=bool)
    after = np.minimum(np.searchsorted(waves_ms, close_ms), len(waves_ms) - 1)
    before = np.maximum(after - 1, 0)
    distance = np.minimum(abs(waves_ms[after] - close_ms), abs(close_ms - waves_ms[before]))
    return np.asarray(distance <= reach_ms)


def clustered(events: pd.DataFrame, segment_min: int) -> pd.DataFrame:
    """
    Waves of several pairs at the same time are one event of the market, not many.

    :param events: of all pairs
    :return: the events in time order with the columns cluster and day (of the cluster's first);
        a cluster ends ``segment_min`` minutes after it began
    """
    ordered = events.sort_values(["close_ms", "pair"], ignore_index=True)
    cluster, start_ms = np.zeros(len(ordered), dtype=np.int64), -1
    for row, close_ms in enumerate(ordered["close_ms"]):
        new = start_ms < 0 or close_ms - start_ms >= segment_min * MINUTE_MS
        if new:
            start_ms = close_ms
        cluster[row] = cluster[row - 1] + new if row else 0
    first = ordered["close_ms"].groupby(cluster).transform("first")
    return ordered.assign(cluster=cluster, day=(first // DAY_MS).astype("int64"))
