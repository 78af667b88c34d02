"""Gaps are filled from a venue's own history, as far back as it proves anything."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from websockets.asyncio.client import connect

from liq_provider.cli import main
from liq_provider.config.sections import VenueSettings
from liq_provider.config.settings import load_settings
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.errors import FeedError
from liq_provider.exchange.venue_rest import http_fetch, load_venue_markets
from liq_provider.history.fill import fill_coins, fill_gap, gaps
from liq_provider.sidecar.gap_filler import GapFiller
from liq_provider.simulator.control import OrderRequest
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.symbols import DEMO_SYMBOLS
from liq_provider.simulator.world import World
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from liq_provider.venues import VENUES
from liq_provider.venues.fields import NOTHING
from tests.integration.harness import now_ms, simulator
from tests.simulator.helpers import tables

COINS = ("BTC", "ETH")
GATE = VENUES["gate"]


class StoreWithGap:
    """A store that heard all of OKX but for twenty minutes, an hour ago."""

    def __init__(self, path: Path, sim: Simulator, world: World) -> None:
        self.sim, self.world = sim, world
        self.now_ms = now_ms() // MINUTE_MS * MINUTE_MS
        self.gap = Interval(self.now_ms - 80 * MINUTE_MS, self.now_ms - 60 * MINUTE_MS)
        self.url = f"sqlite:///{path}"
        self.writer, self.reader = Writer(open_engine(self.url)), Reader(self.url)
        self.writer.put_markets("okx", tables(world)["okx"])
        self.begin_ms = self.now_ms - 300 * MINUTE_MS
        heard = [
            Incoming(order)
            for order in self.orders(self.begin_ms, self.now_ms)
            if not self.gap.start_ms <= order.event_ms < self.gap.end_ms
        ]
        self.writer.append(heard)
        self.writer.cover(
            "okx",
            [Interval(self.begin_ms, self.gap.start_ms), Interval(self.gap.end_ms, self.now_ms)],
        )
        self._session = requests.Session()
        self.fetch = http_fetch(sim.url, self._session)

    def close(self) -> None:
        self._session.close()
        self.writer.close()

    def orders(self, from_ms: int, to_ms: int) -> list[Any]:
        markets = tables(self.world)["okx"]
        return [
            market
            for row in self.world.tape(from_ms, to_ms + 5_000)
            if row.venue == "okx"
            for market in VENUES["okx"].parse(row.frame, markets, row.received_ms).liquidations
            if from_ms <= market.event_ms < to_ms
        ]

    def grid(self, base: str) -> Any:
        return self.reader.grids([base], ["okx"], self.gap.start_ms, self.gap.end_ms)[base]


@pytest.fixture(scope="module")
def market() -> Iterator[tuple[Simulator, World]]:
    world = World(now_ms(), 3, symbols=DEMO_SYMBOLS[:2], background=20.0, history_h=8)
    with simulator(world) as sim:
        yield sim, world


@pytest.fixture
def place(tmp_path: Path, market: tuple[Simulator, World]) -> Iterator[StoreWithGap]:
    place = StoreWithGap(tmp_path / "store.sqlite", *market)
    yield place
    place.close()


def test_a_gap_gets_what_the_venue_published_then(place: StoreWithGap) -> None:
    span = Interval(place.begin_ms, place.now_ms)
    reports = list(
        fill_coins(place.writer, place.reader, "okx", COINS, span, place.now_ms, place.fetch)
    )
    assert [(report.base_asset, report.gap) for report in reports] == [
        (base, place.gap) for base in COINS
    ]
    missed = place.orders(place.gap.start_ms, place.gap.end_ms)
    assert len(missed) > 20
    assert sum(report.filled.orders for report in reports if report.filled) == len(missed)
    for base in COINS:
        grid = place.grid(base)
        assert not grid.covered.any(), "it was not heard, and no entry may be based on it"
        assert grid.fills is not None
        total = sum(order.notional_usd for order in missed if order.base_asset == base)
        assert (grid.fills.long_usd + grid.fills.short_usd).sum() == pytest.approx(total)
        assert (grid.fills.known_ms > place.now_ms).all(), "known from after the fill on"
    again = fill_coins(place.writer, place.reader, "okx", COINS, span, place.now_ms, place.fetch)
    assert list(again) == []


def test_only_what_the_history_proves_is_filled(place: StoreWithGap) -> None:
    """The venue keeps ten minutes less than the gap is old."""
    kept_ms = place.gap.start_ms + 10 * MINUTE_MS

    def forgetful(path: str, parameters: Any) -> Any:
        answer = place.fetch(path, parameters)
        for sent in answer["data"]:
            sent["details"] = [d for d in sent["details"] if int(d["ts"]) >= kept_ms]
        return answer

    report = fill_gap(place.writer, place.reader, "okx", "BTC", place.gap, place.now_ms, forgetful)
    assert report.filled is not None
    (span,) = report.filled.spans
    kept = [o.event_ms for o in place.orders(kept_ms, place.gap.end_ms) if o.base_asset == "BTC"]
    assert span.start_ms == -(-(min(kept) + 1) // MINUTE_MS) * MINUTE_MS
    assert span.end_ms == place.gap.end_ms


def test_without_any_row_nothing_is_proven(place: StoreWithGap) -> None:
    def silent(path: str, parameters: Any) -> Any:
        return {"code": "0", "data": [], "msg": ""}

    report = fill_gap(place.writer, place.reader, "okx", "BTC", place.gap, place.now_ms, silent)
    assert report.filled is None
    assert place.grid("BTC").fills is None


@pytest.mark.parametrize(
    "answer", [{"code": "50011", "msg": "Too Many Requests", "data": []}, [], {"code": "0"}]
)
def test_a_refusal_is_an_error_and_fills_nothing(place: StoreWithGap, answer: Any) -> None:
    with pytest.raises(FeedError, match="BTC-USDT-SWAP"):
        fill_gap(
            place.writer, place.reader, "okx", "BTC", place.gap, place.now_ms, lambda *_: answer
        )
    assert gaps(place.reader, "okx", "BTC", place.gap) == [place.gap]


async def test_the_sidecar_fills_by_itself_and_counts_it(place: StoreWithGap) -> None:
    settings = load_settings({"liq_provider": {"venues": {"okx": {"rest_url": place.sim.url}}}}, {})
    with ThreadPoolExecutor(1) as pool:
        filler = GapFiller(
            place.writer,
            place.reader,
            settings,
            place.begin_ms,
            lambda: place.now_ms,
            pool,
            pool,
            0.05,
        )
        task = asyncio.create_task(filler.run())
        for _ in range(200):
            await asyncio.sleep(0.05)
            if filler.stats.minutes >= 40:
                break
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (filler.stats.minutes, filler.stats.failures) == (40, 0)
    assert filler.stats.orders > 20


async def test_the_sidecar_asks_and_writes_each_in_its_thread_and_only_what_is_proven(
    place: StoreWithGap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the Bitcoin gap the history proves nothing, of the Ether gap all."""
    settings = load_settings({"liq_provider": {"venues": {"okx": {"rest_url": place.sim.url}}}}, {})
    asked_in, written = [], []
    markets, fill = place.reader.markets, place.writer.fill

    def watched_markets(venue: str) -> Any:
        asked_in.append(threading.current_thread().name)
        return [market for market in markets(venue) if market.base_asset != "BTC"]

    def watched_fill(venue: str, base: str, *of_it: Any) -> Any:
        written.append((threading.current_thread().name, base))
        return fill(venue, base, *of_it)

    monkeypatch.setattr(place.reader, "markets", watched_markets)
    monkeypatch.setattr(place.writer, "fill", watched_fill)
    with (
        ThreadPoolExecutor(1, "writing") as writing,
        ThreadPoolExecutor(1, "asking") as asking,
    ):
        filler = GapFiller(
            *(place.writer, place.reader, settings, place.begin_ms, lambda: place.now_ms),
            *(writing, asking, 0.05),
        )
        task = asyncio.create_task(filler.run())
        async with asyncio.timeout(60):
            while not (filler.stats.minutes and filler.stats.unproven):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert set(asked_in) == {"asking_0"} and written == [("writing_0", "ETH")]
    assert (filler.stats.minutes, filler.stats.unproven, filler.stats.failures) == (20, 1, 0)


async def test_a_dead_history_is_counted_and_tried_again(place: StoreWithGap) -> None:
    settings = load_settings(
        {"liq_provider": {"venues": {"okx": {"rest_url": "http://127.0.0.1:9"}}}}, {}
    )
    with ThreadPoolExecutor(1) as pool:
        filler = GapFiller(
            place.writer,
            place.reader,
            settings,
            place.begin_ms,
            lambda: place.now_ms,
            pool,
            pool,
            0.05,
        )
        task = asyncio.create_task(filler.run())
        async with asyncio.timeout(60):
            while filler.stats.failures < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert filler.report()["error"].startswith("http://127.0.0.1:9")


def test_the_command_fills_and_says_what_cannot_be(
    place: StoreWithGap,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIQ_PROVIDER__VENUES__OKX__REST_URL", place.sim.url)
    span = ["--from", str(place.begin_ms), "--to", str(place.now_ms - 5 * MINUTE_MS)]
    assert main(["fill", "--store", place.url, "--pair", "BTC/USDT:USDT", *span]) == 0
    said = capsys.readouterr().out
    assert "binance: publishes no history" in said
    assert "okx BTC:" in said
    assert "20 min filled" in said


async def test_gates_history_is_read_by_its_stream_and_fills_no_order_twice(
    tmp_path: Path, market: tuple[Simulator, World]
) -> None:
    """Its rows state the position, another price and whole seconds; the sockets are real."""
    sim, _ = market
    markets = load_venue_markets("gate", VenueSettings(rest_url=sim.url))
    assert {item.market_id for item in markets} == {"BTC_USDT", "ETH_USDT"}
    table = GATE.table(markets)
    now = now_ms()
    heard: list[Liquidation] = []
    async with connect(sim.ws_url("gate")) as socket:
        await socket.send(GATE.endpoints[0].subscribe(table)[0].text)
        assert GATE.parse(await socket.recv(), table, now).acknowledged == 1
        assert GATE.heartbeat is not None
        await socket.send(GATE.heartbeat.text())
        assert GATE.parse(await socket.recv(), table, now) == NOTHING
        sides = [("long", 40), ("short", 30), ("long", 70)]
        sim.liquidate(
            [
                OrderRequest(
                    venue="gate", symbol="BTCUSDT", position_side=side, notional_usd=1_000.0 * n
                )
                for side, n in sides
            ]
        )
        while len(heard) < 3:
            frame = await asyncio.wait_for(socket.recv(), 60)
            heard += GATE.parse(frame, table, now).liquidations
    writer = Writer(open_engine(f"sqlite:///{tmp_path / 'store.sqlite'}"))
    writer.put_markets("gate", markets)
    # One was heard before the connection was lost, so the minute is known in part.
    writer.append([Incoming(heard[0])])
    gap = Interval(now // MINUTE_MS * MINUTE_MS, now // MINUTE_MS * MINUTE_MS + 2 * MINUTE_MS)
    reader = Reader(f"sqlite:///{tmp_path / 'store.sqlite'}")

    def remembers(path: str, parameters: Any) -> Any:
        with requests.Session() as session:
            rows = http_fetch(sim.url, session)(path, parameters)
        before = {"time": gap.start_ms // 1000 - 60, "contract": "BTC_USDT"}
        return [*rows, before | {"order_size": "1", "fill_price": "50000"}]

    report = fill_gap(writer, reader, "gate", "BTC", gap, now + 5 * MINUTE_MS, remembers)
    assert report.filled is not None
    assert (report.filled.orders, report.filled.spans) == (2, (gap,))
    grid = reader.grids(["BTC"], ["gate"], gap.start_ms, gap.end_ms)["BTC"]
    assert grid.fills is not None
    # Rows state what was paid, the stream the order's price.
    assert grid.fills.long_usd.sum() == pytest.approx(
        sum(order.notional_usd for order in heard if order.position_side == "long"), rel=0.002
    )
    assert grid.fills.count.sum() == 3
    writer.close()
