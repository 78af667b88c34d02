"""How much is known: coverage of the last day, and whether the minutes are the settings' own."""

from collections.abc import Sequence

from liq_provider.config.settings import Settings
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import DAY_MS
from liq_provider.errors import SettingsError
from liq_provider.store.booking import other_minutes_words
from liq_provider.store.reader import Reader


def coverage_shares(reader: Reader, venues: Sequence[str], now_ms: int) -> dict[str, float]:
    """:return: share of the last 24 hours that each venue covers"""
    day = Interval(now_ms - DAY_MS, now_ms)
    shares = {}
    for venue, spans in reader.coverage(venues, day.start_ms, day.end_ms).items():
        known = sum(
            max(0, min(span.end_ms, day.end_ms) - max(span.start_ms, day.start_ms))
            for span in spans
        )
        shares[venue] = round(known / DAY_MS, 4)
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
