"""Hostile feeds beside honest ones: each ends in time, and takes nothing from the others."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
from aiohttp import web

from liq_provider.config.sections import LlmSettings, NewsSettings
from liq_provider.judge.matrix import Action, News
from liq_provider.judge.model import ModelJudge
from liq_provider.news.desk import NewsDesk, NewsSet
from liq_provider.news.feed_process import read_feed
from liq_provider.simulator.stand_in_model import StandIn
from tests.judge.facts import CANDLES, NOW, facts
from tests.sidecars import until

pytestmark = pytest.mark.processes

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# So long that an honest feed is read in time on a busy machine.
TIMEOUT_S = 8.0


def feed(*items: str, title: str = "Wire") -> str:
    return f'<rss version="2.0"><channel><title>{title}</title>{"".join(items)}</channel></rss>'


def item(title: str, attributes: str = "", link: str = "") -> str:
    date = format_datetime(datetime.fromtimestamp(time.time() - 600, UTC))
    return (
        f"<item {attributes}><title>{title}</title><link>{link}</link>"
        f"<pubDate>{date}</pubDate></item>"
    )


def many_attributes(count: int) -> str:
    return feed(item("Bitcoin", " ".join(f'a{n}="x"' for n in range(count))))


# 600 kB: feedparser needs half a minute for it.
SLOW = many_attributes(60_000)


class Feeds:
    """A loopback server with a feed at each path."""

    def __init__(self) -> None:
        self.texts: dict[str, str | bytes] = {}
        self.kind = "application/rss+xml"
        self.handlers: dict[str, Handler] = {}
        self.seen: list[str] = []
        self.url = ""
        self.desks: list[NewsDesk] = []

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.path)
        if request.path in self.handlers:
            return await self.handlers[request.path](request)
        text = self.texts[request.path]
        body = text.encode() if isinstance(text, str) else text
        return web.Response(body=body, content_type=self.kind)

    def desk(self, *paths: str, timeout_s: float = TIMEOUT_S) -> NewsDesk:
        settings = NewsSettings(
            provider="rss",
            feeds=tuple(f"{self.url}{path}" for path in paths),
            timeout_s=timeout_s,
            cache_s=3_600,
        )
        desk = NewsDesk(settings, lambda: int(time.time() * 1000))
        self.desks.append(desk)
        return desk


@pytest_asyncio.fixture
async def feeds() -> AsyncIterator[Feeds]:
    feeds = Feeds()
    app = web.Application()
    app.router.add_get("/{path:.*}", feeds.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    feeds.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield feeds
    for desk in feeds.desks:
        await desk.close()
    await runner.cleanup()


def workers() -> list[psutil.Process]:
    """Processes that read feeds for this one."""
    return [
        child
        for child in psutil.Process().children()
        if "liq_provider.news.feed_text" in child.cmdline()
    ]


async def honest_beside(feeds: Feeds, hostile: str | bytes | Handler) -> tuple[NewsSet, str]:
    """:return: what is found, and what is said of the hostile feed"""
    feeds.texts = {"/honest": feed(item("Bitcoin exchange halted by hack"))}
    if callable(hostile):
        feeds.handlers["/hostile"] = hostile
    else:
        feeds.texts["/hostile"] = hostile
    desk = feeds.desk("/hostile", "/honest")
    news = await desk.get("BTC")
    told = desk.report()["feeds"]
    (name,) = (name for name in told if name.endswith("/hostile"))
    (other,) = (name for name in told if name.endswith("/honest"))
    assert told[other] == {"failed": 0, "error": None}
    assert told[name]["failed"] == (told[name]["error"] is not None)
    return news, str(told[name]["error"])


async def test_a_feed_that_takes_forever_to_read_costs_its_deadline_and_nothing_else(
    feeds: Feeds,
) -> None:
    begun_s = time.monotonic()
    news, said = await honest_beside(feeds, SLOW)
    assert time.monotonic() - begun_s < TIMEOUT_S + 5
    assert [one.title for one in news.items] == ["Bitcoin exchange halted by hack"]
    assert said == f"not read within {TIMEOUT_S:g} s"
    assert workers() == [], "the process that read it has ended"


async def test_a_hostile_feed_does_not_hide_what_an_honest_one_says_against_a_wave(
    feeds: Feeds,
) -> None:
    feeds.texts = {"/a": SLOW, "/b": feed(item("Bitcoin listing approved everywhere"))}
    news = await feeds.desk("/a", "/b", timeout_s=5).get("BTC")
    kept: list[dict[str, Any]] = []

    async def keep(row: dict[str, Any]) -> None:
        kept.append(row)

    async with StandIn() as server:
        judge = ModelJudge(LlmSettings(base_url=server.url), "1m", lambda: NOW, keep)
        judge.prepare()
        answer = await judge.judge(facts(), CANDLES, news)
        await judge.close()
    assert (answer.guarded.news, answer.guarded.action) == (News.CONTRADICTS, Action.SKIP)
    assert "listing approved" in kept[0]["prompt"]


async def test_the_event_loop_runs_on_while_a_hostile_feed_is_read(feeds: Feeds) -> None:
    longest_s, ended = 0.0, asyncio.Event()

    async def watch() -> None:
        nonlocal longest_s
        while not ended.is_set():
            begun_s = time.monotonic()
            await asyncio.sleep(0.01)
            longest_s = max(longest_s, time.monotonic() - begun_s)

    watching = asyncio.create_task(watch())
    feeds.texts = {f"/{n}": SLOW for n in range(3)}
    news = await feeds.desk(*feeds.texts, timeout_s=2).get("BTC")
    ended.set()
    await watching
    assert news.found is None and "no feed delivers" in news.note
    assert longest_s < 1.5, "read in this process, one of them takes half a minute"


async def trickle(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"<rss>")
        await asyncio.sleep(0.1)


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"<item>" * 10_000)


async def circle(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound(request.path)


NESTED = "<a>" * 200_000
LAUGHS = (
    "<!DOCTYPE x ["
    + '<!ENTITY e0 "ha">'
    + "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    + ']><rss version="2.0"><channel><item><title>Bitcoin &e11;</title></item></channel></rss>'
)


@pytest.mark.parametrize(
    ("hostile", "reason"),
    [
        (trickle, "no complete answer|not read within"),
        (endless, "more than 4 MB|no complete answer|not read within"),
        (circle, "private address"),
        ("{}", "not a feed"),
        ("<html><body>Bitcoin</body></html>", "not a feed|None"),
        (b"\xff\xfe" * 1_000, "not a feed|None"),
    ],
)
async def test_what_is_no_feed_is_named_and_takes_nothing_from_the_others(
    feeds: Feeds, hostile: str | bytes | Handler, reason: str
) -> None:
    news, said = await honest_beside(feeds, hostile)
    assert [one.title for one in news.items] == ["Bitcoin exchange halted by hack"]
    assert any(part in said for part in reason.split("|")), said


@pytest.mark.parametrize("hostile", [NESTED, LAUGHS, many_attributes(60_000) + "<broken"])
async def test_xml_made_to_keep_a_reader_busy_ends_in_time(feeds: Feeds, hostile: str) -> None:
    begun_s = time.monotonic()
    news, _ = await honest_beside(feeds, hostile)
    assert time.monotonic() - begun_s < TIMEOUT_S + 5
    assert "Bitcoin exchange halted by hack" in [one.title for one in news.items]
    assert workers() == []


async def test_another_kind_of_answer_is_not_read_as_a_feed(feeds: Feeds) -> None:
    feeds.texts["/picture"] = feed(item("Bitcoin"))
    feeds.kind = "image/png"
    news = await feeds.desk("/picture").get("BTC")
    assert news.note.endswith("not a feed but image/png)")


async def test_a_feed_is_named_once_when_it_fails_and_once_when_it_works_again(
    feeds: Feeds, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    feeds.texts = {"/a": feed(item("Bitcoin")), "/b": "no feed"}
    desk = feeds.desk("/a", "/b")
    for _ in range(2):
        await desk.get("BTC")
        _ask_again(desk)
    feeds.texts["/b"] = feed(item("Bitcoin again"))
    assert len((await desk.get("BTC")).items) == 2
    own = [record for record in caplog.records if record.name.startswith("liq_provider")]
    said = [record.getMessage() for record in own if "/b" in record.getMessage()]
    host = feeds.url.removeprefix("http://")
    assert said == [f"The feed {host}/b: not a feed", f"The feed {host}/b delivers again"]
    assert desk.report()["feeds"][f"{host}/b"] == {"failed": 2, "error": None}


def _ask_again(desk: NewsDesk) -> None:
    desk._cache.clear()
    desk._source._fetched_s = None  # type: ignore[union-attr]


async def test_the_text_of_a_feed_is_never_the_name_of_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_text(feed(item("Bitcoin secret")))
    try:
        title, stories = await read_feed(str(secret).encode())
    except Exception as error:
        assert "not a feed" in str(error)
    else:
        assert (title, stories) == ("", [])


async def test_the_process_that_reads_is_given_no_key(
    feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-for-the-reader")
    feeds.texts["/slow"] = SLOW
    asking = asyncio.create_task(feeds.desk("/slow", timeout_s=5).get("BTC"))
    (worker,) = await until(workers, "a process reads the feed", 5)
    given = worker.environ()
    await asking
    assert "sk-planted-for-the-reader" not in given.values()
    assert set(given) <= {"PATH", "LANG", "LC_ALL", "PYTHONPATH", "LC_CTYPE"}
    assert os.environ["OPENAI_API_KEY"]


async def test_only_the_newest_entries_of_a_feed_are_kept() -> None:
    old = "<item><title>Bitcoin old</title><pubDate>Mon, 02 Jan 2006 15:04:05 GMT</pubDate></item>"
    _, stories = await read_feed(feed(old, *(item(f"Bitcoin {n}") for n in range(150))).encode())
    assert len(stories) == 100
    assert all(story.title != "Bitcoin old" for story in stories)


def test_the_process_that_reads_a_feed_loads_neither_clients_nor_stores() -> None:
    """It is started for every feed that has changed."""
    code = (
        "import sys\n"
        "import liq_provider.news.feed_text\n"
        "heavy = {'numpy', 'sqlalchemy', 'pydantic', 'httpx2', 'asyncio'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "HEAVY []"
