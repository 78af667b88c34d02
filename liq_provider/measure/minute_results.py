"""The newest minute of a coin: its row of features, whether it is anomalous, and its wave."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from liq_provider.core.arrays import BoolArray, FloatArray, IntArray
from liq_provider.measure.feature_rows import COLUMNS, FeatureRows, long_ratio, purity
from liq_provider.measure.features import Features
from liq_provider.measure.robust_scores import Compared
from liq_provider.measure.scales import EVERY_SCORE, Score
from liq_provider.measure.waves import (
    Direction,
    Strength,
    Thresholds,
    begins_seen,
    direction_word,
    passes,
    score,
    signs,
    wave_goes_on,
)

# Columns of ``FeatureRows`` that are no sums: one segment after the other.
_COMPARED = tuple(column.name for column in fields(Compared))
_ANY_USD = 1e-9


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
        compared = self.features.compared(self.wanted, scores, max(min_usd, _ANY_USD))
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


class NewestMinutes:
    """
    The last wanted minute of each of several coins, side by side: held against thresholds all at
    once, as one after the other costs more than measuring them.

    :param computed: each coin once; of minutes, not of bars
    """

    def __init__(self, computed: Sequence[Computed]) -> None:
        self._coins = [coin.base_asset for coin in computed]
        self._at = [(coin.features, int(coin.wanted[-1])) for coin in computed]
        measured: dict[str, Any] = {
            name: np.array([getattr(of, name)[row] for of, row in self._at], dtype=kind)
            for name, kind in COLUMNS.items()
            if name not in _COMPARED
        }
        compared: dict[str, Any] = {name: np.full(len(self._at), np.nan) for name in _COMPARED}
        for place, (of, row) in enumerate(self._at):
            # Like every other row: a segment without money has no robust z and no percentile.
            scores = of.compared(np.array([row]), EVERY_SCORE, _ANY_USD)
            for name, values in compared.items():
                values[place] = getattr(scores, name)[row]
        self._rows = FeatureRows(**measured, **compared)

    def __len__(self) -> int:
        return len(self._coins)

    def table_rows(self, pairs: Mapping[str, str], available_at: int) -> list[dict[str, Any]]:
        """
        :param pairs: the pair that stands for each coin
        :return: the columns of the table ``features``, by coin
        """
        rows = self._rows
        usd = rows.long_usd + rows.short_usd
        columns: dict[str, list[Any]] = {
            "close_ms": rows.close_ms.tolist(),
            "base_asset": self._coins,
            "pair": [pairs[coin] for coin in self._coins],
            "long_usd": rows.long_usd.tolist(),
            "short_usd": rows.short_usd.tolist(),
            "notional_usd": usd.tolist(),
            "count": rows.count.tolist(),
            "z": _or_none(rows.z),
            "robust_z": _or_none(rows.robust_z),
            "percentile": _or_none(rows.percentile),
            "long_ratio": long_ratio(rows.long_usd, rows.short_usd).tolist(),
            "purity": purity(rows.long_usd, rows.short_usd).tolist(),
            "mean_usd": _or_none(np.array([of.mean_usd[row] for of, row in self._at])),
            "std_usd": _or_none(np.array([of.std_usd[row] for of, row in self._at])),
            "state": rows.state.tolist(),
            "baseline_n": rows.baseline_n.tolist(),
            "active_n": rows.active_n.tolist(),
            "venues": [",".join(of.venues_at(row)) for of, row in self._at],
            "available_at": [available_at] * len(self),
            "steady": rows.steady.tolist(),
            "before_long_usd": _or_none(rows.before_long_usd),
            "before_short_usd": _or_none(rows.before_short_usd),
            "before_count": _or_none(rows.before_count, np.isfinite(rows.before_long_usd)),
            "before_z": _or_none(rows.before_z),
            "before_robust_z": _or_none(rows.before_robust_z),
            "before_percentile": _or_none(rows.before_percentile),
        }
        names = tuple(columns)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def anomalies(self, thresholds: Thresholds) -> list[Anomaly]:
        """:return: those that are anomalous under these thresholds, each as if its wave began"""
        rows = self._rows
        passed = passes(rows, thresholds)
        strength, sign = passed.strength, signs(rows, thresholds, passed)
        seen, z = begins_seen(rows, thresholds, sign), score(rows, thresholds)
        usd, pure = rows.long_usd + rows.short_usd, purity(rows.long_usd, rows.short_usd)
        return [
            Anomaly(
                base_asset=self._coins[row],
                close_ms=int(rows.close_ms[row]),
                direction=direction_word(int(sign[row])),
                strength=Strength(int(strength[row])),
                z=float(z[row]),
                purity=float(pure[row]),
                notional_usd=float(usd[row]),
                long_usd=float(rows.long_usd[row]),
                short_usd=float(rows.short_usd[row]),
                count=int(rows.count[row]),
                seen=bool(seen[row]),
                zscore=thresholds.zscore,
            )
            for row in np.flatnonzero(strength > Strength.NONE).tolist()
        ]


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


def in_their_waves(
    anomalies: Sequence[Anomaly],
    newest: Mapping[tuple[str, str], dict[str, Any]],
    pairs: Mapping[str, str],
    segment_min: int,
    now_ms: int,
) -> tuple[tuple[Anomaly, ...], list[dict[str, Any]]]:
    """
    :param newest: by coin and direction the newest wave in the store
    :param pairs: the pair that stands for each coin
    :return: the anomalies with their waves' starts, and the rows of these waves
    """
    rows = [
        wave_row(
            minute,
            newest.get((minute.base_asset, minute.direction)),
            pairs[minute.base_asset],
            segment_min,
            now_ms,
        )
        for minute in anomalies
    ]
    placed = (
        replace(minute, wave_start_ms=row["start_ms"], seen=row["seen"])
        for minute, row in zip(anomalies, rows, strict=True)
    )
    return tuple(placed), rows


def _or_none(values: FloatArray | IntArray, known: BoolArray | None = None) -> list[Any]:
    """
    :param known: where there is a value; if omitted, where it is no NaN
    """
    if known is None:
        known = ~np.isnan(values)
    return [
        value if there else None
        for value, there in zip(values.tolist(), known.tolist(), strict=True)
    ]
