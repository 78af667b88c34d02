"""
How many independent sources a set of headlines has; no word of them is believed for that.

Whoever can write one headline can write ten, on one site or on many that copy from it. So two
of them count as one source if one registered domain delivered or is named by both, or if their
texts are nearly the same.
"""

import unicodedata
from collections.abc import Sequence
from itertools import combinations

from liq_provider.news.headline import NewsItem

_PIECE = 4
# Share of the shorter text's pieces that the longer one has, too.
_SAME = 0.6
_TOO_SHORT = 12


def independent(items: Sequence[NewsItem]) -> int:
    """:return: how many sources there are that have nothing in common"""
    group = list(range(len(items)))
    for first, second in combinations(range(len(items)), 2):
        if group[first] != group[second] and _related(items[first], items[second]):
            kept, gone = group[first], group[second]
            group = [kept if number == gone else number for number in group]
    return len(set(group))


def _related(first: NewsItem, second: NewsItem) -> bool:
    return (
        bool(_names(first) & _names(second))
        or _alike(first.title, second.title)
        or _alike(first.summary, second.summary)
    )


def _names(item: NewsItem) -> set[str]:
    # Records of older versions hold no domains.
    return set(item.origins.split()) or {item.source.casefold()}


def _alike(first: str, second: str) -> bool:
    """In any language: compared are pieces of a few letters, not words."""
    shorter, longer = sorted((_letters(first), _letters(second)), key=len)
    if len(shorter) < _TOO_SHORT or len(longer) > 2 * len(shorter):
        return bool(shorter) and shorter == longer
    known = _pieces(longer)
    wanted = _pieces(shorter)
    return len(wanted & known) >= _SAME * len(wanted)


def _letters(text: str) -> str:
    spread = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in spread if letter.isalnum())


def _pieces(text: str) -> set[str]:
    return {text[at : at + _PIECE] for at in range(len(text) - _PIECE + 1)}
