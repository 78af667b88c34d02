"""Minutes of a store that were made with another ``min_event_usd`` than the settings say."""

from liq_provider.config.settings import Settings
from liq_provider.errors import SettingsError
from liq_provider.store.reader import Reader


def other_minutes_words(wanted_usd: float, made_with_usd: float) -> str | None:
    """
    Minutes without the orders that ``min_event_usd`` leaves out are another series.

    :param wanted_usd: as configured
    :param made_with_usd: what the store's minutes were made with
    :return: that they differ, and the remedy; None if they do not
    """
    if wanted_usd == made_with_usd:
        return None
    return (
        f"liq_provider.min_event_usd: {wanted_usd:g}, but the store's minutes were made with "
        f"{made_with_usd:g}; set it to that, or run `liq-provider rebuild`"
    )


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
