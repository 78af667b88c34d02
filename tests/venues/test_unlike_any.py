"""What the contract carries that no venue of today needs, with made-up ones that do."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import CcxtRules, Market, MarketTable, markets_from_ccxt
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.spool_line import read, write
from liq_provider.venues import VENUES, Parsed
from liq_provider.venues.base import Endpoint, Request
from liq_provider.venues.fields import (
    DAMAGED,
    NOT_UNDERSTOOD,
    NOTHING,
    Unit,
    build,
    collect,
    decode,
    iso_milliseconds,
    number,
)
from liq_provider.venues.frame import Frame
from tests.stream.test_feeds import Exchange, FeedRig, running, until

AT_MS = 1_795_350_016_000
LINEAR = Market("odd", "BTC-USDT", "BTC/USDT:USDT", "BTC", contract_size=0.001)
INVERSE = Market("odd", "BTC-USD", "BTC/USD:BTC", "BTC", contract_size=100.0, linear=False)


@pytest.mark.parametrize(
    ("market", "unit", "amount"),
    [
        (LINEAR, "contracts", 50.0),
        (LINEAR, "base", 0.05),
        (LINEAR, "quote", 2_500.0),
        (INVERSE, "contracts", 25.0),
        (INVERSE, "base", 0.05),
        (INVERSE, "quote", 2_500.0),  # dollars
    ],
)
def test_an_amount_is_the_same_money_in_every_unit(
    market: Market, unit: Unit, amount: float
) -> None:
    order = build(market, "long", 50_000.0, amount, AT_MS, AT_MS, unit)
    assert isinstance(order, Liquidation)
    assert (order.quantity, order.notional_usd) == (pytest.approx(0.05), pytest.approx(2_500.0))


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("2026-09-17T13:39:47.542Z", 1_789_652_387_542),
        ("2026-09-17T15:39:47+02:00", 1_789_652_387_000),
        ("2026-09-17T13:39:47", 0),  # of which zone?
        ("1970-01-01T00:00:00Z", 0),
        ("soon", 0),
        (None, 0),
        (17, 0),
    ],
)
def test_a_time_in_words_is_read_if_it_says_which(value: Any, ms: int) -> None:
    assert iso_milliseconds(value) == ms


def test_markets_whose_names_and_sizes_ccxt_has_otherwise_are_told_as_the_stream_does() -> None:
    raw = {
        **{"id": "5", "swap": True, "linear": True, "base": "kPEPE", "quote": "USDC"},
        **{"contractSize": 10_000.0, "info": {"name": "kPEPE"}},
    }
    stock = {**raw, "base": "TSLA", "info": {"name": "xyz:TSLA"}}
    rules = CcxtRules(
        keep=lambda market: ":" not in market["info"]["name"],
        market_id=lambda market: f"m{market['id']}",
        base_asset=lambda market: market["base"].removeprefix("k"),
        contract_size=lambda market: 1.0,
    )
    listed = markets_from_ccxt("odd", {"kPEPE/USDC:USDC": raw, "TSLA/USDC:USDC": stock}, rules)
    assert listed == [Market("odd", "m5", "kPEPE/USDC:USDC", "PEPE", 1.0)]


# -- a stream of numbered channels ----------------------------------------------------------


class Channels:
    """
    Trades of numbered channels, as they were told in the answers: most are none of ours. A
    position comes in several rows, of which one counts, and the first rows are of the past.
    """

    def __init__(self) -> None:
        self._markets: dict[int, str] = {}
        self._told: set[str] = set()

    def parse(self, frame: Frame, markets: MarketTable, received_ms: int) -> Parsed:
        message = decode(frame)
        if message is None:
            return DAMAGED
        if isinstance(message, dict):
            return self._answer(message, markets, received_ms)
        if not isinstance(message, list) or len(message) != 2:
            return NOT_UNDERSTOOD
        channel, rows = message
        market = markets.get(self._markets.get(channel, ""))
        if rows == "hb":
            return NOTHING
        if market is None:
            return DAMAGED
        past = isinstance(rows, dict)
        ours = [row for row in (rows["snapshot"] if past else rows) if row.get("liquidation")]
        orders = collect([self._record(row, market, received_ms) for row in self._new(ours)])
        return replace(orders, past=past, life=not past)

    def _new(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Of a position the row that says what was paid, once."""
        paid = {row["position"]: row for row in reversed(rows) if "price" in row}
        new = [row for position, row in paid.items() if position not in self._told]
        self._told.update(paid)
        return new

    def _record(self, row: dict[str, Any], market: Market, received_ms: int) -> Any:
        at_ms, amount = iso_milliseconds(row["at"]), number(row["usd"])
        price = number(row["price"])
        side = "long" if row["side"] == "sell" else "short"
        return build(market, side, price, amount, at_ms, received_ms, "quote", own_id=row["trade"])

    def _answer(self, message: dict[str, Any], markets: MarketTable, received_ms: int) -> Parsed:
        if message.get("method") == "heartbeat":
            reply = orjson.dumps({"id": 0, "method": "public/test"})
            return Parsed(reply=reply) if message["type"] == "test_request" else NOTHING
        subscribed = message.get("result")
        if not isinstance(subscribed, dict):
            return NOTHING
        self._markets |= {channel: market for market, channel in subscribed.items()}
        told = self.parse(orjson.dumps(message.get("past", [0, "hb"])), markets, received_ms)
        return replace(told, acknowledged=len(subscribed))


def iso_now() -> str:
    return datetime.now(UTC).isoformat()


def row(trade: int, position: str, **changes: Any) -> dict[str, Any]:
    return {
        **{"liquidation": "T", "side": "sell", "price": "50000", "usd": 2_500, "trade": trade},
        **{"position": position, "at": "2026-11-21T21:00:16Z"},
        **changes,
    }


def said(session: Channels, message: Any) -> Parsed:
    return session.parse(orjson.dumps(message), MarketTable("odd", [LINEAR]), AT_MS)


def subscribed() -> Channels:
    session = Channels()
    assert said(session, {"id": 3, "result": {"BTC-USDT": 7}}) == Parsed(acknowledged=1)
    return session


def test_a_connection_remembers_what_its_numbers_mean_and_which_positions_it_told() -> None:
    session = subscribed()
    trigger, paid = row(1, "p", price="42735"), row(2, "p")
    del trigger["price"]
    (order,) = said(session, [7, [trigger, {"price": "1"}, paid, row(3, "p")]]).liquidations
    assert (order.price, order.notional_usd, order.position_side) == (50_000.0, 2_500.0, "long")
    assert not said(session, [7, [row(4, "p")]]).liquidations
    assert len(said(session, [7, [row(5, "another")]]).liquidations) == 1
    # Another connection has other numbers.
    assert said(Channels(), [7, [paid]]) == DAMAGED
    assert Channels().parse(b"\x1f\x8b", MarketTable("odd"), AT_MS) == DAMAGED


def test_equal_orders_of_other_ids_all_count_and_repeats_of_one_count_once() -> None:
    one, again, other = (
        said(subscribed(), [7, [row(trade, "p")]]).liquidations[0] for trade in (1, 1, 2)
    )
    assert one == again != other and replace(other, ordinal=one.ordinal) == one
    # In one message, too.
    orders = collect([one, again, other]).liquidations
    assert list(orders) == [one, other]
    for order in orders:
        # Where the store does not answer, they wait on disk.
        assert read(write(Incoming(replace(order, venue="gate"), 0))) is not None


async def test_such_a_venue_is_streamed_proven_and_answered() -> None:
    """Its acknowledgements are of several subscriptions, its pings want bytes."""
    endpoint = Endpoint(
        url="wss://odd.example/ws/any-account",
        subscribe=lambda markets: [
            Request(b'{"op":"list"}', acks=2),
            Request(b'{"op":"more"}', pause_s=0.05, acks=0),
        ],
    )
    venue = replace(
        VENUES["gate"], name="odd", heartbeat=None, session=Channels, endpoints=(endpoint,)
    )

    async def greet(connection: Any, number: int) -> None:
        await connection.send('{"method":"heartbeat","type":"test_request"}')

    class Odd(Exchange):
        async def _answer(self, connection: Any, text: str) -> None:
            if "list" in text:
                # The answer itself tells the past.
                past = [7, {"snapshot": [row(1, "old", at=iso_now())]}]
                answer = {"result": {"BTC-USDT": 7, "ETH-USDT": 8}, "past": past}
                await connection.send(orjson.dumps(answer))

    async with Odd(greet) as exchange:
        markets = MarketTable("odd", [LINEAR])
        async with running(FeedRig(exchange.url, venue, markets=markets)) as rig:
            await until(lambda: rig.state == "live")
            await until(lambda: len(rig.taken) == 1)
            assert any("public/test" in text for text in exchange.heard)
            snapshot, since_ms = rig.taken[0]
            assert snapshot.event_ms < since_ms
            live = [7, [row(2, "new", at=iso_now()), {"side": "buy"}]]
            await exchange.connections[-1].send(orjson.dumps(live))
            await until(lambda: len(rig.taken) == 2)
            order, since_ms = rig.taken[1]
            assert order.event_ms >= since_ms
            assert not rig.feed.status().dropped and not rig.feed.status().not_understood
