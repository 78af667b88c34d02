"""Venues with several addresses or connections, against a real websocket server on loopback."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import orjson
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Asked
from websockets.http11 import Response

from liq_provider.core.markets import Market, MarketTable
from liq_provider.stream import RetryWaits, SilenceJudge, TimeLimits
from liq_provider.venues import VENUES, Venue
from liq_provider.venues.base import Endpoint
from tests.stream.test_feeds import (
    FAST,
    Exchange,
    FeedRig,
    in_doubt_at,
    more_coins,
    now_ms,
    order,
    running,
    until,
)

BYBIT = VENUES["bybit"].endpoints[0]


class TwoDoors(Exchange):
    """Refuses handshakes at a path for as long as it is shut."""

    shut = ""

    def _process(self, connection: ServerConnection, request: Asked) -> Response | None:
        super()._process(connection, request)
        return connection.respond(503, "shut") if request.path == self.shut else None  # type: ignore[arg-type]

    def at(self, path: str) -> list[ServerConnection]:
        """All connections at a path, the oldest first."""
        return [one for one in self.connections if one.request and one.request.path == path]


def two_addresses(**changes: object) -> Venue:
    """Binance's frames at two addresses, of which nobody asks for markets."""
    places = [Endpoint(url=f"wss://feed.example{path}") for path in ("/a", "/b")]
    return replace(VENUES["binance"], endpoints=tuple(places), **changes)


def of_connections(rig: FeedRig) -> dict[str, str]:
    return {one.url.rpartition("/")[2]: one.state for one in rig.feed.status().connections}


async def test_a_venue_is_heard_only_while_all_its_addresses_are() -> None:
    async with TwoDoors() as exchange:
        exchange.shut = "/b"
        async with running(FeedRig(exchange.url + "a", two_addresses())) as rig:
            await until(lambda: of_connections(rig) == {"a": "live", "b": "down"})
            status = rig.feed.status()
            assert (status.state, status.connected_ms) == ("down", None)
            assert "/b: HTTP 503" in status.detail and "/a" not in status.detail
            assert not rig.coverage.covering and not await rig.feed.prove()
            exchange.shut = ""
            opened_ms = now_ms()
            await until(lambda: rig.state == "live")
            assert rig.feed.status().detail == "connected and subscribed"
            assert (rig.coverage.since_ms or 0) >= opened_ms
            assert await rig.feed.prove()
            # What comes by either of them is taken.
            await exchange.at("/a")[-1].send(order())
            await exchange.at("/b")[-1].send(order())
            await until(lambda: len(rig.taken) == 2)
            # One that is lost makes the venue unknown, and leaves the other alone.
            exchange.shut = "/b"
            exchange.at("/b")[-1].transport.abort()
            await until(lambda: of_connections(rig) == {"a": "live", "b": "down"})
            assert not rig.coverage.covering
            exchange.shut = ""
            await until(lambda: rig.state == "live")
            assert (rig.feed.status().reconnects, len(exchange.at("/a"))) == (1, 1)
            assert rig.feed.status().hole is not None


async def test_an_address_that_is_dead_is_told_apart_from_one_that_speaks() -> None:
    quiet = two_addresses(quiet_alone_s=0.4)
    silence = SilenceJudge(silent_after_s=0.1, busy_count=1)
    limits = TimeLimits(retry=RetryWaits(backoff_base_s=0.01), ping_interval_s=0.02, check_s=0.01)
    async with TwoDoors() as exchange:
        rig = FeedRig(exchange.url + "a", quiet, limits, silence=silence)
        async with running(rig):

            async def speak(path: str) -> None:
                while True:
                    for connection in exchange.at(path)[-1:]:
                        with suppress(ConnectionClosed):
                            await connection.send(order())
                    await asyncio.sleep(0.05)

            speaking = [asyncio.create_task(speak("/a"))]
            await until(lambda: of_connections(rig).get("b") == "silent")
            assert of_connections(rig)["a"] == "live" and rig.state == "silent"
            assert not rig.coverage.covering
            speaking.append(asyncio.create_task(speak("/b")))
            await until(lambda: rig.state == "live")
            for task in speaking:
                task.cancel()


def few_at_a_time(most: int) -> Venue:
    return replace(VENUES["bybit"], endpoints=(replace(BYBIT, most_markets=most),))


def asked(exchange: Exchange) -> Iterator[list[str]]:
    for text in exchange.heard:
        message = orjson.loads(text)
        if message["op"] == "subscribe":
            yield [topic.rpartition(".")[2].removesuffix("USDT") for topic in message["args"]]


async def test_more_markets_than_a_connection_takes_have_connections_of_their_own() -> None:
    async with Exchange() as exchange:
        venue, markets = few_at_a_time(2), more_coins("C", "D", "E", "F")
        async with running(FeedRig(exchange.url, venue, markets=markets)) as rig:
            await until(lambda: rig.state == "live")
            assert sorted(asked(exchange)) == [["BTC", "C"], ["D", "E"], ["F"]]
            since_ms, asked_ms = rig.coverage.since_ms, now_ms()
            # One more has room, and yet another one has not.
            rig.feed.update_markets(more_coins("C", "D", "E", "F", "G", "H"))
            assert rig.feed.unheard() == {"G", "H"}
            await until(lambda: rig.feed.unheard() == set())
            assert sorted(asked(exchange))[-2:] == [["G"], ["H"]]
            assert len(exchange.connections) == len(rig.feed.status().connections) == 4
            assert in_doubt_at(rig, asked_ms) >= {"G", "H"}
            # Nothing of the others was lost meanwhile.
            assert rig.coverage.since_ms == since_ms and await rig.feed.prove()
            # Each stays where it is, and a connection of which nothing is left is given up.
            rig.feed.update_markets(more_coins("C", "F", "G", "H"))
            await until(lambda: len(rig.feed.status().connections) == 3)
            await until(
                lambda: sum(one.state.name == "CLOSED" for one in exchange.connections) == 1
            )
            assert rig.coverage.since_ms == since_ms and await rig.feed.prove()
            assert rig.state == "live" and len(exchange.connections) == 4


async def test_what_is_added_on_a_connection_that_cannot_be_had_blinds_nothing_else() -> None:
    async with TwoDoors() as exchange:
        venue = few_at_a_time(1)
        async with running(FeedRig(exchange.url, venue, FAST)) as rig:
            await until(lambda: rig.state == "live")
            exchange.shut = "/"
            rig.feed.update_markets(more_coins("NEW"))
            await until(lambda: rig.feed.status().connections[-1].state == "down")
            assert rig.feed.unheard() == {"NEW"}
            assert rig.state == "live" and await rig.feed.prove()
            exchange.shut = ""
            await until(lambda: rig.feed.unheard() == set())
            # From now on nothing is known without it.
            exchange.shut = "/"
            exchange.connections[-1].transport.abort()
            await until(lambda: not rig.coverage.covering)
            exchange.shut = ""
            await until(lambda: rig.state == "live")


async def test_an_address_of_which_no_market_is_listed_is_not_asked() -> None:
    def coin(market: Market) -> bool:
        return not market.linear

    def dollars(market: Market) -> bool:
        return market.linear

    places = tuple(
        replace(BYBIT, url=f"wss://feed.example/{path}", serves=serves)
        for path, serves in (("a", dollars), ("b", coin))
    )
    venue = replace(VENUES["bybit"], endpoints=places)
    async with TwoDoors() as exchange:
        async with running(FeedRig(exchange.url + "a", venue)) as rig:
            await until(lambda: rig.state == "live")
            assert not exchange.at("/b")
            inverse = Market("bybit", "BTCUSD", "BTC/USD:BTC", "BTC", linear=False)
            rig.feed.update_markets(MarketTable("bybit", [*more_coins(), inverse]))
            await until(lambda: bool(exchange.at("/b")))
            await until(lambda: rig.feed.unheard() == set())
            assert rig.state == "live" and len(exchange.at("/a")) == 1


async def test_a_venue_that_lists_nothing_that_is_streamed_says_so() -> None:
    venue = replace(VENUES["bybit"], endpoints=(replace(BYBIT, serves=lambda market: False),))
    async with Exchange() as exchange, running(FeedRig(exchange.url, venue)) as rig:
        await until(lambda: rig.feed.status().detail == "lists no market that is streamed")
        assert rig.state == "down" and not rig.coverage.covering


def test_the_other_addresses_are_looked_for_at_the_host_of_the_one_that_is_set() -> None:
    venue = two_addresses()
    assert venue.urls() == venue.urls("wss://feed.example/a")
    assert venue.urls("ws://127.0.0.1:7/mine?x=1") == (
        *("ws://127.0.0.1:7/mine?x=1", "ws://127.0.0.1:7/b"),
    )
    # A relay of several exchanges.
    assert venue.urls("wss://relay.example/some/a") == (
        *("wss://relay.example/some/a", "wss://relay.example/some/b"),
    )
