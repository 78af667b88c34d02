"""Random times of the same pair and day, in place of the waves."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from liq_provider.core.arrays import FloatArray, IntArray
from liq_provider.core.durations import DAY_MS
from liq_provider.study.events import PairWaves

DRAWS = 1_999


def placebo_means(
    events: pd.DataFrame,
    waves: Mapping[str, PairWaves],
    horizon_min: int,
    signs: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """
    Each event is replaced by a quiet candle of its pair and day, in its direction.

    :param events: with their clusters
    :param signs: +1 or -1 per event
    :return: the mean over clusters of each of ``DRAWS`` such replacements; NaN where no event
        has a quiet candle on its day
    """
    drawn = np.full((len(events), DRAWS), np.nan)
    days = (events["close_ms"] // DAY_MS).to_numpy()
    for pair, rows in events.groupby("pair").indices.items():
        waves_of_pair = waves[str(pair)]
        forward = waves_of_pair.past.forward(horizon_min)
        usable = np.flatnonzero(waves_of_pair.quiet & np.isfinite(forward))
        usable_days = waves_of_pair.past.close_ms[usable] // DAY_MS
        for row in rows:
            first, end = np.searchsorted(usable_days, [days[row], days[row] + 1])
            if end > first:
                picked = usable[rng.integers(first, end, size=DRAWS)]
                drawn[row] = forward[picked] * signs[row]
    return _mean_of_clusters(drawn, events["cluster"].to_numpy())


def _mean_of_clusters(drawn: FloatArray, clusters: IntArray) -> FloatArray:
    there = np.isfinite(drawn[:, 0])
    if not there.any():
        return np.full(drawn.shape[1], np.nan)
    _, index = np.unique(clusters[there], return_inverse=True)
    sums = np.zeros((index.max() + 1, drawn.shape[1]))
    np.add.at(sums, index, drawn[there])
    means: FloatArray = (sums / np.bincount(index)[:, None]).mean(axis=0)
    return means
