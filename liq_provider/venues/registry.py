"""
The exchanges that are there: one for each file of this package that states a ``VENUE``, and one
for each entry point ``liqtrend.venues`` of other packages.
"""

import pkgutil
from collections.abc import Iterable, Iterator
from importlib import import_module

from liq_provider.core import plugins
from liq_provider.errors import UsageError
from liq_provider.venues.base import Venue

_PACKAGE = "liq_provider.venues"


def _of_this_package() -> Iterator[tuple[str, object]]:
    for module in pkgutil.iter_modules(import_module(_PACKAGE).__path__):
        stated = getattr(import_module(f"{_PACKAGE}.{module.name}"), "VENUE", None)
        if stated is not None:
            yield module.name, stated


def _of_others() -> Iterator[tuple[str, object]]:
    for name in plugins.names(plugins.VENUES):
        try:
            stated = plugins.find(plugins.VENUES, name).load()
        except Exception as error:
            raise UsageError(
                f"{plugins.VENUES}: {name} cannot be loaded ({error}); mend or uninstall it"
            ) from error
        yield name, stated


def scan() -> dict[str, Venue]:
    """
    :return: all venues by name, in alphabetical order
    :raises UsageError: something is stated as a venue that is none, or a name twice
    """
    venues: dict[str, Venue] = {}
    for name, stated in (*_of_this_package(), *_of_others()):
        if not isinstance(stated, Venue) or stated.name != name:
            raise UsageError(f"venue {name}: what it states is no Venue of that name")
        if name in venues:
            raise UsageError(f"venue {name}: there is another one of that name")
        venues[name] = stated
    return dict(sorted(venues.items()))


VENUES = scan()

# Asked for now and then; these exchanges publish no liquidations at all.
NO_PUBLIC_FEED = frozenset({"hyperliquid", "kucoin", "mexc", "bingx"}) - VENUES.keys()


def sampling_words(names: Iterable[str]) -> str | None:
    """
    :param names: of venues
    :return: what is to stand beside their totals, None if they are complete
    """
    known = [VENUES[name] for name in sorted(names) if name in VENUES]
    limits = [
        f"{venue.title} publishes at most {venue.sampled}" for venue in known if venue.sampled
    ]
    return f"{'; '.join(limits)}: totals are a lower bound." if limits else None


_PRICES = {
    "fill": "what was paid",
    "bankruptcy": "where the position's margin was gone",
    "order": "the order's, which may have been filled better",
    "mark": "the mark price of that moment",
}


def price_words(names: Iterable[str]) -> str | None:
    """
    :param names: of venues
    :return: which price their liquidations are counted at, None if there are none
    """
    kinds: dict[str, list[str]] = {}
    for name in sorted(names):
        if name in VENUES:
            kinds.setdefault(VENUES[name].price_kind, []).append(VENUES[name].title)
    told = [f"{' and '.join(titles)} {_PRICES[kind]}" for kind, titles in kinds.items()]
    return f"Prices: {'; '.join(told)}." if told else None
