"""Words and numbers in a figure."""

import html
import textwrap
import unicodedata
from datetime import UTC, datetime

from liq_provider.core.durations import DAY_MIN, MINUTE_MS

_LONGEST, _WIDTH = 400, 70
_MINUTES = ((DAY_MIN, "d"), (60, "h"), (1, "m"))


def safe(text: str, width: int = _WIDTH) -> str:
    """
    Text from elsewhere for Plotly, which takes some tags in labels for markup.

    :param width: of a line, in characters

    >>> safe("<b>5 > 3</b>\\n& more")
    '&lt;b&gt;5 &gt; 3&lt;/b&gt; &amp; more'
    """
    # Control and format characters, such as those that turn the direction of writing.
    shown = "".join(" " if unicodedata.category(c) in ("Cc", "Cf") else c for c in text)
    shown = " ".join(shown.split())
    if len(shown) > _LONGEST:
        shown = shown[: _LONGEST - 1] + "…"
    return "<br>".join(html.escape(line, quote=False) for line in textwrap.wrap(shown, width))


def usd(value: float) -> str:
    """
    >>> usd(0), usd(950.4), usd(25_300), usd(1_839_188)
    ('$0', '$950', '$25.3k', '$1.84M')
    """
    for least, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * least:
            return f"${value / least:.3g}{unit}"
    return f"${value:,.0f}"


def utc(ms: float, *, seconds: bool = False) -> str:
    """
    >>> utc(1_772_604_180_000), utc(1_772_604_180_000, seconds=True)
    ('2026-03-04 06:03', '2026-03-04 06:03:00')
    """
    form = "%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M"
    return datetime.fromtimestamp(ms / 1000, UTC).strftime(form)


def length(ms: int) -> str:
    """
    >>> length(60_000), length(300_000), length(3_600_000), length(5_400_000)
    ('1m', '5m', '1h', '90m')
    """
    minutes = ms // MINUTE_MS
    unit, name = next((unit, name) for unit, name in _MINUTES if minutes % unit == 0)
    return f"{minutes // unit}{name}"
