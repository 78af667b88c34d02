"""How much is known: coverage of the last day, and whether the minutes are the settings' own."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from liq_provider.coverage import Interval
from liq_provider.errors import SettingsError
from liq_provider.features import FeatureParams
from liq_provider.liquidation import MINUTE_MS, minute_of
from liq_provider.rolling import strided_count, trailing_count
from liq_provider.settings import Settings
from liq_provider.store.booking import other_minutes_words
from liq_provider.store.reader import Reader

_DAY_MS = 86_400_000


def coverage_shares(reader: Reader, venues: Sequence[str], now_ms: int) -> dict[str, float]:
    """:return: share of the last 24 hours that each venue covers"""
    day = Interval(now_ms - _DAY_MS, now_ms)
    shares = {}
    for venue, spans in reader.coverage(venues, day.start_ms, day.end_ms).items():
        known = sum(
            max(0, min(span.end_ms, day.end_ms) - max(span.start_ms, day.start_ms))
            for span in spans
        )
        shares[venue] = round(known / _DAY_MS, 4)
    return shares


def other_minutes(reader: Reader, settings: Settings) -> str | None:
    """:return: see ``other_minutes_words``"""
    made_with = reader.states(["min_event_usd"]).get("min_event_usd", settings.min_event_usd)
    return other_minutes_words(settings.min_event_usd, made_with)


def refuse_other_minutes(reader: Reader, settings: Settings) -> None:
    """
    :raises SettingsError: see ``other_minutes``
    """
    other = other_minutes(reader, settings)
    if other is not None:
        raise SettingsError(other)


def baseline(reader: Reader, settings: Settings, close_ms: int) -> dict[str, Any]:
    """:return: how many baseline segments are known and needed, and when the first signal can be"""
    params, close_ms = FeatureParams.of(settings), minute_of(close_ms)
    known = covered_segments(reader, settings.venues.enabled, params, close_ms)
    return {
        "segments": known,
        "needed": params.min_baseline_segments,
        "full": params.baseline_segments,
        "first_signal_ms": first_signal_ms(known, params, close_ms),
    }


def first_signal_ms(known: int, params: FeatureParams, close_ms: int) -> int | None:
    """
    :param known: baseline segments that are known at ``close_ms``
    :return: when enough will be known if nothing fails, with one segment more for the scored
        one; None if enough are known
    """
    missing = params.min_baseline_segments - known
    if missing <= 0:
        return None
    return close_ms + (missing + 1) * params.segment_min * MINUTE_MS


def covered_segments(
    reader: Reader, venues: Sequence[str], params: FeatureParams, close_ms: int
) -> int:
    """
    :return: baseline segments of ``close_ms`` that the best-covered venue covers; a coin that
        was listed during the baseline has fewer
    """
    start_ms = close_ms - params.lookback_min * MINUTE_MS
    best = 0
    for spans in reader.coverage(venues, start_ms, close_ms).values():
        flags = np.zeros(params.lookback_min, dtype=bool)
        for span in spans:
            first = max(0, -(-(span.start_ms - start_ms) // MINUTE_MS))
            flags[first : max(0, (span.end_ms - start_ms) // MINUTE_MS)] = True
        whole = trailing_count(flags, params.segment_min) == params.segment_min
        best = max(
            best, int(strided_count(whole, params.segment_min, params.baseline_segments)[-1])
        )
    return best
