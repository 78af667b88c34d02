"""
A feed's text, read in a process of its own: ``python -m liq_provider.news.feed_text``.

A few hundred kilobytes of hostile XML keep every parser for feeds busy for as long as whoever
wrote them likes. A process can be ended; it is given no key, little memory and no file. It
imports next to nothing, and the package ``news`` nothing at all: it is started for every feed that
has changed.

The text comes on the standard input. What is in it goes to the standard output as JSON.
"""

import calendar
import io
import json
import os
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import feedparser

from liq_provider.core.plaintext import plain

_MOST_ENTRIES = 100
_MOST_CHARACTERS = 400
_MOST_MEMORY = 384 * 1024 * 1024
# The one who asked ends it earlier; this is for one who was ended himself.
_MOST_CPU_S = 60


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    moment = entry.get("published_parsed") or entry.get("updated_parsed")
    try:
        published_ms = calendar.timegm(moment) * 1000 if moment else None
    except (ValueError, OverflowError, TypeError):
        published_ms = None
    original = entry.get("source")
    return {
        "title": plain(str(entry.get("title", "")), _MOST_CHARACTERS),
        "summary": plain(str(entry.get("summary", "")), _MOST_CHARACTERS),
        "link": str(entry.get("link", ""))[:2_000],
        "original": str(original.get("href", "") if isinstance(original, Mapping) else "")[:2_000],
        "published_ms": published_ms,
    }


def read(body: bytes) -> dict[str, Any] | None:
    """:return: the feed's title and its newest entries, None if it is none"""
    # Bytes by themselves could be the name of a file, which feedparser would open.
    parsed = feedparser.parse(io.BytesIO(body))
    if not parsed.entries and parsed.bozo:
        return None
    entries = [_entry(entry) for entry in parsed.entries]
    entries.sort(key=lambda entry: -(entry["published_ms"] or 0))
    title = plain(str(parsed.feed.get("title", "")), _MOST_CHARACTERS)
    return {"title": title, "entries": entries[:_MOST_ENTRIES]}


def _limit() -> None:
    with suppress(OSError):
        # Where memory runs out all the same, this is what the kernel ends first.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    for limit, most in (
        (resource.RLIMIT_AS, _MOST_MEMORY),
        (resource.RLIMIT_CPU, _MOST_CPU_S),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        with suppress(ValueError, OSError):  # stricter already, or not known here
            resource.setrlimit(limit, (most, most))
    with suppress(OSError):
        os.nice(5)  # the exchanges' feeds come first


if __name__ == "__main__":
    _limit()
    json.dump(read(sys.stdin.buffer.read()), sys.stdout)
