"""
From stored minutes to features; used by sidecar, strategy, backtest and commands.

What live trading computes minute by minute and what a backtest computes for a year at once is
the same call with other bounds. ``history`` is the one door to the past: backtests, plots, the
commands and the study see it through there.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from liq_provider.config.measuring import feature_params_of
from liq_provider.config.settings import Settings
from liq_provider.core.durations import MINUTE_MS
from liq_provider.errors import UsageError
from liq_provider.measure.features import compute_busy, compute_features, compute_newest
from liq_provider.measure.minute_grid import FeatureParams, MinuteGrid
from liq_provider.measure.minute_results import Computed
from liq_provider.store.reader import Reader


class GridSource(Protocol):
    """A reader, or who keeps something of what it reads."""

    def grids(
        self, base_assets: Sequence[str], venues: Sequence[str], from_ms: int, to_ms: int
    ) -> Mapping[str, MinuteGrid]: ...


def compute(
    reader: GridSource,
    base_assets: Sequence[str],
    venues: Sequence[str],
    params: FeatureParams,
    from_close_ms: int,
    to_close_ms: int,
    *,
    quiet: bool = True,
) -> list[Computed]:
    """
    Features at every minute close in ``[from_close_ms, to_close_ms]``.

    :param venues: the enabled venues
    :param quiet: also where the segment is empty
    """
    start_ms = from_close_ms - params.before_ms()
    grids = reader.grids(base_assets, venues, start_ms, to_close_ms)
    if from_close_ms < to_close_ms:
        return [
            _computed(base, grid, params, from_close_ms, quiet=quiet)
            for base, grid in grids.items()
        ]
    # What other decisions knew is of no interest, and would cost a pass for each of them; but for
    # the one before, which says whether a wave begins.
    known = [grid.for_decision(to_close_ms) for grid in grids.values()]
    features = compute_newest(known, params)
    last = np.array([1])
    return [Computed(base, one, last) for base, one in zip(grids, features, strict=True)]


def history(
    reader: Reader,
    base_asset: str,
    settings: Settings,
    timeframe_min: int,
    from_close_ms: int,
    to_close_ms: int,
    *,
    quiet: bool = True,
) -> Computed:
    """
    Features of the past at every close in ``[from_close_ms, to_close_ms]``, from what
    ``backtest_source`` names: of every recorded minute, or of every bar.

    :param timeframe_min: length of the candles that decisions are made at
    :param quiet: also where the segment is empty
    :raises UsageError: the bars are too coarse for the timeframe or the segment
    """
    params = feature_params_of(settings)
    if settings.backtest_source == "minutes":
        venues = settings.venues.enabled
        span = from_close_ms, to_close_ms
        return compute(reader, [base_asset], venues, params, *span, quiet=quiet)[0]
    bar_min = _bar_length(reader, base_asset, settings, timeframe_min)
    bar_ms = bar_min * MINUTE_MS
    first_ms = -(-from_close_ms // bar_ms) * bar_ms
    start_ms = first_ms - params.before_ms(bar_min)
    end_ms = max(to_close_ms // bar_ms * bar_ms, first_ms - bar_ms)
    grid = reader.bar_grid(base_asset, settings.backtest_source, bar_min, start_ms, end_ms)
    return _computed(base_asset, grid, params, first_ms, quiet=quiet)


def _computed(
    base_asset: str, grid: MinuteGrid, params: FeatureParams, from_close_ms: int, *, quiet: bool
) -> Computed:
    features = (compute_features if quiet else compute_busy)(grid, params)
    first = int(np.searchsorted(features.close_ms, from_close_ms))
    return Computed(base_asset, features, np.arange(first, len(features)))


def _bar_length(reader: Reader, base_asset: str, settings: Settings, timeframe_min: int) -> int:
    """The longest bars that fill both candles and segments; without any, it does not matter."""
    source, segment_min = settings.backtest_source, settings.segment_min
    lengths = reader.bar_lengths(base_asset, source)
    if not lengths:
        return math.gcd(timeframe_min, segment_min)
    fitting = [n for n in lengths if timeframe_min % n == 0 and segment_min % n == 0]
    if not fitting:
        raise UsageError(
            f"liq_provider.backtest_source: the bars of {base_asset} from {source} are "
            f"{', '.join(str(n) for n in lengths)} min long; timeframe ({timeframe_min} min) and "
            f"liq_provider.segment_min ({segment_min}) must be multiples of that"
        )
    return max(fitting)
