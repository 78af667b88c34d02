"""
Waves of the past as events: when a live bot would first have seen each, and what price did then.

An event is the first candle of a wave whose close is anomalous. All its attributes are those
of that moment; what the wave became later is not looked at. Its direction is always the one
that FOLLOWS the liquidations, whatever ``direction_mode`` says: a positive return means that
price ran on, a negative one that it reverted. A wave whose beginning was not seen is no event:
it may be over when it is known, and nobody trades on it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from liq_provider.config.settings import Settings
from liq_provider.core.arrays import BoolArray, IntArray
from liq_provider.core.durations import DAY_MS, MINUTE_MS
from liq_provider.judge.decisions import (
    UNKNOWN_ALIGNMENT,
    CandleTrend,
    Decisions,
    Rules,
    decide,
)
from liq_provider.measure.feature_rows import State
from liq_provider.measure.trend import trend_inputs
from liq_provider.measure.waves import Strength
from liq_provider.study.pair_past import PairPast


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
    unknown = decisions.aligned[rows] == UNKNOWN_ALIGNMENT
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
