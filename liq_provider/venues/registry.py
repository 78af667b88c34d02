"""
The exchanges that are there: one for each file of this package that states a ``VENUE``, and one
for each entry point ``liqtrend.venues`` of other packages.
"""

import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Final

from liq_provider.core import plugins
from liq_provider.core.plaintext import plain
from liq_provider.errors import UsageError
from liq_provider.venues.base import Venue
from liq_provider.venues.statement import fault_of, simulated_paths

_PACKAGE = "liq_provider.venues"
_WORDS_LIMIT: Final = 300

_Load = Callable[[], object]


def _of_this_package() -> Iterator[tuple[str, _Load]]:
    for module in pkgutil.iter_modules(import_module(_PACKAGE).__path__):
        yield module.name, partial(_stated_in, f"{_PACKAGE}.{module.name}")


def _stated_in(module: str) -> object:
    return getattr(import_module(module), "VENUE", None)


def _of_others() -> Iterator[tuple[str, _Load]]:
    for name in plugins.names(plugins.VENUES):
        yield name, partial(_load, name)


def _load(name: str) -> object:
    stated = plugins.load(plugins.find(plugins.VENUES, name))
    if stated is None:
        raise TypeError("it states nothing")
    return stated


def scan() -> tuple[dict[str, Venue], dict[str, str]]:
    """
    :return: all venues by name, in alphabetical order; and what is stated as a venue and cannot be
        used, with the reason
    """
    venues: dict[str, Venue] = {}
    unusable: dict[str, str] = {}
    ours, theirs = list(_of_this_package()), list(_of_others())
    for number, (name, load) in enumerate([*ours, *theirs]):
        try:
            stated = load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a package may raise anything, also to end the program
            unusable[name] = f"cannot be loaded ({plain(plugins.words(error), _WORDS_LIMIT)})"
            continue
        if stated is None:
            continue  # a file that serves the others
        if not isinstance(stated, Venue) or stated.name != name:
            unusable[name] = "what it states is no Venue of that name"
        elif name in venues:
            unusable[name] = "there is another one of that name"
        # Those of this package are checked by its tests.
        elif number >= len(ours) and (fault := _fault_beside(stated, venues)) is not None:
            unusable[name] = fault
        else:
            venues[name] = stated
    return dict(sorted(venues.items())), unusable


def _fault_beside(stated: Venue, others: Mapping[str, Venue]) -> str | None:
    try:
        fault = fault_of(stated)
        if fault is not None:
            return plain(fault, _WORDS_LIMIT)
        paths = simulated_paths(stated)
    except Exception as error:  # what it states may be objects of its own
        return f"cannot be read ({plain(plugins.words(error), _WORDS_LIMIT)})"
    for name, other in others.items():
        if both := paths & simulated_paths(other):
            return f"dialect.prefix: {min(both)} is a path of {name} in the simulator"
    return None


# Nothing is raised here: whoever imports this may be Freqtrade, which would show a traceback.
VENUES, UNUSABLE = scan()


def refuse_unusable() -> None:
    """
    :raises UsageError: something is stated as a venue that cannot be used; nothing works without
        it, as its feed might be one that the user counts on
    """
    if UNUSABLE:
        said = "; ".join(
            f"venue {name}{_who(name)}: {why}" for name, why in sorted(UNUSABLE.items())
        )
        raise UsageError(f"{said}; mend or uninstall what adds it ({plugins.VENUES})")


def _who(name: str) -> str:
    points = plugins.added()[plugins.VENUES]
    packages = " and ".join(plugins.package(point) for point in points if point.name == name)
    return f" of {packages}" if packages else ""


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


_DOUBTS = {
    "measured": "measured by others, not documented",
    "argued": "not documented, only argued",
}


def price_words(names: Iterable[str]) -> str | None:
    """
    :param names: of venues
    :return: which price their liquidations are counted at, and whose side and amount are not
        documented; None if there are none
    """
    known = [VENUES[name] for name in sorted(names) if name in VENUES]
    prices = _by_words((_PRICES[venue.price_kind], venue) for venue in known)
    doubts = _by_words(
        (_DOUBTS[venue.evidence], venue) for venue in known if venue.evidence in _DOUBTS
    )
    if not known:
        return None
    return f"Prices: {prices}." + (f" Side and amount: {doubts}." if doubts else "")


def _by_words(said: Iterable[tuple[str, Venue]]) -> str:
    titles: dict[str, list[str]] = {}
    for words, venue in said:
        titles.setdefault(words, []).append(venue.title)
    return "; ".join(f"{' and '.join(names)} {words}" for words, names in titles.items())
