"""Candles that someone else made, refused where their columns would be another candle's."""

import numpy as np
from pandas import DataFrame, Series
from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

from liq_provider.core.durations import MINUTE_MS
from liq_provider.errors import UsageError

CANDLE = ("date", "high", "low", "close")


def check_frame(frame: DataFrame, timeframe_ms: int, needed: tuple[str, ...] = CANDLE) -> None:
    """
    A longer candle than the frame has closes later, so its columns would look ahead; and a
    shorter one knows less. A frame of one row does not tell how long its candle is.

    :param timeframe_ms: length that the columns are made for
    :param needed: names of the columns that there must be
    :raises UsageError: says what is wrong with the frame
    """
    if not isinstance(frame, DataFrame):
        raise UsageError(f"frame: {type(frame).__name__} is no pandas.DataFrame of candles")
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise UsageError(f"frame: has no column {', '.join(missing)}")
    doubled = [name for name in needed if not isinstance(frame[name], Series)]
    if doubled:
        raise UsageError(f"frame: has more than one column {', '.join(doubled)}")
    dates = frame["date"]
    if not is_datetime64_any_dtype(dates.dtype) or dates.isna().any():
        raise UsageError("frame: date must be the time that each candle opens at (UTC)")
    words = [name for name in needed if name != "date" and not is_numeric_dtype(frame[name].dtype)]
    if words:
        raise UsageError(f"frame: {', '.join(words)} must be numbers")
    steps = np.diff(dates.dt.as_unit("ms").astype("int64").to_numpy())
    if not len(steps):
        return
    shortest_ms = int(steps.min())
    if shortest_ms <= 0:
        raise UsageError("frame: each date must be later than the one before")
    if shortest_ms != timeframe_ms or (steps % timeframe_ms).any():
        raise UsageError(
            f"frame: its candles are {shortest_ms / MINUTE_MS:g} min apart, but the timeframe is "
            f"{timeframe_ms / MINUTE_MS:g} min; give the candles' own timeframe"
        )
