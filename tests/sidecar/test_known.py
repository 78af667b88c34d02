"""
Known means known: whatever happens to one or two sidecars, a minute that the store calls known
counts every order that any of them received for it, and one is called unknown only if something
of it may be missing.
"""

import asyncio
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from liq_provider.config.settings import Settings
from liq_provider.core.coverage import CoverageTracker
from liq_provider.core.doubts import ANY_COIN, Doubts
from liq_provider.core.liquidation import Liquidation
from liq_provider.sidecar.settle_minute import Settler
from liq_provider.sidecar.settling_schedule import SettlingSchedule
from liq_provider.store import schema
from liq_provider.store.booked_minute import BookingRules, Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.liquidation_rows import identity
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer

pytestmark = pytest.mark.slow

T0 = 1_795_350_000_000
MINUTE = 60_000
MINUTES = 7
SETTLE = 2_000
VENUES = ("bybit", "okx")
COINS = ("BTC", "ETH")
RULES = BookingRules(SETTLE, 60_000)
Span = tuple[int, int]


class SameThreadExecutor(Executor):
    """Does in the same thread what it is given."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done


@dataclass
class Listener:
    """One sidecar: what it is connected to, and when it or its way to the store stands still."""

    writer: Writer
    down: dict[str, list[Span]]
    frozen: list[Span]
    cut_off: list[Span]
    doubts: Doubts = field(default_factory=lambda: Doubts(SETTLE))
    queue: list[Incoming] = field(default_factory=list)
    unread: list[tuple[str, str, int]] = field(default_factory=list)
    now_ms: int = T0

    def __post_init__(self) -> None:
        self.trackers = {venue: CoverageTracker(venue, SETTLE) for venue in VENUES}
        self.since = dict.fromkeys(VENUES, 0)
        settings = Settings(segment_min=1, venues={"binance": {"enabled": False}})
        self.loop = SettlingSchedule(
            {venue: Venue(self.trackers[venue]) for venue in VENUES},  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            Settler(self.writer, Reader(str(self.writer.engine.url)), settings),
            SameThreadExecutor(),
            SameThreadExecutor(),
            lambda: self.now_ms,
            self.doubts,
            SETTLE,
            SETTLE + 500,
            lambda _: None,
        )

    async def flush(self) -> bool:
        """As ``Ingest`` does it."""
        if within(self.cut_off, self.now_ms):
            return False
        items, self.queue = self.queue, []
        self.writer.append(items)
        return True


@dataclass
class Venue:
    """As much of a feed as the minute loop asks."""

    tracker: CoverageTracker

    @property
    def feed(self) -> "Venue":
        return self

    def unheard(self) -> set[str]:
        return set()


def within(spans: list[Span], ms: int) -> bool:
    return any(start <= ms < end for start, end in spans)


def awake(listener: Listener, ms: int) -> int:
    """When something that comes at ``ms`` is handled."""
    return next((end for start, end in listener.frozen if start <= ms < end), ms)


def homes(received: Sequence[Incoming]) -> list[int]:
    """The minutes in which an order belongs to those who received it, if in any."""
    return [home for order in received if (home := RULES.book(order, 0)[0]) is not None]


class HeardOrders:
    """Orders, and what each sidecar got of them, by a seed."""

    def __init__(self, directory: Path, seed: int, sidecars: int) -> None:
        self.rng = random.Random(seed)
        self.url = f"sqlite:///{directory / 'store.sqlite'}"
        self.end_ms = T0 + MINUTES * MINUTE
        self.listeners = [
            Listener(
                Writer(open_engine(self.url), RULES, heard_by=uuid4().hex),
                {venue: self.spans(0.7, 20_000) for venue in VENUES},
                self.spans(0.6, 130_000),
                self.spans(0.4, 40_000),
            )
            for _ in range(sidecars)
        ]
        self.orders = [self.order(n) for n in range(120)]
        # Which sidecars received an order readably, with what they made of it; and which got it
        # in a frame or a record that could not be read.
        self.heard: dict[tuple[Any, ...], list[Incoming]] = {}
        self.garbled: dict[tuple[Any, ...], list[Incoming]] = {}

    def spans(self, chance: float, longest_ms: int) -> list[Span]:
        if self.rng.random() > chance:
            return []
        start = T0 + self.rng.randrange(MINUTES * MINUTE)
        return [(start, start + self.rng.randrange(100, longest_ms))]

    def order(self, n: int) -> Liquidation:
        rng, coin = self.rng, self.rng.choice(COINS)
        # Near a close, where everything is decided, more often than elsewhere.
        at = rng.choice([rng.randrange(MINUTE), rng.randrange(57_000, MINUTE)])
        event_ms = T0 + rng.randrange(MINUTES) * MINUTE + at
        venue, side = rng.choice(VENUES), rng.choice(["long", "short"])
        names = (venue, f"{coin}USDT", f"{coin}/USDT:USDT", coin, side)
        return Liquidation(*names, 100.0, 1.0 + n, 100.0 + 100 * n, event_ms, event_ms)

    def actions(self) -> Iterator[tuple[int, int, str, Any]]:
        """Time, sidecar, and what happens to it."""
        for number, listener in enumerate(self.listeners):
            for venue in VENUES:
                yield T0 - MINUTE + 1, number, "begin", venue
                for start, end in listener.down[venue]:
                    yield awake(listener, start), number, "lose", venue
                    yield awake(listener, end), number, "begin", venue
            for order in self.orders:
                yield from self.delivery(number, listener, order)
            for close_ms in range(T0, self.end_ms + 1, MINUTE):
                for kind, later in (("prove", 1_000), ("settle", SETTLE)):
                    yield awake(listener, close_ms + later), number, kind, close_ms
            for ms in range(T0, self.end_ms + 3 * MINUTE, 1_700):
                yield awake(listener, ms), number, "flush", None

    def delivery(
        self, number: int, listener: Listener, order: Liquidation
    ) -> Iterator[tuple[int, int, str, Any]]:
        rng = self.rng
        kind = rng.random()
        delay = rng.randrange(50, 1_200)
        if kind < 0.15:
            delay = rng.randrange(1_200, 9_000)
        elif kind < 0.2:
            delay = rng.randrange(9_000, 90_000)
        sent_ms = order.event_ms + delay
        if within(listener.down[order.venue], sent_ms):
            back_ms = listener.down[order.venue][0][1]
            if rng.random() < 0.3:  # a snapshot after subscribing
                yield awake(listener, back_ms + 150), number, "order", order
            return
        at_ms = awake(listener, sent_ms)
        broken = rng.random()
        if broken < 0.03:
            yield at_ms, number, "damaged", order
        elif broken < 0.06:
            yield at_ms, number, "refused", order
        else:
            yield at_ms, number, "order", order
            if rng.random() < 0.1:
                yield at_ms + rng.randrange(5_000), number, "order", order

    def play(self) -> None:
        order_of = {"lose": 0, "begin": 1, "order": 2, "damaged": 2, "refused": 2, "prove": 3}
        todo = sorted(
            self.actions(), key=lambda a: (a[0], order_of.get(a[2], 4), a[1], self.rng.random())
        )
        for ms, number, kind, what in todo:
            listener = self.listeners[number]
            listener.now_ms = ms
            getattr(self, f"_{kind}")(listener, what)

    def _begin(self, listener: Listener, venue: str) -> None:
        listener.trackers[venue].begin(listener.now_ms)
        listener.since[venue] = listener.now_ms

    def _lose(self, listener: Listener, venue: str) -> None:
        listener.trackers[venue].lose()

    def _prove(self, listener: Listener, close_ms: int) -> None:
        for tracker in listener.trackers.values():
            tracker.prove(listener.now_ms, listener.now_ms)

    def _settle(self, listener: Listener, close_ms: int) -> None:
        async def settle() -> None:
            await listener.loop._make_final(close_ms)
            listener.loop.settled_ms = max(listener.loop.settled_ms, close_ms)

        asyncio.run(settle())

    def _flush(self, listener: Listener, _: None) -> None:
        asyncio.run(listener.flush())

    def _order(self, listener: Listener, order: Liquidation) -> None:
        incoming = self._incoming(listener, order)
        listener.queue.append(incoming)
        self.heard.setdefault(identity(order), []).append(incoming)

    def _incoming(self, listener: Listener, order: Liquidation) -> Incoming:
        received = replace(order, received_ms=listener.now_ms)
        return Incoming(received, listener.since[order.venue])

    def _damaged(self, listener: Listener, order: Liquidation) -> None:
        self._unread(listener, order, ANY_COIN)

    def _refused(self, listener: Listener, order: Liquidation) -> None:
        self._unread(listener, order, order.base_asset)

    def _unread(self, listener: Listener, order: Liquidation, coin: str) -> None:
        listener.doubts.unread(order.venue, (coin,), listener.now_ms)
        listener.unread.append((order.venue, coin, listener.now_ms))
        self.garbled.setdefault(identity(order), []).append(self._incoming(listener, order))

    # -- what must be true afterwards

    def after_subscribing(self) -> set[tuple[str, str, int]]:
        """
        Where somebody was sent an order of the past, or read it much too late: when the minute
        is settled it is there and counts nowhere, even if another one receives it later.
        """
        return {
            (order.venue, order.base_asset, order.event_ms - order.event_ms % MINUTE)
            for received in self.heard.values()
            for one in received
            if RULES.book(one, 0)[0] is None
            for order in [one.liquidation]
        }

    def required(self) -> dict[tuple[Any, ...], int]:
        """The minute in which each order that anybody received must count."""
        required = {}
        for order in self.orders:
            key = identity(order)
            heard = homes(self.heard.get(key, ()))
            if key in self.heard:
                required[key] = min(heard, default=order.event_ms - order.event_ms % MINUTE)
            unread = self.garbled.get(key, [])
            minutes = {RULES.book(one, 0)[0] for one in unread}
            if key not in self.heard and len(unread) == len(self.listeners) == 1:
                # Nobody can tell of what was not read how old it was; and one that could not
                # read it is believed where another one heard all that came in time.
                required.update((key, minute) for minute in minutes if minute is not None)
        return required

    def clean(self, listener: Listener, venue: str, coin: str, minute_ms: int) -> bool:
        """Nothing of the minute can have been missed by this sidecar."""
        first, last = minute_ms, minute_ms + MINUTE + SETTLE + 100
        touched = [*listener.frozen, *listener.cut_off, *listener.down[venue]]
        if any(start < last and end > first for start, end in touched):
            return False
        if (venue, coin, minute_ms) in self.after_subscribing():
            return False
        return not any(
            at_venue == venue and of in (ANY_COIN, coin) and first <= ms <= last
            for at_venue, of, ms in listener.unread
        )


@pytest.mark.parametrize("sidecars", [1, 2])
@pytest.mark.parametrize("seed", range(20))
def test_a_known_minute_counts_every_order_and_an_unknown_one_may_lack_some(
    tmp_path: Path, seed: int, sidecars: int
) -> None:
    story = HeardOrders(tmp_path, seed, sidecars)
    story.play()
    reader = Reader(story.url)
    grids = reader.grids(COINS, VENUES, T0, story.end_ms)
    end_ms = story.end_ms + 10 * MINUTE
    known = {
        (venue, coin, T0 + n * MINUTE): bool(grid.as_of(end_ms).covered[row, n])
        for coin, grid in grids.items()
        for row, venue in enumerate(VENUES)
        for n in range(MINUTES)
    }
    table = schema.liquidations
    with story.listeners[0].writer.engine.connect() as connection:
        stored = connection.execute(select(*table.primary_key, table.c.minute_ms)).all()
    booked = {tuple(row[:-1]): row[-1] for row in stored}
    sums: dict[tuple[str, str, int], float] = {}
    lacking: set[tuple[str, str, int]] = set()
    for key, minute_ms in story.required().items():
        order = next(one for one in story.orders if identity(one) == key)
        counts_in = booked.get(key)
        if counts_in is not None:
            cell = (order.venue, order.base_asset, counts_in)
            sums[cell] = sums.get(cell, 0.0) + order.notional_usd
        if counts_in != minute_ms:
            # It may count where it reached the store, but that is not where it belongs.
            lacking.add((order.venue, order.base_asset, minute_ms))
    assert not {cell for cell in lacking if known.get(cell)}
    for (venue, coin, minute_ms), is_known in known.items():
        column, row = (minute_ms - T0) // MINUTE, VENUES.index(venue)
        cell = (venue, coin, minute_ms)
        if is_known:
            total = grids[coin].long_usd[row, column] + grids[coin].short_usd[row, column]
            assert total == pytest.approx(sums.get(cell, 0.0)), cell
        elif cell not in lacking:
            assert not [s for s in story.listeners if story.clean(s, venue, coin, minute_ms)], cell
    reader.close()
    for listener in story.listeners:
        listener.writer.close()


def test_the_stories_hold_every_kind_of_trouble(tmp_path: Path) -> None:
    """Else the test above would prove little."""
    kinds = {"known": 0, "unknown": 0, "rebooked": 0, "late": 0, "garbled": 0, "frozen": 0}
    for seed in range(6):
        directory = tmp_path / str(seed)
        directory.mkdir()
        story = HeardOrders(directory, seed, 2)
        story.play()
        reader = Reader(story.url)
        for grid in reader.grids(COINS, VENUES, T0, story.end_ms).values():
            kinds["known"] += int(grid.covered.sum())
            kinds["unknown"] += int((~grid.covered).sum())
        reader.close()
        kinds["garbled"] += len(story.garbled)
        kinds["frozen"] += sum(len(listener.frozen) for listener in story.listeners)
        for heard in story.heard.values():
            minutes = {RULES.book(order, 0)[0] for order in heard}
            kinds["rebooked"] += len(minutes) > 1
            kinds["late"] += None in minutes
        for listener in story.listeners:
            listener.writer.close()
    assert all(count > 5 for count in kinds.values()), kinds
