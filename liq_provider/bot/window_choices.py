"""Window lengths that hyperopt may choose from, by name: ``SEGMENT_MIN/BASELINE_HOURS``."""

from functools import cache

from pydantic import ValidationError

from liq_provider.config.settings import Settings
from liq_provider.errors import SettingsError

# What the configuration says, whatever that is.
CONFIGURED = "configured"


@cache
def settings_with(settings: Settings, choice: str) -> Settings:
    """
    :param choice: ``configured``, or such as ``10/24``
    :return: the settings with those windows
    :raises SettingsError: they cannot be used, with the reason
    """
    if choice == CONFIGURED:
        return settings
    segment_min, _, baseline_hours = choice.partition("/")
    changed = {"segment_min": segment_min, "baseline_hours": baseline_hours}
    try:
        return Settings.model_validate(settings.model_dump() | changed)
    except ValidationError as error:
        reasons = "; ".join(fault["msg"].removeprefix("Value error, ") for fault in error.errors())
        raise SettingsError(
            f"windows {choice} (liq_provider.hyperopt_windows): {reasons}"
        ) from None
