"""
What never happened on an exchange, and how that is said wherever it is shown or exported.

The fact is written by whoever brings the data into the store: a sidecar whose venue is on this
machine, an import of a simulator's tape. It has a span, it goes with exports, and it never goes
away by itself.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from liq_provider.config.settings import Settings
from liq_provider.core import secret_keys
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import FOREVER_MS
from liq_provider.venues import VENUES

STAND_IN = "stand-in-not-an-AI"
"""The model name of what answers instead of a model in demos; judges are called after theirs."""

_KEY = "simulated:"


def state_key(venue: str) -> str:
    """:return: name of the store's small fact about a venue"""
    return f"{_KEY}{venue}"


STATE_KEYS = tuple(state_key(venue) for venue in VENUES)


def fed_from_here(settings: Settings) -> tuple[str, ...]:
    """:return: enabled venues that are asked on this machine, which are no exchanges"""
    return tuple(
        venue
        for venue in settings.venues.enabled
        if any(map(_is_here, _addresses(settings.venues.of(venue))))
    )


def is_here(value: Any) -> bool:
    """
    :param value: an address, or what holds some, as ccxt's ``urls``
    :return: whether one of them is on this machine
    """
    if isinstance(value, Mapping):
        return any(map(is_here, value.values()))
    return isinstance(value, str) and _is_here(value)


def spans_of(states: Mapping[str, Any]) -> dict[str, Interval]:
    """
    :param states: those of ``STATE_KEYS`` that the store has
    :return: by venue, from when to when some of what is stored is simulated
    """
    return {
        venue: Interval(int(known["from_ms"]), int(known["to_ms"]))
        for venue in VENUES
        if (known := states.get(state_key(venue)))
    }


def within(
    spans: Mapping[str, Interval], from_ms: int = 0, to_ms: int = FOREVER_MS
) -> tuple[str, ...]:
    """:return: venues of which something in ``[from_ms, to_ms]`` is simulated"""
    return tuple(
        sorted(
            venue
            for venue, span in spans.items()
            if span.start_ms <= to_ms and span.end_ms >= from_ms
        )
    )


def mark(simulated: Collection[str], venues: Sequence[str]) -> str | None:
    """
    :param simulated: venues of which something that is shown is simulated
    :param venues: all venues of which something is shown
    :return: what is to stand there, None if all of it is real
    """
    if not simulated:
        return None
    if set(simulated) >= set(venues):
        return "SIMULATED market: nothing of this happened on an exchange"
    names = " and ".join(sorted(simulated))
    return f"SIMULATED in part: what is of {names} never happened on an exchange"


def is_stand_in(judge: str) -> bool:
    """
    :param judge: a judge's name, as verdicts and questions have it
    :return: whether its words, tokens and times are a stand-in's and no model's
    """
    return judge.startswith(STAND_IN)


def _addresses(venue: Any) -> tuple[str, ...]:
    return tuple(url for url in (venue.url, venue.rest_url) if url)


def _is_here(url: str) -> bool:
    try:
        return secret_keys.is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False
