"""What users of the public interface ask for: a store, pairs, and spans of time."""

import math
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from liq_provider.core.durations import DAY_MS
from liq_provider.core.moments import EARLIEST_MS, LATEST_MS, moment
from liq_provider.errors import UsageError

# Three years of minutes take some 0.7 GB while they are computed.
MOST_DAYS = 1_100

_SHOWN = 60


def check_pair(pair: Any) -> None:
    """:raises UsageError: it is no text"""
    if not isinstance(pair, str) or not pair:
        raise UsageError(
            f"pair: {_shown(pair)} is none; write it as Freqtrade does, such as BTC/USDT:USDT"
        )


def address_of(store: Any) -> str:
    """
    :return: of a database; a path becomes absolute
    :raises UsageError: it is neither address nor path
    """
    if not isinstance(store, str | Path) or not str(store) or "\0" in str(store):
        raise UsageError(
            f"store: {_shown(store)} is none; give the path of its file, or a database's address"
        )
    return str(store) if "://" in str(store) else f"sqlite:///{Path(store).resolve()}"


def span_ms(start: Any, end: Any, most_days: int | None = None) -> tuple[int, int]:
    """
    :param start: text or a datetime, UTC unless it says otherwise; so is ``end``
    :param most_days: that may be asked for at once
    :return: both in milliseconds
    :raises UsageError: one is no time of which anything can be known, or it is no span
    """
    from_ms, to_ms = time_ms("start", start), time_ms("end", end)
    if from_ms > to_ms:
        raise UsageError(f"start: {moment(from_ms)} is later than end, {moment(to_ms)}")
    if most_days is not None and to_ms - from_ms > most_days * DAY_MS:
        raise UsageError(
            f"start: {(to_ms - from_ms) / DAY_MS:,.1f} days before end are too much at once; ask "
            f"for at most {most_days:,}"
        )
    return from_ms, to_ms


def time_ms(name: str, time: Any) -> int:
    """
    :param name: of the argument
    :raises UsageError: it is no time, or none of which anything can be known
    """
    try:
        asked = pd.Timestamp(datetime.fromisoformat(time) if isinstance(time, str) else time)
        # A bare number would be taken for nanoseconds.
        if pd.isna(asked) or not isinstance(time, str | date | np.datetime64):
            raise ValueError(time)
        utc = asked.tz_localize(UTC) if asked.tzinfo is None else asked
        asked_ms = math.floor(utc.timestamp() * 1000)
    except (ValueError, TypeError, OverflowError):
        raise UsageError(
            f"{name}: {_shown(time)} is no time; write '2026-03-10T05:09' (UTC), or give a datetime"
        ) from None
    if not EARLIEST_MS <= asked_ms <= LATEST_MS:
        raise UsageError(f"{name}: {_shown(time)} is not between the years 2017 and 2100")
    return asked_ms


def _shown(given: Any) -> str:
    """:return: on one line, and not all of what is long"""
    said = " ".join((str(given) if isinstance(given, date) else repr(given)).split())
    return said if len(said) <= _SHOWN else f"{said[:_SHOWN]}..."
