"""What is kept of settled minutes: the same as what is read, and each minute read once."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liq_provider.core.coverage import Interval
from liq_provider.core.doubts import Doubt
from liq_provider.measure.minute_grid import MinuteGrid
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.settled_sums import SettledSums
from liq_provider.store.writer import Writer
from tests.store.helpers import MINUTE, T0, incoming, order

COINS = ("BTC", "DOGE", "ETH", "PEPE")
VENUES = ("okx", "bybit")
BACK = 30  # minutes that are looked back


class Counting(Reader):
    """A reader that counts the rows of ``minutes`` that it was given."""

    rows = 0

    def sum_rows(self, *arguments: Any, **options: Any) -> Any:
        rows = super().sum_rows(*arguments, **options)
        self.rows += len(rows)
        return rows


class Live:
    """A store that is written minute after minute, by a seed."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.url = f"sqlite:///{directory / 'store.sqlite'}"
        self.writer = Writer(open_engine(self.url), heard_by="mine")
        self.plain, self.counting = Reader(self.url), Counting(self.url)
        self.kept = SettledSums(self.counting)
        self.rng = random.Random(seed)

    def hear(self, minute: int, coins: tuple[str, ...] = COINS) -> int:
        """:return: how many rows of ``minutes`` that makes"""
        rng = self.rng
        heard: list[Incoming] = []
        markets = set()
        for coin in coins:
            for n in range(rng.randrange(4)):
                # Two markets of a venue share a cell, and three numbers have an order.
                venue, kind = rng.choice(VENUES), rng.choice(["USDT", "USDC", "USD"])
                markets.add((coin, venue, kind))
                names = {"venue": venue, "market_id": coin + kind, "base_asset": coin}
                heard.append(
                    incoming(
                        *(T0 + minute * MINUTE + 1_000 + n,),
                        **names,
                        pair=f"{coin}/{kind}:{kind}",
                        position_side=rng.choice(["long", "short"]),
                        notional_usd=rng.random() * 10 ** rng.randrange(6),
                        ordinal=n,
                    )
                )
        self.writer.append(heard)
        return len(markets)

    def settle(self, minute: int) -> None:
        span = [Interval(T0 + minute * MINUTE, T0 + (minute + 1) * MINUTE)]
        close_ms = T0 + (minute + 1) * MINUTE
        self.writer.settle(close_ms, dict.fromkeys(VENUES, span), close_ms + 2_000)

    def check(self, to_minute: int, coins: tuple[str, ...] = COINS, back: int = BACK) -> None:
        span = T0 + (to_minute - back) * MINUTE, T0 + to_minute * MINUTE
        same(self.kept.grids(coins, VENUES, *span), self.plain.grids(coins, VENUES, *span))


def same(kept: dict[str, MinuteGrid], read: dict[str, MinuteGrid]) -> None:
    assert list(kept) == list(read)
    for coin, grid in read.items():
        for name in MinuteGrid.__dataclass_fields__:
            left, right = getattr(kept[coin], name), getattr(grid, name)
            if isinstance(right, np.ndarray):
                assert left.tobytes() == right.tobytes(), (coin, name)
            elif name == "fills":
                assert (left is None) == (right is None)
            else:
                assert left == right


@pytest.fixture(params=[1, 2])
def live(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Live]:
    live = Live(tmp_path, request.param)
    for minute in range(-BACK, 0):
        live.hear(minute)
    live.settle(-1)
    yield live
    live.writer.close()


def test_minute_after_minute_it_is_what_the_store_says(live: Live) -> None:
    for minute in range(20):
        live.hear(minute)
        coins = tuple(sorted(live.rng.sample(COINS, live.rng.randrange(1, 5))))
        live.check(minute, coins)  # while it runs, up to the last settled one
        live.check(minute + 1, coins)  # and with what it shows so far
        live.hear(minute)
        live.settle(minute)
        live.check(minute + 1, coins)
        live.check(minute - 2, coins)  # one that was missed


def test_of_each_minute_no_more_is_read_than_there_was_in_it(live: Live) -> None:
    live.check(0)
    for minute in range(8):
        there = live.hear(minute)
        live.settle(minute)
        live.counting.rows = 0
        live.check(minute + 1)
        assert live.counting.rows == there
        live.check(minute + 1)
        assert live.counting.rows == there, "a second one who asks costs nothing"


def test_of_a_coin_that_comes_only_its_own_rows_are_read(live: Live) -> None:
    live.check(0, ("BTC", "ETH"))
    own = live.plain.sum_rows(["DOGE"], VENUES, T0 - BACK * MINUTE, T0)
    live.counting.rows = 0
    live.check(0, ("BTC", "DOGE"))
    assert live.counting.rows == len(own) > 0


def _import(live: Live) -> None:
    live.writer.import_batch([incoming(T0 - 7 * MINUTE, notional_usd=77.0, ordinal=99)])


def _rebuild(live: Live) -> None:
    live.writer.min_event_usd = 5_000.0
    live.writer.rebuild()


def _fill(live: Live) -> None:
    span = Interval(T0 - 9 * MINUTE, T0 - 5 * MINUTE)
    orders = [order(T0 - 6 * MINUTE, venue="okx", ordinal=n, notional_usd=9.0) for n in range(3)]
    live.writer.fill("okx", "BTC", span, orders, T0 - 3 * MINUTE)


def _doubt(live: Live) -> None:
    span = Interval(T0 - 4 * MINUTE, T0 - 3 * MINUTE)
    live.writer.put_doubts([Doubt("okx", "ETH", span)], T0)


@pytest.mark.parametrize("change", [_import, _rebuild, _fill, _doubt])
def test_who_changes_the_past_is_noticed(live: Live, change: Callable[[Live], None]) -> None:
    live.check(0)
    change(live)
    live.check(0)


def test_a_store_that_was_put_back_to_an_older_one_is_read_anew(live: Live) -> None:
    live.check(0)
    live.writer.close()
    file = Path(live.url.removeprefix("sqlite:///"))
    older = file.read_bytes()
    live.hear(0)
    live.settle(0)
    live.check(1)
    live.writer.close()
    file.write_bytes(older)
    live.hear(0)
    live.settle(0)
    live.kept.clear()
    live.check(1)
