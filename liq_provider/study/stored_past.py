"""What a study is made of: stored liquidations, and the candles that Freqtrade downloaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from liq_provider.config.settings import Settings
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.core.durations import FOREVER_MS, MINUTE_MS
from liq_provider.errors import UsageError
from liq_provider.measure.minute_results import Computed
from liq_provider.store.minute_features import history
from liq_provider.store.reader import Reader
from liq_provider.study.pair_past import PairPast


def stored_span(reader: Reader, source: str) -> tuple[int, int]:
    """
    :param source: the setting ``backtest_source``
    :return: first and last time that anything is known of
    :raises UsageError: nothing is
    """
    span = reader.span() if source == "minutes" else reader.bar_span(source)
    if span is None:
        what = "liquidations" if source == "minutes" else f"bars of {source}"
        raise UsageError(
            f"the store holds no {what}: record some (liq-provider run), import a recording "
            "(liq-provider import), or set liq_provider.backtest_source"
        )
    return span


def stored_pairs(reader: Reader, source: str) -> list[str]:
    """
    :param source: the setting ``backtest_source``
    :return: one pair for each coin that anything is stored of
    """
    if source != "minutes":
        return reader.bar_pairs(source)
    return sorted(min(pairs) for pairs in reader.active(0, FOREVER_MS).values())


def load_candles(
    config: Mapping[str, Any], datadir: Path, pair: str, timeframe: str
) -> pd.DataFrame | None:
    """:return: Freqtrade's candles of a pair, None if there are none"""
    from freqtrade.data.history import get_datahandler
    from freqtrade.enums import CandleType

    handler = get_datahandler(datadir, str(config.get("dataformat_ohlcv") or "feather"))
    candles: pd.DataFrame = handler.ohlcv_load(
        pair, timeframe, CandleType.FUTURES, warn_no_data=False
    )
    return None if candles.empty else candles


def without_prices(span: tuple[int, int], timeframe_ms: int) -> pd.DataFrame:
    """:return: the candles that a span has, prices unknown: waves can be counted, no returns"""
    first_ms = span[0] // timeframe_ms * timeframe_ms
    opened = pd.to_datetime(np.arange(first_ms, span[1], timeframe_ms), unit="ms", utc=True)
    return pd.DataFrame({"date": opened, "open": np.nan, "close": np.nan})


def pair_data(
    reader: Reader,
    settings: Settings,
    pair: str,
    candles: pd.DataFrame,
    timeframe_ms: int,
    span: tuple[int, int],
) -> PairPast | None:
    """
    :param candles: with the columns date, open, close
    :param span: what is stored; candles outside of it are left out
    :return: None if no candle lies within it
    """
    opened = candles["date"].dt.as_unit("ms").astype("int64").to_numpy()
    inside = (opened + timeframe_ms > span[0]) & (opened < span[1])
    # The trend needs candles from before.
    first = max(int(np.argmax(inside)) - settings.trend_candles - 1, 0) if inside.any() else 0
    inside[first : int(np.argmax(inside))] = inside.any()
    if not inside.any():
        return None
    opened = opened[inside]
    timeframe_min = timeframe_ms // MINUTE_MS
    first_close, last_close = int(opened[0]) + MINUTE_MS, int(opened[-1]) + timeframe_ms
    base = base_asset_of_pair(pair)
    computed = history(reader, base, settings, timeframe_min, first_close, last_close)
    rows = computed.rows((settings.zscore,), settings.min_segment_usd)
    return PairPast(
        pair,
        timeframe_ms,
        opened,
        candles["open"].to_numpy(dtype=float)[inside],
        candles["close"].to_numpy(dtype=float)[inside],
        rows,
        _venues(computed),
    )


def _venues(computed: Computed) -> list[str]:
    """:return: V(t) of each row, as text"""
    masks = computed.features.venue_mask[computed.wanted]
    _, first, which = np.unique(masks, return_index=True, return_inverse=True)
    names = [
        "+".join(computed.features.venues_at(int(computed.wanted[row]))) or "none" for row in first
    ]
    return [names[n] for n in which.tolist()]
