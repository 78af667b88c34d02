"""
The prompt: a versioned text about how to judge, and the measured facts and news as data.

A change to the text needs a new file and a new ``VERSION``: verdicts are kept by it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from liq_provider.core.arrays import FloatArray
from liq_provider.core.candle_columns import COLUMNS
from liq_provider.core.durations import MINUTE_MS
from liq_provider.judge.verdict import Facts, aligned_word
from liq_provider.news.desk import NewsSet

VERSION = "v1"

_LAST_BARS = 15

Messages = list[dict[str, str]]


def messages(
    facts: Facts, candles: FloatArray, timeframe: str, news: NewsSet, now_ms: int
) -> Messages:
    """
    :param candles: closed ones
    :return: the chat that is sent
    """
    body = json.dumps(data(facts, candles, timeframe, news, now_ms), indent=1, ensure_ascii=True)
    # Nobody who wrote a headline can know the marker: it depends on everything else in there.
    body = body.replace("<", "\\u003c").replace(">", "\\u003e")
    marker = f"=== DATA {hashlib.sha256(body.encode()).hexdigest()[:16]} ==="
    return [
        {"role": "system", "content": instructions()},
        {"role": "user", "content": f"{marker}\n{body}\n{marker}"},
    ]


def data(
    facts: Facts, candles: FloatArray, timeframe: str, news: NewsSet, now_ms: int
) -> dict[str, Any]:
    """:return: everything that the model is told about one wave"""
    details = facts.details
    return {
        "symbol": facts.symbol,
        "direction": facts.direction,
        "liquidations": {"strength": facts.strength.word}
        | _rounded({details.get("zscore", "z"): details.get("z")}, details.get("zscore", "z"))
        | _rounded(details, "purity", "notional_usd", "long_usd", "short_usd", "count"),
        "candles": {
            "timeframe": timeframe,
            "aligned": aligned_word(facts.aligned),
            "trend": details.get("trend"),
            **_rounded(details, "trend_change", "trend_noise"),
            "columns": " ".join(COLUMNS),
            "last": [" ".join(f"{value:.6g}" for value in row) for row in candles[-_LAST_BARS:]],
        },
        "news": _news(news, now_ms),
    }


def news_in(sent: Sequence[Mapping[str, str]]) -> list[dict[str, Any]] | None:
    """
    :param sent: a chat that was sent, of whatever version
    :return: the headlines in it with source, age and summary; None if news was not asked, or if
        it is not known any more
    """
    try:
        body = json.loads("\n".join(sent[-1]["content"].splitlines()[1:-1]))
        headlines = body["news"]
    except (ValueError, LookupError, TypeError):
        return None
    return headlines if isinstance(headlines, list) else None


def _news(news: NewsSet, now_ms: int) -> str | Sequence[Mapping[str, Any]]:
    if news.found is None:
        return "not asked"
    return [
        {
            "title": item.title,
            "source": item.source,
            "age_min": max(0, (now_ms - item.published_ms) // MINUTE_MS),
            "summary": item.summary,
        }
        for item in news.items
    ]


def _rounded(details: Mapping[str, Any], *names: str) -> dict[str, Any]:
    values = {name: details.get(name) for name in names}
    return {n: float(f"{v:.5g}") if isinstance(v, float) else v for n, v in values.items()}


@cache
def instructions() -> str:
    """:return: the text of the current version"""
    path = files("liq_provider.judge") / "prompts" / f"{VERSION}.txt"
    return path.read_text(encoding="utf-8").strip()
