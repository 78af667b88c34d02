"""What is measured at some closes: their segments, held against the baselines of V(t)."""

from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np

from liq_provider.core.arrays import (
    BoolArray,
    CountArray,
    FloatArray,
    IntArray,
    MaskArray,
    SmallIntArray,
)
from liq_provider.measure.baseline import mask_type, masks_in
from liq_provider.measure.closes import Closes
from liq_provider.measure.feature_rows import State, states
from liq_provider.measure.minute_grid import FeatureParams
from liq_provider.measure.zscore import Scored, divide_by_std, scored, two_pass, without_newest

# What depends on the chosen venues, and what it says where none cover the segment.
_MISSING: dict[str, Any] = {
    "long_usd": 0.0,
    "short_usd": 0.0,
    "count": np.int64(0),
    "z": np.nan,
    "mean_usd": np.nan,
    "std_usd": np.nan,
    "active_n": np.int32(0),
}


@dataclass(slots=True)
class Measures:
    """One value per close, see ``Features``."""

    long_usd: FloatArray
    short_usd: FloatArray
    count: IntArray
    z: FloatArray
    mean_usd: FloatArray
    std_usd: FloatArray
    state: SmallIntArray
    baseline_n: CountArray
    active_n: CountArray
    venue_mask: MaskArray
    steady: BoolArray


@dataclass(frozen=True, slots=True)
class WithoutNewest:
    """Segments without their newest minute, of some closes."""

    before_long_usd: FloatArray
    before_short_usd: FloatArray
    before_count: IntArray
    before_z: FloatArray


MEASURES = tuple(column.name for column in fields(Measures))
# Numbers of those that are whole; the smallest kinds hold them until they are in their place.
WHOLE = ("count", "state", "baseline_n", "active_n")
BEFORE = tuple(column.name for column in fields(WithoutNewest))


def nothing_measured(size: int, venues: int) -> dict[str, Any]:
    """:return: arrays for so many closes, to be filled; those before were not asked for"""
    numbers = [name for name in MEASURES if name not in ("steady", "venue_mask")]
    # In one piece: the system hands over large pieces faster than many of middle size.
    block = np.empty((len(numbers), size))
    columns: dict[str, Any] = {
        name: column.view(np.int64) if name in WHOLE else column
        for name, column in zip(numbers, block, strict=True)
    }
    columns["steady"] = np.empty(size, dtype=np.bool_)
    columns["venue_mask"] = np.empty(size, dtype=mask_type(venues))
    return columns | nothing_before(size)


def nothing_before(size: int) -> dict[str, Any]:
    """:return: arrays for so many closes, that those before were not asked for"""
    numbers = [name for name in BEFORE if name != "before_count"]
    block = np.full((len(numbers), size), np.nan)
    return dict(zip(numbers, block, strict=True)) | {"before_count": np.zeros(size, np.int64)}


def measure(closes: Closes, params: FeatureParams) -> Measures:
    """
    :param params: windows in columns
    :return: one value per close
    """
    chosen, baseline_n = closes.venues()
    one = _scored(closes, params, chosen)
    state = states(chosen != 0, baseline_n, one.active_n, params)
    ready = state == State.READY
    one.z[~ready] = np.nan
    return Measures(
        long_usd=one.long_usd,
        short_usd=one.short_usd,
        count=one.count,
        z=one.z,
        mean_usd=one.mean_usd,
        std_usd=one.std_usd,
        state=state.astype(np.int8),
        baseline_n=baseline_n,
        active_n=one.active_n,
        venue_mask=chosen,
        steady=closes.steady(ready, chosen),
    )


def before(
    closes: Closes, params: FeatureParams, measures: Measures, of: slice
) -> tuple[IntArray, WithoutNewest]:
    """
    The segments without their newest minute, where it is asked for: seldom.

    :param of: which of the closes it may be asked for
    :return: for which of them it is, and what was measured of these
    """
    asked = (measures.state[of] == State.READY) & ~measures.steady[of]
    at = np.flatnonzero(asked) + (of.start or 0)
    long_usd, short_usd, z = np.empty(len(at)), np.empty(len(at)), np.empty(len(at))
    count = np.empty(len(at), dtype=np.int64)
    masks = measures.venue_mask[at]
    for mask in masks_in(masks):
        own = np.flatnonzero(masks == mask)
        positions = closes.positions(at[own])
        sides = without_newest(closes.grid, params.segment_min, mask, positions)
        long_usd[own], short_usd[own], count[own] = sides
        excess = long_usd[own] + short_usd[own] - measures.mean_usd[at[own]]
        divide_by_std(excess, measures.std_usd[at[own]])
        z[own] = excess
    return at, WithoutNewest(long_usd, short_usd, count, z)


def _scored(closes: Closes, params: FeatureParams, chosen: MaskArray) -> Scored:
    """
    :param chosen: V(t) of each close
    :return: where that is empty, what ``_MISSING`` says
    """
    by_mask = {}
    for mask in masks_in(chosen):
        define = partial(_define, closes, params, mask)
        by_mask[mask] = scored(closes.sums(mask), closes.baseline_n(mask), define)
    if len(by_mask) == 1 and chosen.all():
        return next(iter(by_mask.values()))
    columns: dict[str, Any] = {
        name: np.full(len(chosen), value) for name, value in _MISSING.items()
    }
    for mask, one in by_mask.items():
        where = chosen == mask
        for name, column in columns.items():
            np.copyto(column, getattr(one, name), where=where)
    return Scored(**columns)


def _define(
    closes: Closes, params: FeatureParams, mask: int, rows: IntArray
) -> tuple[FloatArray, FloatArray]:
    return two_pass(closes.grid, params, mask, closes.positions(rows))
