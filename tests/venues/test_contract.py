"""What every venue keeps to, whichever it is: its golden frames, and the simulator's play of it."""

import ast
import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import connect

from liq_provider.config.address import check_url
from liq_provider.config.settings import load_settings
from liq_provider.core.coverage import Interval
from liq_provider.core.liquidation import Liquidation
from liq_provider.history import days
from liq_provider.history.order_formats import FORMATS
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.orders import Order
from liq_provider.simulator.played import Played
from liq_provider.simulator.symbols import DEMO_SYMBOLS
from liq_provider.simulator.world import World
from liq_provider.stream import SilenceJudge
from liq_provider.venues import VENUES, registry
from liq_provider.venues.frame import Frame
from liq_provider.venues.row_readers import TardisRow
from tests.venues import golden

START_MS = 1_795_350_017_000
SYMBOLS = [replace(spec, ids=()) for spec in DEMO_SYMBOLS]

every_venue = pytest.mark.parametrize("name", VENUES)


def test_each_file_of_the_package_is_a_venue_of_its_name_or_none() -> None:
    files = {path.stem for path in Path(registry.__file__).parent.glob("*.py")}
    assert files >= VENUES.keys()
    assert list(VENUES) == sorted(VENUES)
    assert all(venue.name == name for name, venue in VENUES.items())


# Freqtrade's own exchange in demos, whose whole REST is played, and what it is called by default.
_NAMED_ELSEWHERE = {
    *(f"simulator/{name}.py" for name in ("binance_listing", "quotes", "rest_binance", "urls")),
    "commands/support/context.py",
}


def test_nothing_but_its_file_knows_a_venue_by_its_name() -> None:
    package = Path(registry.__file__).parents[1]
    naming = set()
    for path in package.rglob("*.py"):
        # The explained decision has a column of that name.
        names = VENUES.keys() - ({"gate"} if path.name == "explain.py" else set())
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and node.value in names:
                naming.add(path.relative_to(package).as_posix())
    assert naming - {f"venues/{name}.py" for name in VENUES} == _NAMED_ELSEWHERE


@every_venue
def test_its_golden_frames_are_read_as_expected(name: str) -> None:
    session, table = VENUES[name].session(), golden.table(name)
    frames, expected = golden.wire(name), golden.expected(name)
    assert len(frames) == len(expected)
    assert any("liquidations" in line for line in expected)
    for (received_ms, frame), line in zip(frames, expected, strict=True):
        said = session.parse(frame, table, received_ms)
        assert golden.told(said) == line
        assert all(order.received_ms == received_ms for order in said.liquidations)


@every_venue
def test_text_is_read_like_its_bytes(name: str) -> None:
    """A connection brings bytes, files bring text."""
    one, other, table = VENUES[name].session(), VENUES[name].session(), golden.table(name)
    for received_ms, frame in golden.wire(name):
        if isinstance(frame, str):
            said = one.parse(frame, table, received_ms)
            assert other.parse(frame.encode(), table, received_ms) == said


@every_venue
def test_its_history_says_what_it_proves(name: str) -> None:
    history, answers = VENUES[name].history, golden.history(name)
    assert (history is None) == (answers is None)
    if history is None or answers is None:
        return

    def fetch(path: str, asked: Mapping[str, str]) -> Any:
        return next(
            row["answer"]
            for row in answers["answers"]
            if row["path"] == path and row["asked"].items() <= dict(asked).items()
        )

    market = golden.table(name).get(answers["market"])
    assert market is not None
    gap = Interval(*answers["gap_ms"])
    orders, proven_ms = history.orders(market, gap, gap.end_ms, fetch)
    assert [golden.order(order) for order in orders] == answers["orders"]
    assert proven_ms == answers["proven_ms"]


@every_venue
@pytest.mark.parametrize(("order_side", "position_side"), [("sell", "long"), ("buy", "short")])
def test_rows_of_tardis_become_its_own_frames(
    name: str, order_side: str, position_side: str
) -> None:
    venue, table = VENUES[name], golden.table(name)
    for rows in venue.tardis:
        assert days.TARDIS_VENUES[rows.exchange] == (name, rows)
        names = [market.market_id for market in table]
        read = [
            order
            for market_id in names
            for order in venue.parse(
                rows.frame(TardisRow(market_id, order_side, "250.5", "40", str(START_MS))),
                table,
                START_MS,
            ).liquidations
        ]
        assert read and {order.market_id for order in read} <= set(names)
        assert {(order.position_side, order.price, order.event_ms) for order in read} == {
            (position_side, 250.5, START_MS)
        }


@every_venue
def test_its_own_addresses_are_right_and_its_settings_are_there(name: str) -> None:
    venue = VENUES[name]
    for endpoint in venue.endpoints:
        assert endpoint.url.startswith("wss://")
        check_url(endpoint.url, venue=name)
    assert len(set(venue.urls("ws://127.0.0.1:1/first"))) == len(venue.endpoints)
    check_url(venue.addresses.rest_url, "rest_url", name)
    section = load_settings({"liq_provider": {"venues": {"binance": {"enabled": True}}}}, {})
    assert section.venues.of(name).enabled == (venue.default_on or name == "binance")
    section = load_settings({"liq_provider": {"venues": {name: {"enabled": True}}}}, {})
    assert name in section.venues.enabled


@every_venue
def test_what_it_says_of_itself_can_be(name: str) -> None:
    venue = VENUES[name]
    assert venue.title and 0 <= venue.latency_ms <= 60_000
    assert venue.max_age_s == 0 or venue.max_age_s > 3_600
    assert venue.markets.ccxt_id or venue.markets.listing
    assert {reader.name for reader in venue.readers} <= FORMATS.keys()
    assert all(set(reader.header) <= set(reader.columns) for reader in venue.readers)
    assert all(market.venue == name for market in venue.markets.shipped)


@every_venue
def test_silence_is_implausible_after_its_own_patience(name: str) -> None:
    silence, patience_ms = SilenceJudge(), round(VENUES[name].quiet_alone_s * 1000)
    assert patience_ms >= max(180_000, VENUES[name].quiet_beside_s * 1000)
    silence.connected(name, 0, VENUES[name].quiet_alone_s)
    assert not silence.silent(name, patience_ms - 1)
    assert silence.silent(name, patience_ms)


async def test_no_two_venues_are_played_at_one_address() -> None:
    """Where this fails, give the newer one a ``prefix`` of its own in its dialect."""
    world = World(START_MS, symbols=SYMBOLS, background=0.0, volatility=0.0, history_h=2)
    async with Simulator(world, clock=lambda: START_MS / 1000) as sim:
        for name, venue in VENUES.items():
            for url in venue.urls(sim.ws_url(name)):
                async with connect(url):
                    assert sim.state()["clients"] == {name: 1}, url
                async with asyncio.timeout(60):
                    while sim.state()["clients"]:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
    served = [
        (venue.dialect.prefix + path) for venue in VENUES.values() for path in venue.dialect.rest
    ]
    assert len(served) == len(set(served))


# -- the simulator's play of it -------------------------------------------------------------


@dataclass
class Guest:
    """A client of the simulated exchange."""

    venue: Played
    topics: set[str] = field(default_factory=set)
    conn_id: str = "guest"


def guest(name: str) -> Guest:
    world = World(START_MS, symbols=SYMBOLS, background=0.0, volatility=0.0, history_h=2)
    return Guest(Played(name, world, lambda: START_MS))


def played_orders(symbol: str, price: float) -> list[Order]:
    return [
        Order("", symbol, side, quantity, price, at_ms, at_ms)
        for side, quantity, at_ms in [
            ("long", 3.0, START_MS - 900),
            ("short", 7.0, START_MS - 800),
            ("long", 3.0, START_MS - 900),
        ]
    ]


@every_venue
def test_what_the_simulator_words_is_read_as_it_was_meant(name: str) -> None:
    venue = VENUES[name]
    for spec in SYMBOLS:
        market, orders = venue.dialect.market(spec), played_orders(spec.symbol, spec.price)
        groups = [[order] for order in orders] if venue.dialect.one_each else [orders]
        read: list[Liquidation] = []
        for group in groups:
            frame = venue.dialect.encode(START_MS, market.market_id, spec, group)
            said = venue.parse(frame, venue.table([market]), START_MS)
            assert said.understood and not said.dropped
            read += said.liquidations
        assert [(item.position_side, item.event_ms) for item in read] == [
            (order.position_side, order.event_ms) for order in orders
        ]
        for item, order in zip(read, orders, strict=True):
            assert (item.venue, item.base_asset) == (name, spec.coin)
            assert item.notional_usd == pytest.approx(order.notional_usd, rel=1e-5)
            coins = item.quantity if item.pair != spec.pair else item.quantity * spec.multiplier
            assert coins == pytest.approx(order.quantity * spec.multiplier, rel=1e-9)


@every_venue
def test_the_simulator_acknowledges_each_subscription(name: str) -> None:
    venue, client = VENUES[name], guest(name)
    markets = [venue.dialect.market(spec) for spec in SYMBOLS]
    table, session = venue.table(markets), venue.session()
    for endpoint in venue.endpoints:
        served = [market for market in markets if endpoint.serves(market)]
        requests = endpoint.subscribe(table.only(served))
        acknowledged = 0
        for request in requests:
            for answer in venue.dialect.answer(client, request.text):
                said = session.parse(answer, table, START_MS)
                assert said.understood and said.error is None and not said.liquidations
                acknowledged += said.acknowledged
        assert acknowledged == sum(request.acks for request in requests)
        if requests:
            assert client.topics >= {venue.dialect.topic(market.market_id) for market in served}
            # What is not about these markets is not sent, where they are subscribed to one by one.
            other = venue.dialect.topic("NO-SUCH-MARKET")
            assert (other in client.topics) != endpoint.by_market


@every_venue
def test_each_market_is_streamed_at_one_address(name: str) -> None:
    endpoints, markets = VENUES[name].endpoints, map(VENUES[name].dialect.market, SYMBOLS)
    assert all(sum(endpoint.serves(market) for endpoint in endpoints) == 1 for market in markets)


@every_venue
def test_what_it_asks_by_itself_is_answered_in_time(name: str) -> None:
    venue, client, ping = VENUES[name], guest(name), VENUES[name].dialect.ping
    if ping is None:
        return
    said = venue.session().parse(ping.frame(START_MS), venue.table(), START_MS)
    assert said.understood and said.reply is not None and ping.every_s < ping.patience_s
    assert not (said.acknowledged or said.liquidations or said.life or said.error)
    for answer in venue.dialect.answer(client, said.reply):
        assert venue.parse(answer, venue.table(), START_MS).error is None


@every_venue
def test_heartbeats_are_answered_and_come_in_time(name: str) -> None:
    venue, client = VENUES[name], guest(name)
    if venue.heartbeat is None:
        assert venue.dialect.idle_s is None
        return
    assert venue.heartbeat.every_s < (venue.dialect.idle_s or 60.0)
    answers = list(venue.dialect.answer(client, venue.heartbeat.text()))
    assert answers
    for answer in answers:
        said = venue.parse(answer, venue.table(), START_MS)
        # An answer to what we say is no sign of life of a feed, and acknowledges nothing.
        assert said.understood and said.error is None
        assert not (said.acknowledged or said.liquidations or said.life)


@every_venue
@pytest.mark.parametrize("text", ["{", "[]", "null", '{"op":7}', '{"op":"subscribe","args":[3]}'])
def test_nonsense_is_answered_with_an_error_that_is_understood(name: str, text: str) -> None:
    venue = VENUES[name]
    answers: list[Frame] = list(venue.dialect.answer(guest(name), text))
    assert answers
    assert all(venue.parse(answer, venue.table(), START_MS).error for answer in answers)


@every_venue
def test_what_the_simulator_answers_by_rest_is_json(name: str) -> None:
    venue, client = VENUES[name], guest(name)
    query = {"from": str(START_MS // 1000 - 60), "to": str(START_MS // 1000)}
    for path, answer in venue.dialect.rest.items():
        assert venue.dialect.rest_prefix and path.startswith(venue.dialect.rest_prefix)
        json.loads(orjson.dumps(answer(client.venue, query)))
