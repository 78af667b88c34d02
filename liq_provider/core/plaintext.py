"""Text from strangers (headlines, model answers) as one plain line."""

import html
import re
import unicodedata

from liq_provider.core.secret_keys import redact

_LONGEST = 20_000
_TAG = re.compile(r"<[^<>]*>")
_SPACE = re.compile(r"\s+")
_MARKUP = str.maketrans("", "", "<>`")

# Control, format (bidirectional and zero-width), surrogate, private, unassigned.
_INVISIBLE = {"Cf", "Cs", "Co", "Cn"}


def plain(text: str, limit: int) -> str:
    """
    One line without markup, control characters, invisible ones, or one of our keys.

    :param limit: characters; what is cut off is replaced by an ellipsis
    """
    # Twice: feeds escape what was escaped already.
    text = html.unescape(html.unescape(redact(text)[:_LONGEST]))
    text = _TAG.sub(" ", unicodedata.normalize("NFKC", text)).translate(_MARKUP)
    # Not only at the beginning: what stood between its letters is gone only now.
    text = redact(_SPACE.sub(" ", "".join(_visible(text))).strip())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _visible(text: str) -> list[str]:
    kept: list[str] = []
    stacked = 0
    for character in text:
        category = unicodedata.category(character)
        if category == "Cc":
            kept.append(" ")
        elif category not in _INVISIBLE:
            # Letters may carry two marks; towers of them hide what stands beside.
            stacked = stacked + 1 if category in ("Mn", "Me") else 0
            if stacked <= 2:
                kept.append(character)
    return kept
