"""What other packages add to LiqTrend, and whether it can be used: loaded as the sidecar would."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from itertools import groupby
from typing import Any, Final

from liq_provider.config.sections import JUDGES, NEWS_SOURCES
from liq_provider.config.settings import Settings
from liq_provider.core import plugins
from liq_provider.core.plaintext import plain
from liq_provider.errors import UsageError
from liq_provider.venues.registry import UNUSABLE, VENUES

_LOADS_S: Final = 15.0
_WORDS_LIMIT: Final = 300


@dataclass(frozen=True, slots=True)
class Added:
    """
    One name that installed packages add.

    :param group: of entry points
    :param packages: that add it, with their versions
    :param problem: why it cannot be used, None if it can
    :param chosen_by: the setting that names it, None if none does
    """

    group: str
    name: str
    packages: str
    problem: str | None
    chosen_by: str | None = None


@dataclass(frozen=True, slots=True)
class _Kind:
    """
    What is loaded when it is first asked.

    :param ours: names that nobody else can take
    :param key: of the setting that chooses one by its name
    :param given: what it is called with
    :param method: that it must have
    """

    group: str
    ours: tuple[str, ...]
    key: str
    chosen: Callable[[Settings], str]
    given: Callable[[Settings], Any]
    method: str


_KINDS: Mapping[str, _Kind] = {
    kind.group: kind
    for kind in (
        _Kind(plugins.JUDGES, JUDGES, "judge.by", lambda s: s.judge.by, lambda s: s, "opinion"),
        _Kind(
            *(plugins.NEWS, NEWS_SOURCES, "news.provider"),
            lambda s: s.news.provider,
            lambda s: s.news,
            "find",
        ),
    )
}


def added_packages(settings: Settings | None) -> Iterator[Added]:
    """
    :param settings: None if there are none that are valid; then nothing is chosen
    :return: of every group, what is installed
    """
    for group, named in plugins.added().items():
        for name, points in groupby(named, lambda point: point.name):
            yield _look_at(group, name, tuple(points), settings)


def _look_at(
    group: str, name: str, points: tuple[EntryPoint, ...], settings: Settings | None
) -> Added:
    packages = ", ".join(map(plugins.package, points))
    if not plugins.is_name(name):
        return Added(group, name, packages, plugins.NAME_RULE)
    if group == plugins.VENUES:
        return Added(group, name, packages, UNUSABLE.get(name), _venue_key(name, settings))
    kind = _KINDS[group]
    if name in kind.ours:
        return Added(group, name, packages, "LiqTrend has one of that name, which is used")
    chosen = settings is not None and kind.chosen(settings) == name
    given = kind.given(settings) if settings is not None and chosen else None
    problem = _said_within(lambda: _load(kind, name, given))
    return Added(group, name, packages, problem, kind.key if chosen else None)


def _venue_key(name: str, settings: Settings | None) -> str | None:
    if settings is None or name not in VENUES or not settings.venues.of(name).enabled:
        return None
    return f"venues.{name}.enabled"


def _load(kind: _Kind, name: str, given: Any) -> None:
    """
    :param given: what it is called with; None if it is not chosen, and only loaded
    """
    make = plugins.load(plugins.find(kind.group, name))
    if not callable(make):
        raise TypeError("what it names cannot be called")
    if given is not None and not callable(getattr(make(given), kind.method, None)):
        raise TypeError(f"what it makes has no {kind.method}")


def _said_within(load: Callable[[], None]) -> str | None:
    """Somebody else's code may raise anything, and take as long as it likes."""
    said: list[str | None] = [f"does not load within {_LOADS_S:g} s"]

    def work() -> None:
        try:
            load()
            said[0] = None
        except UsageError as error:
            said[0] = str(error)
        except BaseException as error:
            said[0] = f"cannot be loaded ({plain(plugins.words(error), _WORDS_LIMIT)})"

    thread = threading.Thread(target=work, daemon=True, name="added package")
    thread.start()
    thread.join(_LOADS_S)
    return said[0]
