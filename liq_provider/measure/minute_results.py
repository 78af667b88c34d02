"""The newest minute of a coin: its row of features, whether it is anomalous, and its wave."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from liq_provider.core.arrays import IntArray
from liq_provider.measure.feature_rows import FeatureRows
from liq_provider.measure.features import Features
from liq_provider.measure.scales import EVERY_SCORE, Score
from liq_provider.measure.waves import (
    Direction,
    Strength,
    Thresholds,
    direction_word,
    score,
    wave_goes_on,
    waves_of,
)


@dataclass(frozen=True, slots=True)
class Computed:
    """
    Features of one coin over a span, dense.

    :param wanted: the positions that were asked for, one after the other
    """

    base_asset: str
    features: Features
    wanted: IntArray

    def rows(self, scores: Collection[Score] = (), min_usd: float = 0.0) -> FeatureRows:
        """
        :param scores: that are wanted; those besides the classic one take their time
        :param min_usd: those only where the segment is worth at least this
        """
        compared = self.features.compared(self.wanted, scores, max(min_usd, 1e-9))
        return self.features.at(self._span, compared)

    @property
    def _span(self) -> slice:
        if not len(self.wanted):
            return slice(0, 0)
        return slice(int(self.wanted[0]), int(self.wanted[-1]) + 1)


@dataclass(frozen=True, slots=True)
class Anomaly:
    """
    One anomalous minute of one coin, as the sidecar sees it above the judge's floor.

    :param seen: if its wave began in this minute, the beginning would be seen; once the wave is
        known, whether its beginning was
    :param z: the score that is thresholded, see ``zscore``
    """

    base_asset: str
    close_ms: int
    direction: Direction
    strength: Strength
    z: float
    purity: float
    notional_usd: float
    long_usd: float
    short_usd: float
    count: int
    wave_start_ms: int = 0
    seen: bool = True
    zscore: Score = "classic"


@dataclass(frozen=True, slots=True)
class Settled:
    """
    What a settled minute brought.

    :param anomalies: minutes above the judge's floor, with their wave's start
    :param pairs: the pair that stands for each coin
    :param covered: venues that covered the minute
    """

    close_ms: int
    anomalies: tuple[Anomaly, ...]
    pairs: Mapping[str, str]
    covered: tuple[str, ...]


def feature_row(computed: Computed, pair: str, available_at: int) -> dict[str, Any]:
    """:return: the columns of the table ``features`` for the last wanted minute"""
    features, row = computed.features, int(computed.wanted[-1])
    # Like every other row: a segment without money has no robust z and no percentile.
    last = Computed(computed.base_asset, features, computed.wanted[-1:]).rows(EVERY_SCORE)
    measured = np.isfinite(last.before_long_usd[0])
    return {
        "close_ms": int(features.close_ms[row]),
        "base_asset": computed.base_asset,
        "pair": pair,
        "long_usd": float(features.long_usd[row]),
        "short_usd": float(features.short_usd[row]),
        "notional_usd": float(features.notional_usd[row]),
        "count": int(features.count[row]),
        "z": _or_none(features.z[row]),
        "robust_z": _or_none(last.robust_z[0]),
        "percentile": _or_none(last.percentile[0]),
        "long_ratio": float(features.long_ratio[row]),
        "purity": float(features.purity[row]),
        "mean_usd": _or_none(features.mean_usd[row]),
        "std_usd": _or_none(features.std_usd[row]),
        "state": int(features.state[row]),
        "baseline_n": int(features.baseline_n[row]),
        "active_n": int(features.active_n[row]),
        "venues": ",".join(features.venues_at(row)),
        "available_at": available_at,
        "steady": bool(last.steady[0]),
        "before_long_usd": _or_none(last.before_long_usd[0]),
        "before_short_usd": _or_none(last.before_short_usd[0]),
        "before_count": int(last.before_count[0]) if measured else None,
        "before_z": _or_none(last.before_z[0]),
        "before_robust_z": _or_none(last.before_robust_z[0]),
        "before_percentile": _or_none(last.before_percentile[0]),
    }


def anomaly(computed: Computed, thresholds: Thresholds) -> Anomaly | None:
    """:return: the last wanted minute if it is anomalous under these thresholds"""
    last = Computed(computed.base_asset, computed.features, computed.wanted[-1:])
    rows = last.rows((thresholds.zscore,), thresholds.min_segment_usd)
    alone = waves_of(rows, thresholds, computed.features.params.segment_min)
    strength = Strength(int(alone.strength[0]))
    if strength is Strength.NONE:
        return None
    long_usd, short_usd = float(rows.long_usd[0]), float(rows.short_usd[0])
    return Anomaly(
        base_asset=computed.base_asset,
        close_ms=int(rows.close_ms[0]),
        direction=direction_word(int(alone.sign[0])),
        strength=strength,
        z=float(score(rows, thresholds)[0]),
        purity=max(long_usd, short_usd) / (long_usd + short_usd),
        notional_usd=long_usd + short_usd,
        long_usd=long_usd,
        short_usd=short_usd,
        count=int(rows.count[0]),
        seen=bool(alone.seen[0]),
        zscore=thresholds.zscore,
    )


def wave_row(
    minute: Anomaly, previous: dict[str, Any] | None, pair: str, segment_min: int, now_ms: int
) -> dict[str, Any]:
    """
    The wave that an anomalous minute starts or continues.

    :param previous: the newest wave of that coin and direction in the store
    :return: the columns of the table ``waves``
    """
    row = {
        "base_asset": minute.base_asset,
        "direction": minute.direction,
        "start_ms": minute.close_ms,
        "pair": pair,
        "last_ms": minute.close_ms,
        "minutes": 1,
        "strength": minute.strength.word,
        "peak_z": minute.z,
        "peak_usd": minute.notional_usd,
        "available_at": now_ms,
        "seen": minute.seen,
    }
    if previous is None or not wave_goes_on(previous["last_ms"], minute.close_ms, segment_min):
        return row
    again = previous["last_ms"] == minute.close_ms
    stronger = minute.strength > Strength[previous["strength"].upper()]
    return row | {
        "start_ms": previous["start_ms"],
        "minutes": previous["minutes"] + (0 if again else 1),
        "strength": minute.strength.word if stronger else previous["strength"],
        "peak_z": max(minute.z, previous["peak_z"]),
        "peak_usd": max(minute.notional_usd, previous["peak_usd"]),
        "available_at": previous["available_at"],
        "seen": bool(previous["seen"]),
    }


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
