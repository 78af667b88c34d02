"""The day's requests to a source that costs money."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from liq_provider.config.sections import NewsSettings
from liq_provider.errors import StoreBusy
from liq_provider.news.allowance import OVER, UNKNOWN, Allowance
from liq_provider.store.database import open_engine
from liq_provider.store.news_spending import Spending, spent, take_call
from liq_provider.store.writer import Writer

DAY_MS = 86_400_000
NOON_MS = 20_000 * DAY_MS + DAY_MS // 2


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(open_engine(f"sqlite:///{tmp_path}/store.sqlite"))
    yield writer
    writer.close()


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as thread:
        yield thread


def settings(calls_per_day: int = 3, **changes: float) -> NewsSettings:
    return NewsSettings.model_validate(
        {"provider": "brave", "budget": {"calls_per_day": calls_per_day}} | changes
    )


def allowance(store: Writer, thread: ThreadPoolExecutor, wanted: NewsSettings) -> Allowance:
    """As a sidecar makes it when it starts."""

    def take(day: int, limit: int, usd: float) -> tuple[bool, Spending]:
        return take_call(store.engine, "brave", day, limit, usd)

    return Allowance(wanted, take, thread, spent(store.engine, "brave", NOON_MS // DAY_MS))


async def test_over_the_days_calls_nothing_is_asked_until_midnight_utc(
    store: Writer, thread: ThreadPoolExecutor
) -> None:
    budget = allowance(store, thread, settings())
    assert [await budget.refusal(NOON_MS) for _ in range(3)] == [None] * 3
    assert await budget.refusal(NOON_MS + 1) == OVER
    report = budget.report(NOON_MS)
    assert report["calls_per_day"] == {"used": 3, "limit": 3} and report["reached"]
    assert (report["usd"], report["refused"]) == (0.015, 1)
    assert await budget.refusal(NOON_MS + DAY_MS // 2) is None, "the next day of UTC"
    assert budget.report(NOON_MS + DAY_MS // 2)["calls_per_day"]["used"] == 1


async def test_a_restart_refills_nothing(store: Writer, thread: ThreadPoolExecutor) -> None:
    first = allowance(store, thread, settings())
    await first.refusal(NOON_MS)
    await first.refusal(NOON_MS)
    again = allowance(store, thread, settings(price_usd_per_1000=10))
    assert again.report(NOON_MS)["calls_per_day"]["used"] == 2, "also before it asks"
    assert await again.refusal(NOON_MS) is None and await again.refusal(NOON_MS) == OVER
    assert again.report(NOON_MS)["usd"] == 0.02, "each at the price of its time"


async def test_two_sidecars_share_one_budget(store: Writer, thread: ThreadPoolExecutor) -> None:
    both = allowance(store, thread, settings()), allowance(store, thread, settings())
    granted = [await both[n % 2].refusal(NOON_MS) is None for n in range(8)]
    assert sum(granted) == 3
    assert both[0].report(NOON_MS)["calls_per_day"] == both[1].report(NOON_MS)["calls_per_day"]


async def test_a_store_that_cannot_tell_means_not_asked(thread: ThreadPoolExecutor) -> None:
    def locked(day: int, limit: int, usd: float) -> tuple[bool, Spending]:
        raise StoreBusy("locked")

    ends = threading.Event()

    def hung(day: int, limit: int, usd: float) -> tuple[bool, Spending]:
        ends.wait(60)
        return True, Spending(day, 1, usd)

    for take in (locked, hung):
        allowance = Allowance(settings(timeout_s=0.2), take, thread)
        begun_s = time.monotonic()
        assert await allowance.refusal(NOON_MS) == UNKNOWN
        assert time.monotonic() - begun_s < 20 and allowance.report(NOON_MS)["refused"] == 1
    ends.set()
