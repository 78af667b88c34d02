"""The chart library, from the installed package, and the few styles that it sets by script."""

import hashlib
import re
from base64 import b64encode
from functools import cache
from importlib.resources import files

# It makes an empty style element and fills it by script, and keeps the cells of a heat map crisp.
_STYLES = (
    "",
    "image-rendering: optimizeSpeed; image-rendering: -moz-crisp-edges; "
    "image-rendering: -o-crisp-edges; image-rendering: -webkit-optimize-contrast; "
    "image-rendering: optimize-contrast; image-rendering: crisp-edges; "
    "image-rendering: pixelated; ",
)
_SHEET = re.compile(r"textContent='((?:[^'\\]|\\.)*)'")


@cache
def library() -> str:
    """:return: plotly.js"""
    path = files("plotly") / "package_data" / "plotly.min.js"
    return path.read_text(encoding="utf-8")


@cache
def style_sources() -> str:
    """
    :return: sources for the policy's ``style-src``: exactly those styles, by their hashes, and
        no other inline style
    """
    known = (*_STYLES, *_SHEET.findall(library()))
    return " ".join(["'unsafe-hashes'", *(f"'sha256-{_digest(text)}'" for text in known)])


def _digest(text: str) -> str:
    return b64encode(hashlib.sha256(text.encode()).digest()).decode()
