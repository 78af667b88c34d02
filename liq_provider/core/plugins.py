"""
What other packages add to LiqTrend by entry points.

Names are looked up without importing anything. What is loaded is somebody else's code: whatever it
raises, also to end the program, comes out as the one failure that its caller expects.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, TypeVar

from liq_provider.errors import UsageError

JUDGES: Final = "liqtrend.judges"
NEWS: Final = "liqtrend.news"
VENUES: Final = "liqtrend.venues"

# Names go on record beside verdicts and headlines.
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
NAME_RULE: Final = (
    "is no name: small letters, digits, _ and -, a letter first, at most 32 characters"
)

_WORDS_LIMIT = 400

_T = TypeVar("_T")


def names(group: str) -> tuple[str, ...]:
    """:return: what the installed packages add to a group, sorted"""
    return tuple(sorted({point.name for point in entry_points(group=group) if is_name(point.name)}))


def is_name(name: str) -> bool:
    """:return: whether it can be chosen at all"""
    return _NAME.fullmatch(name) is not None


def added() -> dict[str, list[EntryPoint]]:
    """:return: by group all that installed packages state, by name, whatever the name"""
    return {
        group: sorted(entry_points(group=group), key=lambda point: (point.name, package(point)))
        for group in (VENUES, JUDGES, NEWS)
    }


def refuse_unknown(group: str, name: str, ours: Collection[str]) -> None:
    """
    :param ours: names that need no other package; nobody else can take them
    :raises ValueError: it is neither one of ours nor one that an installed package adds
    """
    if name in ours:
        return
    theirs = names(group)
    if name not in theirs:
        known = ", ".join([*sorted(ours), *(other for other in theirs if other not in ours)])
        raise ValueError(f"{name!r} is none of {known}; packages add others ({group})")


def find(group: str, name: str) -> EntryPoint:
    """
    :return: what an installed package adds; to load it imports that package, which may raise
        anything, and take as long as it likes
    :raises UsageError: no installed package adds it, or several do
    """
    points = [point for point in entry_points(group=group) if point.name == name]
    if not points:
        raise UsageError(f"{name} ({group}) is added by no installed package")
    if len(points) > 1:
        packages = " and ".join(sorted(map(_package, points)))
        raise UsageError(
            f"{name} ({group}) is added by {packages}, and only one package may add it"
        )
    return points[0]


def load(point: EntryPoint) -> Any:
    """
    :return: what it names
    :raises ValueError: it names nothing; beside that, its package may raise anything
    """
    if point.pattern.match(point.value) is None:
        raise ValueError(f"its entry point must be module:name, and is {point.value!r}")
    return point.load()


def versioned(point: EntryPoint) -> str:
    """:return: its name with its package's version, such as ``example@1.2``"""
    return f"{point.name}@{_metadata(point, 'Version')}"


def package(point: EntryPoint) -> str:
    """:return: its package, such as ``example 1.2``"""
    return f"{_package(point)} {_metadata(point, 'Version')}"


def _package(point: EntryPoint) -> str:
    return _metadata(point, "Name")


def _metadata(point: EntryPoint, field: str) -> str:
    """A package whose metadata is damaged has none, and newer Pythons warn of asking for it."""
    if point.dist is None or field not in point.dist.metadata:
        return "?"
    return point.dist.metadata[field]


async def contained(call: Callable[[], Awaitable[_T]], fail: Callable[[str], Exception]) -> _T:
    """
    Await somebody else's code.

    :param fail: makes the failure that comes out instead of whatever was raised, whose words it is
        given; they may hold anything
    :raises CancelledError: only if the caller was cancelled
    """
    try:
        return await call()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise fail("CancelledError") from None
    # Also SystemExit, which would end the loop that it is raised in.
    except BaseException as error:
        failure = fail(words(error))
        raise (error if isinstance(error, type(failure)) else failure) from None


def words(error: BaseException) -> str:
    """:return: what somebody else's code raised, by kind and text"""
    kind = type(error).__name__
    try:
        return f"{kind}: {error}"[:_WORDS_LIMIT]
    except Exception:  # its text is somebody else's code, too
        return kind
