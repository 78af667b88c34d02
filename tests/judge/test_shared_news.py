"""News that the sidecars of one store share: one search for all of them."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from liq_provider.config.sections import NewsSettings
from liq_provider.judge import shared_news
from liq_provider.judge.shared_news import SharedNews
from liq_provider.news.desk import NOT_ASKED, NewsSet, set_key
from liq_provider.news.headline import NewsItem
from liq_provider.store.database import open_engine
from liq_provider.store.writer import Writer
from tests.judge.facts import NOW

FAILED = NewsSet(note="news was not asked: HTTP 500")


def one_headline(title: str) -> NewsSet:
    items = (NewsItem(title, title, "wire", "sum", NOW - 1_000, " wire.com "),)
    return NewsSet(items, set_key(items), min_sources=2)


class Desk:
    """Finds one headline that nobody else finds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[str] = []
        self.answer: NewsSet | None = None
        self.seconds = 0.3

    async def get(self, base_asset: str) -> NewsSet:
        self.asked.append(base_asset)
        await asyncio.sleep(self.seconds)
        return self.answer or one_headline(f"{base_asset} as {self.name} has it")


class TwoDesks:
    def __init__(self, directory: Path, provider: str = "brave", **news: Any) -> None:
        self.path = directory / "store.sqlite"
        self.now_ms = NOW
        self.thread = ThreadPoolExecutor(1)
        self.writer = Writer(open_engine(f"sqlite:///{self.path}", busy_timeout_s=0.2))
        self.desks = Desk("a"), Desk("b")
        settings = NewsSettings.model_validate({"provider": provider, **news})
        self.first, self.second = (
            SharedNews(desk, self.writer, self.thread, settings, lambda: self.now_ms)
            for desk in self.desks
        )

    @property
    def searches(self) -> int:
        return sum(len(desk.asked) for desk in self.desks)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[TwoDesks]:
    made = TwoDesks(tmp_path)
    yield made
    made.thread.shutdown()
    made.writer.close()


async def test_one_search_serves_all_of_them_and_all_judge_by_the_same(two: TwoDesks) -> None:
    both = await asyncio.gather(*(who.get("BTC") for who in (two.first, two.second) * 3))
    assert two.searches == 1 and len({item.key for item in both}) == 1
    assert both[0] == both[1] and both[0].items[0].origins == " wire.com "
    assert two.first.shared + two.second.shared == 1
    await two.second.get("ETH")
    assert two.searches == 2


async def test_it_is_asked_for_again_when_it_is_old(two: TwoDesks) -> None:
    await two.first.get("BTC")
    two.now_ms += 200_000
    await two.second.get("BTC")
    two.now_ms += 101_000  # the first one's search is 301 s old
    await asyncio.gather(two.second.get("BTC"), two.first.get("BTC"))
    assert two.searches == 2


async def test_nothing_found_is_shared_and_a_failure_is_not(two: TwoDesks) -> None:
    two.desks[0].answer = NewsSet((), "none")
    await two.first.get("BTC")
    assert (await two.second.get("BTC")).found is False and two.searches == 1
    two.desks[0].answer = FAILED
    assert (await two.first.get("ETH")).found is None
    assert (await two.second.get("ETH")).found is True
    two.desks[0].answer = None
    assert (await two.first.get("ETH")).items[0].title == "ETH as b has it"


async def test_what_steers_stays_marked(two: TwoDesks) -> None:
    two.desks[0].answer = NewsSet((), "k", steered=True)
    await two.first.get("BTC")
    assert (await two.second.get("BTC")).steered


async def test_a_search_whose_sidecar_died_is_made_by_the_other(two: TwoDesks) -> None:
    two.desks[0].seconds = 60
    dead = asyncio.create_task(two.first.get("BTC"))
    while not two.desks[0].asked:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    waiting = asyncio.create_task(two.second.get("BTC"))
    await asyncio.sleep(0.5)
    assert not two.desks[1].asked
    two.now_ms += 7_000
    assert (await waiting).items[0].title == "BTC as b has it"
    dead.cancel()


async def test_without_the_store_each_looks_for_itself(two: TwoDesks) -> None:
    with closing(sqlite3.connect(two.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await asyncio.gather(two.first.get("BTC"), two.second.get("BTC"))
        other.execute("ROLLBACK")
    assert two.searches == 2


class SlowThread(ThreadPoolExecutor):
    """The thread of a store that takes its time, and answers."""

    def submit(self, call: Any, /, *args: Any, **kwargs: Any) -> Any:
        def slowly() -> Any:
            time.sleep(0.03)
            return call(*args, **kwargs)

        return super().submit(slowly)


async def test_many_coins_at_once_are_no_sign_of_a_store_that_does_not_answer(
    two: TwoDesks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is asked of the store takes much longer than one question may."""
    monkeypatch.setattr(shared_news, "_PATIENCE_S", 1.0)
    with SlowThread(1) as slow:
        for who in (two.first, two.second):
            who._executor = slow
        coins = [f"C{number}" for number in range(60)]
        begun_s = time.monotonic()
        both = await asyncio.gather(
            *(who.get(coin) for coin in coins for who in (two.first, two.second))
        )
        assert time.monotonic() - begun_s > 2.0
    assert two.searches == len(coins)
    assert all(one == other for one, other in zip(both[::2], both[1::2], strict=True))


async def test_others_who_look_elsewhere_share_nothing(two: TwoDesks, tmp_path: Path) -> None:
    other = TwoDesks(tmp_path, max_age_hours=3)
    await two.first.get("BTC")
    await other.first.get("BTC")
    assert (two.searches, other.searches) == (1, 1)
    other.thread.shutdown()
    other.writer.close()


async def test_without_a_source_the_store_is_not_troubled(tmp_path: Path) -> None:
    made = TwoDesks(tmp_path, provider="none")
    made.desks[0].answer = NOT_ASKED
    for _ in range(2):
        assert await made.first.get("BTC") == NOT_ASKED
    made.thread.shutdown()
    made.writer.close()
