"""The venues' market lists, and the store that keeps them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from liq_provider.config.settings import Settings
from liq_provider.core.clock import ExchangeClock
from liq_provider.core.doubts import Doubts
from liq_provider.core.markets import Market
from liq_provider.errors import StoreBusy
from liq_provider.sidecar import market_lists
from liq_provider.sidecar.market_lists import MarketLists, markets_wait_s
from liq_provider.sidecar.threads import Threads
from liq_provider.sidecar.venue_feeds import feeds_of
from liq_provider.store.booked_minute import BookingRules
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.sidecars import until
from tests.store.helpers import T0

OTHERS = {name: {"enabled": False} for name in Settings().venues.enabled if name != "bybit"}
SETTINGS = Settings.model_validate({"venues": OTHERS})
OLD, NEW = (
    [Market("bybit", f"{coin}USDT", f"{coin}/USDT:USDT", coin) for coin in coins]
    for coins in (("BTC",), ("BTC", "ETH"))
)


class MarketListsRig:
    """A sidecar's lists beside a store that is not open yet; the exchange answers when asked."""

    def __init__(self, base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        url = f"sqlite:///{base_dir / 'store.sqlite'}"
        self.writer = Writer(open_engine(url), BookingRules(), at_once=False)
        self.reader = Reader(url)
        self.threads = Threads()
        clock = ExchangeClock(wall_ms=lambda: T0)
        venues = feeds_of(SETTINGS, clock.now_ms, lambda *_: None, Doubts(2_000))
        self.bybit = venues["bybit"]
        self.answer: list[Market] = []
        monkeypatch.setattr(market_lists, "load_venue_markets", lambda *_: self.answer)
        self.lists = MarketLists(
            *(venues, SETTINGS, clock, self.reader, self.writer),
            *(self.threads.writing, self.threads.asking),
        )

    async def ask_once(self) -> None:
        (loop,) = self.lists.loops()
        asking = asyncio.create_task(loop)
        await until(lambda: self.bybit.markets or self.bybit.markets_error, "it answered")
        await asyncio.sleep(0.05)
        asking.cancel()

    def kept(self) -> list[str]:
        return [market.market_id for market in self.reader.markets("bybit")]


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MarketListsRig]:
    made = MarketListsRig(tmp_path, monkeypatch)
    yield made
    made.threads.close()
    made.writer.close()


async def test_until_the_exchange_answers_the_list_of_the_last_run_is_gone_by(
    rig: MarketListsRig,
) -> None:
    rig.writer.open()
    rig.writer.put_markets("bybit", OLD, T0)
    await rig.lists.store_opened()
    assert rig.bybit.markets == 1
    rig.answer = NEW
    (loop,) = rig.lists.loops()
    asking = asyncio.create_task(loop)
    await until(lambda: rig.bybit.markets == 2, "the new list is gone by")
    await until(lambda: rig.kept() == ["BTCUSDT", "ETHUSDT"], "it is kept")
    asking.cancel()


async def test_a_list_that_came_before_the_store_is_kept_when_it_is_there(
    rig: MarketListsRig,
) -> None:
    rig.answer = NEW
    await rig.ask_once()
    assert rig.bybit.markets == 2
    rig.writer.open()
    rig.writer.put_markets("bybit", OLD, T0)
    await rig.lists.store_opened()
    assert rig.bybit.markets == 2, "the exchange's word is newer"
    assert rig.kept() == ["BTCUSDT", "ETHUSDT"]


async def test_another_store_is_given_the_lists_as_soon_as_it_takes_them(
    rig: MarketListsRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market_lists, "_KEEP_RETRY_S", 0.01)
    rig.answer = NEW
    await rig.ask_once()
    rig.writer.open()
    put, failures = rig.writer.put_markets, [StoreBusy("locked"), StoreBusy("locked")]

    def busy_at_first(*arguments: Any) -> None:
        if failures:
            raise failures.pop()
        put(*arguments)

    monkeypatch.setattr(rig.writer, "put_markets", busy_at_first)
    await asyncio.wait_for(rig.lists.keep_anew(), 20)
    assert (failures, rig.kept()) == ([], ["BTCUSDT", "ETHUSDT"])


async def test_an_empty_list_is_told_and_changes_nothing(
    rig: MarketListsRig, caplog: pytest.LogCaptureFixture
) -> None:
    await rig.ask_once()
    assert (rig.bybit.markets, rig.bybit.markets_error) == (0, "the list is empty")
    assert cast(Any, rig.bybit.report())["markets_error"] == "the list is empty"
    assert "Market list of bybit: the list is empty" in caplog.text


@pytest.mark.parametrize(
    ("error", "wait_s"), [(None, 3_600), ("okx GET https://x 500 Oops 451", 60), ("locked", 60)]
)
def test_how_soon_a_market_list_is_asked_for_again(error: str | None, wait_s: float) -> None:
    assert markets_wait_s(error) == wait_s
