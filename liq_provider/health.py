"""How much is known: coverage of the last day, and how far the baselines are."""

from collections.abc import Sequence
from typing import Any

from liq_provider.coverage import Interval
from liq_provider.features import FeatureParams
from liq_provider.liquidation import MINUTE_MS, minute_of
from liq_provider.settings import Settings
from liq_provider.settling import covered_segments
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


def uncovered(reader: Reader, settings: Settings, close_ms: int) -> str | None:
    """
    :param close_ms: close of the newest settled minute
    :return: why its segment cannot be scored, None if some venue covers all of it
    """
    length_min = settings.segment_min
    from_ms = close_ms - length_min * MINUTE_MS
    found = reader.coverage(settings.venues.enabled, from_ms, close_ms)
    for spans in found.values():
        if any(span.start_ms <= from_ms and span.end_ms >= close_ms for span in spans):
            return None
    return f"no feed was heard for all of the last {length_min} min"


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
