"""Candles from a CSV file into Freqtrade's own data directory, checked as they come."""

from pathlib import Path

import numpy as np
import pandas as pd

from liq_provider.errors import ImportRefused

_PRICES = ("open", "high", "low", "close")
_COLUMNS = ("date", *_PRICES, "volume")
_HEADER_LINES = 1


def read_candles(path: Path, timeframe_ms: int) -> pd.DataFrame:
    """
    :param path: CSV with the columns date (open of the candle, milliseconds UTC), open, high,
        low, close, volume; further columns are ignored
    :param timeframe_ms: length of a candle
    :return: Freqtrade's columns, ascending by ``date`` (UTC)
    :raises ImportRefused: names the file and the first line that is no candle of that length
    """
    try:
        texts = pd.read_csv(path, usecols=list(_COLUMNS), dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError) as error:
        raise ImportRefused(f"{path}: cannot be read ({error})") from None
    except ValueError:
        raise ImportRefused(
            f"{path}: must be a CSV with the columns {', '.join(_COLUMNS)}"
        ) from None
    if texts.empty:
        raise ImportRefused(f"{path}: holds no candle")
    numbers = texts[list(_COLUMNS)].apply(pd.to_numeric, errors="coerce")
    _refuse(path, ~np.isfinite(numbers).all(axis=1), "is not all numbers")
    _refuse(path, numbers["date"] % timeframe_ms != 0, "does not open at a whole timeframe")
    _refuse(path, numbers["date"].duplicated(), "repeats a candle")
    prices = numbers[list(_PRICES)]
    _refuse(path, (prices <= 0).any(axis=1) | (numbers["volume"] < 0), "has no possible price")
    _refuse(
        path,
        (prices.max(axis=1) > prices["high"]) | (prices.min(axis=1) < prices["low"]),
        "has a price outside of its low and high",
    )
    opened = pd.to_datetime(numbers["date"].astype("int64"), unit="ms", utc=True)
    ordered: pd.DataFrame = numbers.assign(date=opened).sort_values("date", ignore_index=True)
    return ordered


def _refuse(path: Path, wrong: "pd.Series[bool]", what: str) -> None:
    if wrong.any():
        line = int(np.flatnonzero(wrong)[0]) + 1 + _HEADER_LINES
        raise ImportRefused(f"{path}:{line}: {what}")


def store_candles(candles: pd.DataFrame, datadir: Path, pair: str, timeframe: str) -> int:
    """
    Add candles of a perpetual future to Freqtrade's data; what is there already is kept where
    the new ones have nothing, and overwritten where they do.

    :param datadir: such as user_data/data/EXCHANGE
    :return: number of candles now there
    """
    from freqtrade.data.history import get_datahandler
    from freqtrade.enums import CandleType

    handler = get_datahandler(datadir, "feather")
    known = handler.ohlcv_load(
        pair, timeframe, CandleType.FUTURES, fill_missing=False, warn_no_data=False
    )
    both = pd.concat([known, candles], ignore_index=True)
    both = both.drop_duplicates("date", keep="last").sort_values("date", ignore_index=True)
    (datadir / "futures").mkdir(parents=True, exist_ok=True)
    handler.ohlcv_store(pair, timeframe, both[list(_COLUMNS)], CandleType.FUTURES)
    return len(both)
