"""Reads a feed's text in a process that is ended with the one who waits for it."""

import asyncio
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from liq_provider.news.http import NewsError

# Nothing else of the environment, and above all none of the keys.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class Story:
    """
    One entry of a feed, cut to what may be needed. Nothing of it is to be trusted.

    :param original: address of the site that it names as its source, if it does
    :param published_ms: None if it has no readable date
    """

    title: str
    summary: str
    link: str
    original: str
    published_ms: int | None


async def read_feed(body: bytes) -> tuple[str, list[Story]]:
    """
    Whoever waits sets the deadline: the process ends when this is cancelled.

    :return: title and newest entries of a feed
    :raises NewsError: it is none, or more than can be read
    """
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(path or os.curdir for path in sys.path)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-m", "liq_provider.news.feed_text"),  # nothing of the working directory
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
    )
    try:
        answer, _ = await process.communicate(body)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):  # it ended in the same moment
                process.kill()
            await process.wait()
    if process.returncode != 0:
        raise NewsError("not understood")
    feed: dict[str, Any] | None = json.loads(answer)
    if feed is None:
        raise NewsError("not a feed")
    return feed["title"], [Story(**entry) for entry in feed["entries"]]
