"""Feeds against real websocket servers on loopback that speak the venues' dialects."""

import asyncio
import http
import itertools
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import orjson
import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Asked
from websockets.http11 import Response

from liq_provider.core.coverage import CoverageTracker
from liq_provider.core.doubts import ANY_COIN, Doubt, Doubts
from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import Market, MarketTable
from liq_provider.stream import Feed, RetryWaits, SilenceJudge, TimeLimits
from liq_provider.venues import VENUES, Parsed, Venue
from liq_provider.venues.base import Request, Stateless

FAST = TimeLimits(
    open_timeout_s=2.0,
    close_timeout_s=0.2,
    subscribe_timeout_s=0.3,
    ping_interval_s=0.05,
    ping_timeout_s=5.0,
    prove_wait_s=0.5,
    rollover_margin_s=0.0,
    rollover_retry_s=0.05,
    check_s=0.01,
    retry=RetryWaits(backoff_base_s=0.01, backoff_cap_s=0.05, refused_s=0.2),
)
_NUMBERS = itertools.count(1)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def table(venue: str, *more: str) -> MarketTable:
    ids = {"okx": "BTC-USDT-SWAP"}.get(venue, "BTCUSDT")
    return VENUES[venue].table(Market(venue, name, "BTC/USDT:USDT", "BTC") for name in (ids, *more))


def order(event_ms: int | None = None, symbol: str = "BTCUSDT") -> str:
    """A Binance frame with a quantity of its own."""
    body = {"s": symbol, "S": "SELL", "p": "100", "ap": "100", "z": str(next(_NUMBERS))}
    event = {"e": "forceOrder", "o": body | {"T": event_ms or now_ms(), "st": 1}}
    return orjson.dumps(event).decode()


class Exchange:
    """
    A loopback exchange.

    :param greet: called with each connection and its number, from 0; by default it listens
    """

    def __init__(self, greet: Callable[[ServerConnection, int], Any] | None = None) -> None:
        self.greet = greet
        self.connections: list[ServerConnection] = []
        self.heard: list[str] = []
        self.handshakes = 0
        self.asked_s: list[float] = []
        self.headers: Mapping[str, str] = {}
        self.refuse: tuple[int, dict[str, str]] | None = None
        self.acknowledge = True
        self.refusal: str | None = None
        self.gone = "GONEUSDT"
        self.url = ""
        self._server: Server | None = None

    async def __aenter__(self) -> "Exchange":
        self._server = await serve(
            self._handle,
            "127.0.0.1",
            0,
            process_request=self._process,
            ping_interval=None,
            close_timeout=0.2,
        )
        port = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def _process(self, connection: ServerConnection, request: Asked) -> Response | None:
        self.handshakes += 1
        self.asked_s.append(time.monotonic())
        self.headers = request.headers
        if self.refuse is None:
            return None
        status, headers = self.refuse
        response = connection.respond(http.HTTPStatus(status), "no")
        for name, value in headers.items():
            response.headers[name] = value
        return response

    async def _handle(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        number = len(self.connections) - 1
        with suppress(ConnectionClosed):
            if self.greet is not None:
                await self.greet(connection, number)
            async for text in connection:
                self.heard.append(str(text))
                await self._answer(connection, str(text))

    async def _answer(self, connection: ServerConnection, text: str) -> None:
        if text == "ping":
            await connection.send("pong")
            return
        if text == "pong" or not self.acknowledge:
            return
        message = orjson.loads(text)
        if "channel" in message:
            await connection.send(text)  # Gate's answers name what they answer
        elif message["op"] == "ping":
            await connection.send('{"success":true,"ret_msg":"pong","op":"ping"}')
        elif isinstance(message["args"][0], dict):
            await connection.send('{"event":"subscribe","arg":{}}')
        elif self.refusal is not None:
            reply = {"success": False, "ret_msg": self.refusal, "op": "subscribe"}
            await connection.send(orjson.dumps(reply).decode())
        elif f"allLiquidation.{self.gone}" in message["args"]:
            reason = f"error:handler not found,topic:allLiquidation.{self.gone}"
            reply = {"success": False, "ret_msg": reason, "op": "subscribe"}
            await connection.send(orjson.dumps(reply).decode())
        else:
            await connection.send('{"success":true,"ret_msg":"","op":"subscribe"}')

    async def say(self, text: str) -> None:
        """Send a frame on the newest connection."""
        await self.connections[-1].send(text)


class FeedRig:
    """A feed with everything that belongs to it."""

    def __init__(
        self,
        url: str,
        venue: Venue | None = None,
        limits: TimeLimits = FAST,
        markets: MarketTable | None = None,
        silence: SilenceJudge | None = None,
        coverage: CoverageTracker | None = None,
    ) -> None:
        venue = venue or VENUES["binance"]
        self.taken: list[tuple[Liquidation, int]] = []
        self.sink_error: Exception | None = None
        self.coverage = coverage or CoverageTracker(venue.name, settle_ms=2_000)
        self.doubts = Doubts(settle_ms=2_000)
        self.silence = silence or SilenceJudge()
        self.feed = Feed(
            venue,
            url,
            markets if markets is not None else table(venue.name),
            now_ms,
            self.sink,
            self.coverage,
            self.doubts,
            self.silence,
            limits,
        )

    def sink(self, liquidations: Sequence[Liquidation], connected_ms: int) -> None:
        if self.sink_error is not None:
            raise self.sink_error
        self.taken += [(order, connected_ms) for order in liquidations]

    @property
    def state(self) -> str:
        return self.feed.status().state

    def in_doubt(self) -> list[Doubt]:
        """All that was noted so far; it is noted no more."""
        return self.doubts.take(now_ms() + 10 * 60_000)


@asynccontextmanager
async def running(rig: FeedRig) -> AsyncIterator[FeedRig]:
    task = asyncio.create_task(rig.feed.run())
    try:
        yield rig
        assert not task.done(), task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_liquidations_reach_the_sink_with_the_connection_time() -> None:
    async with Exchange() as exchange, running(FeedRig(exchange.url)) as rig:
        await until(lambda: rig.state == "live")
        await exchange.say(order(event_ms=now_ms() - 3_600_000))
        await exchange.say(order())
        await until(lambda: len(rig.taken) == 2)
        (old, since_ms), (new, _) = rig.taken
        assert old.event_ms < since_ms <= new.event_ms
        status = rig.feed.status()
        assert status.connected_ms == since_ms
        assert status.liquidations == 2
        assert status.last_liquidation_ms is not None
    assert rig.state == "down"
    assert not rig.coverage.covering


async def test_answered_pings_prove_their_send_time() -> None:
    async with Exchange() as exchange, running(FeedRig(exchange.url)) as rig:
        await until(lambda: rig.state == "live")
        asked_ms = now_ms()
        assert await rig.feed.prove()
        assert asked_ms <= rig.coverage.proven_ms <= now_ms()
        assert rig.feed.status().latency_ms is not None


async def test_nothing_is_proven_before_the_frames_ahead_of_the_pong_are_handled() -> None:
    count = 5_000

    async def burst(connection: ServerConnection, number: int) -> None:
        # The first ping is answered after the last of these.
        connection.transport.pause_reading()
        for _ in range(count):
            await connection.send(order())
        connection.transport.resume_reading()

    class Watched(CoverageTracker):
        handled_at_proof: list[int] = []  # noqa: RUF012

        def prove(self, sent_ms: int, handled_ms: int) -> None:
            self.handled_at_proof.append(len(rig.taken))
            super().prove(sent_ms, handled_ms)

    async with Exchange(burst) as exchange:
        rig = FeedRig(exchange.url, coverage=Watched("binance", settle_ms=2_000))
        async with running(rig):
            await until(lambda: rig.coverage.proven_ms > 0 and bool(Watched.handled_at_proof), 20)
    assert Watched.handled_at_proof[0] == count


async def test_prove_is_false_without_an_answer_in_time() -> None:
    limits = TimeLimits(prove_wait_s=0.05, ping_interval_s=60, ping_timeout_s=5, check_s=0.01)

    async with Exchange() as exchange, running(FeedRig(exchange.url, limits=limits)) as rig:
        await until(lambda: rig.feed.status().latency_ms is not None)
        # What the first ping proved is over.
        await until(lambda: now_ms() > rig.coverage.proven_ms)
        exchange.connections[0].transport.pause_reading()
        asked_ms = now_ms()
        assert not await rig.feed.prove()
        # An answer that comes later still proves.
        exchange.connections[0].transport.resume_reading()
        await until(lambda: rig.coverage.proven_ms >= asked_ms)
        assert rig.feed.status().reconnects == 0


async def test_unanswered_pings_end_the_connection() -> None:
    limits = TimeLimits(ping_interval_s=0.02, ping_timeout_s=0.1, close_timeout_s=0.1, check_s=0.01)

    async def deaf(connection: ServerConnection, number: int) -> None:
        if number == 0:
            connection.transport.pause_reading()
            await asyncio.sleep(1)

    async with Exchange(deaf) as exchange, running(FeedRig(exchange.url, limits=limits)) as rig:
        await until(lambda: rig.feed.status().reconnects == 1 and rig.state == "live")
        assert "no answer to a ping" in (rig.feed.status().last_error or "")


@pytest.mark.parametrize("name", ["bybit", "okx"])
async def test_coverage_begins_with_the_acknowledgement(name: str) -> None:
    async with Exchange() as exchange:
        exchange.acknowledge = False
        async with running(FeedRig(exchange.url, VENUES[name])) as rig:
            await until(lambda: len(exchange.heard) >= 1)
            assert not rig.coverage.covering
            await until(lambda: "not acknowledged" in (rig.feed.status().last_error or ""))
            assert not rig.coverage.covering
            exchange.acknowledge = True
            await until(lambda: rig.state == "live")
            assert rig.coverage.covering


@pytest.mark.parametrize(("name", "text"), [("okx", "ping"), ("bybit", '{"op":"ping"}')])
async def test_text_heartbeats_go_out(name: str, text: str) -> None:
    heartbeat = VENUES[name].heartbeat
    assert heartbeat is not None
    quick = replace(VENUES[name], heartbeat=replace(heartbeat, every_s=0.03))
    async with Exchange() as exchange, running(FeedRig(exchange.url, quick)):
        await until(lambda: exchange.heard.count(text) >= 2)


async def test_pings_of_the_venue_are_answered() -> None:
    async with Exchange() as exchange, running(FeedRig(exchange.url, VENUES["okx"])) as rig:
        await until(lambda: rig.state == "live")
        await exchange.say("ping")
        await until(lambda: "pong" in exchange.heard)


@pytest.mark.parametrize("status", [403, 429, 451])
async def test_refusal_is_one_clear_error_and_slow(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with Exchange() as exchange:
        exchange.refuse = (status, {})
        async with running(FeedRig(exchange.url)) as rig:
            await until(lambda: exchange.handshakes >= 3)
            assert rig.state == "refused"
            assert str(status) in rig.feed.status().detail
            errors = [row for row in caplog.records if row.levelno == logging.ERROR]
            assert len([row for row in errors if row.name.startswith("liq_provider")]) == 1
            exchange.refuse = None
            await until(lambda: rig.state == "live")


async def test_retry_after_is_respected() -> None:
    async with Exchange() as exchange:
        exchange.refuse = (429, {"Retry-After": "1"})
        async with running(FeedRig(exchange.url)) as rig:
            await until(lambda: rig.state == "refused")
            exchange.refuse = None
            await until(lambda: rig.state == "live")
            assert 1 <= exchange.asked_s[1] - exchange.asked_s[0] < 15


async def test_other_handshake_errors_are_ordinary(caplog: pytest.LogCaptureFixture) -> None:
    async with Exchange() as exchange:
        exchange.refuse = (503, {})
        async with running(FeedRig(exchange.url)) as rig:
            await until(lambda: exchange.handshakes >= 4)
            assert rig.state == "down"
            assert "503" in (rig.feed.status().last_error or "")
            exchange.refuse = None
            await until(lambda: rig.state == "live")
    complaints = [row for row in caplog.records if "503" in row.getMessage()]
    assert len([row for row in complaints if row.levelno >= logging.WARNING]) == 1


async def test_nobody_listening_is_ordinary() -> None:
    async with Exchange() as exchange:
        url = exchange.url
    async with running(FeedRig(url)) as rig:
        await until(lambda: "cannot connect" in (rig.feed.status().last_error or ""))
        assert rig.state == "down"


async def test_disconnect_in_mid_stream_leaves_a_hole() -> None:
    async with Exchange() as exchange, running(FeedRig(exchange.url)) as rig:
        await until(lambda: rig.state == "live" and rig.coverage.proven_ms > 0)
        await exchange.say(order())
        await until(lambda: len(rig.taken) == 1)
        proven_ms = rig.coverage.proven_ms
        exchange.connections[0].transport.abort()
        await until(lambda: rig.feed.status().reconnects == 1 and rig.state == "live")
        await exchange.say(order())
        await until(lambda: len(rig.taken) == 2)
        assert await rig.feed.prove()
        since_ms = rig.coverage.since_ms
        assert since_ms is not None and proven_ms <= since_ms
        assert rig.taken[1][1] >= since_ms


async def test_garbage_is_counted_and_the_feed_goes_on() -> None:
    async with Exchange() as exchange, running(FeedRig(exchange.url)) as rig:
        await until(lambda: rig.state == "live")
        for text in ["nonsense", "x" * 5_000, "[]", *(f"noise {n}" for n in range(10))]:
            await exchange.say(text)
        await exchange.connections[0].send(b"\x00\xff")
        await exchange.say('{"code":3,"msg":"too many requests"}')
        await exchange.say(order(symbol="ETHBTC"))
        await exchange.say(order())
        await until(lambda: len(rig.taken) == 1)
        status = rig.feed.status()
        assert status.not_understood == 14
        assert len(status.samples) <= 5 and all(len(text) <= 300 for text in status.samples)
        assert status.venue_errors == 1
        assert status.last_error == "too many requests (code 3)"
        assert dict(status.dropped) == {"unknown_market": 1}
        assert status.state == "live" and status.reconnects == 0


async def test_errors_of_sink_and_parser_do_not_end_the_feed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def parse(frame: str | bytes, markets: MarketTable, received_ms: int) -> Parsed:
        if b"boom" in bytes(frame, "utf8") if isinstance(frame, str) else b"boom" in frame:
            raise ZeroDivisionError("boom")
        return VENUES["binance"].parse(frame, markets, received_ms)

    broken = replace(VENUES["binance"], session=Stateless(parse))
    async with Exchange() as exchange, running(FeedRig(exchange.url, broken)) as rig:
        await until(lambda: rig.state == "live" and rig.coverage.proven_ms > 0)
        for _ in range(3):
            await exchange.say("boom")
        rig.sink_error = ValueError("full")
        await exchange.say(order())
        await until(lambda: rig.feed.status().failures.get("sink: ValueError") == 1)
        rig.sink_error = None
        await exchange.say(order())
        await until(lambda: len(rig.taken) == 1)
        status = rig.feed.status()
        assert dict(status.failures) == {"parse: ZeroDivisionError": 3, "sink: ValueError": 1}
        assert status.reconnects == 0
    own = [row for row in caplog.records if row.name.startswith("liq_provider")]
    assert len([row for row in own if row.levelno == logging.ERROR]) == 2


async def test_a_lost_delivery_puts_its_minute_in_doubt() -> None:
    async with Exchange() as exchange, running(FeedRig(exchange.url)) as rig:
        await until(lambda: rig.state == "live" and rig.coverage.proven_ms > 0)
        since_ms = rig.coverage.since_ms
        assert rig.in_doubt() == []
        rig.sink_error = ValueError("full")
        event_ms = now_ms()
        await exchange.say(order(event_ms))
        await until(lambda: bool(rig.feed.status().failures))
        assert in_doubt_at(rig, event_ms) == {ANY_COIN}
        # The connection itself is as good as before.
        assert rig.coverage.since_ms == since_ms


def in_doubt_at(rig: FeedRig, ms: int) -> set[str]:
    """The coins whose minute at that time may lack something, as far as was noted since."""
    return {d.base_asset for d in rig.in_doubt() if d.span.start_ms <= ms < d.span.end_ms}


@pytest.mark.parametrize(
    ("name", "frame", "coins"),
    [
        ("binance", '{"stream":"!forceOrder@arr","data":{"e":"forceOrder","o":{"s":', {ANY_COIN}),
        ("binance", '{"e":"forceOrder","E":1}', {ANY_COIN}),
        ("binance", '{"stream":"!forceOrder@arr","data":7}', {ANY_COIN}),
        ("binance", '{"e":"somethingNew","E":1}', set()),
        ("binance", "[1,2", {ANY_COIN}),
        ("bybit", '{"topic":"allLiquidation.BTCUSDT","data":{}}', {ANY_COIN}),
        ("bybit", '{"topic":"tickers.BTCUSDT","data":{}}', set()),
        ("okx", '{"arg":{"channel":"liquidation-orders"},"data":5}', {ANY_COIN}),
        ("okx", '{"arg":{"channel":"announcements"},"data":[]}', set()),
        ("okx", "pang", {ANY_COIN}),
    ],
)
async def test_only_what_may_have_been_a_liquidation_makes_a_minute_unknown(
    name: str, frame: str, coins: set[str]
) -> None:
    async with Exchange() as exchange, running(FeedRig(exchange.url, VENUES[name])) as rig:
        await until(lambda: rig.state == "live" and rig.coverage.proven_ms > 0)
        frames = rig.feed.status().frames
        at_ms = now_ms()
        await exchange.say(frame)
        await until(lambda: rig.feed.status().frames > frames)
        await until(lambda: rig.feed.status().not_understood == 1)
        assert in_doubt_at(rig, at_ms) == coins


async def test_a_refused_record_makes_only_its_own_coins_minute_unknown() -> None:
    async with Exchange() as exchange, running(FeedRig(exchange.url)) as rig:
        await until(lambda: rig.state == "live" and rig.coverage.proven_ms > 0)
        at_ms = now_ms()
        await exchange.say(order(at_ms).replace('"z":"', '"z":"-'))
        await until(lambda: bool(rig.feed.status().dropped))
        assert in_doubt_at(rig, at_ms) == {"BTC"}
        assert rig.coverage.covering


async def test_rollover_leaves_no_hole() -> None:
    short = replace(VENUES["binance"], max_age_s=0.3)

    async def stream(connection: ServerConnection, number: int) -> None:
        async def forever() -> None:
            with suppress(ConnectionClosed):
                while True:
                    await connection.send(order())
                    await asyncio.sleep(0.01)

        connection.talking = asyncio.create_task(forever())  # type: ignore[attr-defined]

    async with Exchange(stream) as exchange, running(FeedRig(exchange.url, short)) as rig:
        await until(lambda: rig.feed.status().rollovers >= 2)
        assert await rig.feed.prove()
        status = rig.feed.status()
        assert rig.coverage.since_ms == status.connected_ms
        assert status.state == "live" and status.reconnects == 0
        # One unbroken connection as far as the store is concerned.
        assert {since_ms for _, since_ms in rig.taken} == {status.connected_ms}
        await until(lambda: len([c for c in exchange.connections if c.state.name == "OPEN"]) <= 2)


async def test_rollover_that_fails_keeps_the_old_connection() -> None:
    short = replace(VENUES["binance"], max_age_s=0.1)

    async with Exchange() as exchange, running(FeedRig(exchange.url, short)) as rig:
        await until(lambda: rig.state == "live")
        exchange.refuse = (503, {})
        await until(lambda: exchange.handshakes >= 3)
        assert rig.state == "live"
        await exchange.say(order())
        await until(lambda: len(rig.taken) == 1)
        assert rig.feed.status().reconnects == 0
        exchange.refuse = None
        await until(lambda: rig.feed.status().rollovers >= 1)


async def test_rollover_to_a_connection_that_is_dead_keeps_the_old_one() -> None:
    short = replace(VENUES["binance"], max_age_s=0.1)

    async def hang_up(connection: ServerConnection, number: int) -> None:
        if number in (1, 2):
            connection.transport.abort()

    async with Exchange(hang_up) as exchange, running(FeedRig(exchange.url, short)) as rig:
        await until(lambda: len(exchange.connections) >= 3)
        assert rig.feed.status().reconnects == 0
        await until(lambda: rig.feed.status().rollovers >= 1)
        assert await rig.feed.prove()
        assert rig.coverage.since_ms == rig.feed.status().connected_ms


async def test_cancelling_closes_the_connection() -> None:
    async with Exchange() as exchange:
        async with running(FeedRig(exchange.url)) as rig:
            await until(lambda: rig.state == "live")
            before = len(asyncio.all_tasks())
        await until(lambda: exchange.connections[0].state.name == "CLOSED")
        assert exchange.connections[0].close_code == 1000
        assert len(asyncio.all_tasks()) < before
        assert not await rig.feed.prove()


async def test_silent_feed_is_believed_again_only_when_it_speaks() -> None:
    silence = SilenceJudge(silent_after_s=1.0, busy_count=20)
    limits = TimeLimits(retry=RetryWaits(backoff_base_s=0.01), ping_interval_s=0.02, check_s=0.01)
    async with Exchange() as exchange:
        rig = FeedRig(exchange.url, limits=limits, silence=silence)
        async with running(rig):
            await until(lambda: rig.state == "live")

            def silent_beside_another() -> bool:
                silence.heard("bybit", now_ms(), 50)
                return rig.state == "silent"

            await until(silent_beside_another)
            assert not rig.coverage.covering
            await until(lambda: len(exchange.connections) >= 2)
            await asyncio.sleep(0.05)
            assert rig.state == "silent" and not rig.coverage.covering
            # A snapshot of the past is no sign of life.
            await exchange.say(order(event_ms=now_ms() - 3_600_000))
            await until(lambda: len(rig.taken) == 1)
            assert rig.state == "silent"
            await exchange.say(order())
            await until(lambda: rig.state == "live")
            assert rig.coverage.covering


async def test_life_that_is_no_liquidation_ends_a_silence() -> None:
    """On a stream of trades most messages are none, and any of them shows that it speaks."""

    def parse(frame: str | bytes, markets: MarketTable, received_ms: int) -> Parsed:
        return Parsed(life=True) if frame == b"trade" else Parsed()

    trades = replace(VENUES["binance"], session=Stateless(parse), quiet_alone_s=0.3)
    limits = TimeLimits(retry=RetryWaits(backoff_base_s=0.01), ping_interval_s=0.02, check_s=0.01)
    silence = SilenceJudge(silent_after_s=0.1, busy_count=1_000)
    async with Exchange() as exchange:
        rig = FeedRig(exchange.url, trades, limits, silence=silence)
        async with running(rig):
            await until(lambda: rig.state == "silent" and len(exchange.connections) >= 2)
            await exchange.say("pong")
            await until(lambda: rig.feed.status().frames >= 1)
            assert rig.state == "silent", "an answer proves nothing"
            await exchange.say("trade")
            await until(lambda: rig.state == "live")
            assert not rig.taken


async def test_a_snapshot_that_is_called_one_is_never_live() -> None:
    def parse(frame: str | bytes, markets: MarketTable, received_ms: int) -> Parsed:
        return replace(VENUES["binance"].parse(frame, markets, received_ms), past=True)

    snapshots = replace(VENUES["binance"], session=Stateless(parse))
    async with Exchange() as exchange, running(FeedRig(exchange.url, snapshots)) as rig:
        await until(lambda: rig.state == "live")
        await exchange.say(order())
        await until(lambda: len(rig.taken) == 1)
        taken, since_ms = rig.taken[0]
        assert taken.event_ms < since_ms


async def test_the_handshake_carries_the_venues_headers() -> None:
    async with Exchange() as exchange, running(FeedRig(exchange.url, VENUES["gate"])) as rig:
        await until(lambda: rig.state == "live")
        assert exchange.headers["X-Gate-Size-Decimal"] == "1"


async def test_paced_requests_take_their_time_and_each_acknowledgement_counts() -> None:
    """Three requests with pauses take longer than their answers may."""
    text = '{"op":"subscribe","args":["allLiquidation.BTCUSDT"]}'
    requests = [Request(text, pause_s=0.25), Request(text, pause_s=0.25), Request(text)]
    endpoint = replace(VENUES["bybit"].endpoints[0], subscribe=lambda markets: requests)
    paced = replace(VENUES["bybit"], endpoints=(endpoint,))
    assert FAST.subscribe_timeout_s < 0.5
    async with Exchange() as exchange, running(FeedRig(exchange.url, paced)) as rig:
        await until(lambda: len(exchange.heard) == 2)
        assert not rig.coverage.covering
        await until(lambda: rig.state == "live")
        assert (len(exchange.heard), exchange.handshakes) == (3, 1)
    twice = replace(endpoint, subscribe=lambda markets: [Request(text, acks=2)])
    async with Exchange() as exchange:
        async with running(FeedRig(exchange.url, replace(paced, endpoints=(twice,)))) as rig:
            await until(lambda: "not acknowledged" in (rig.feed.status().last_error or ""))
            assert not rig.coverage.covering


async def test_added_markets_that_nothing_acknowledges_are_heard_once_they_are_asked_for() -> None:
    """Nothing is waited for that never comes, at the start and later."""

    def ask(markets: MarketTable) -> list[Request]:
        return [Request(f"listen {market.market_id}", 0.05, acks=0) for market in markets]

    endpoint = replace(VENUES["bybit"].endpoints[0], subscribe=ask)
    async with Exchange() as exchange:
        exchange.acknowledge = False
        async with running(
            FeedRig(exchange.url, replace(VENUES["bybit"], endpoints=(endpoint,)))
        ) as rig:
            await until(lambda: rig.state == "live")
            asked_ms = now_ms()
            rig.feed.update_markets(more_coins("NEW", "NEWER"))
            assert rig.feed.unheard() == {"NEW", "NEWER"}
            await until(lambda: rig.feed.unheard() == set())
            assert "listen NEWERUSDT" in exchange.heard
            assert in_doubt_at(rig, asked_ms) == {"NEW", "NEWER"}
            await asyncio.sleep(2 * FAST.subscribe_timeout_s)
            assert (rig.state, len(exchange.connections)) == ("live", 1)


async def test_an_addition_waits_for_the_one_before_it_however_long_that_takes() -> None:
    """Requests are counted per connection, and each of them takes its time."""

    def ask(markets: MarketTable) -> list[Request]:
        topics = [f'"allLiquidation.{market.market_id}"' for market in markets]
        return [Request(f'{{"op":"subscribe","args":[{topic}]}}', 0.2) for topic in topics]

    endpoint = replace(VENUES["bybit"].endpoints[0], subscribe=ask)
    async with Exchange() as exchange:
        async with running(
            FeedRig(exchange.url, replace(VENUES["bybit"], endpoints=(endpoint,)))
        ) as rig:
            await until(lambda: rig.state == "live")
            rig.feed.update_markets(more_coins("A", "B"))
            rig.feed.update_markets(more_coins("A", "B", "C", "D"))
            await until(lambda: rig.feed.unheard() == set())
            asked = [text for text in exchange.heard if "subscribe" in text]
            assert [text[-8:-2] for text in asked[1:]] == [f'{coin}USDT"' for coin in "ABCD"]
            assert (rig.state, len(exchange.connections)) == ("live", 1)


async def test_new_markets_are_subscribed_on_the_live_connection() -> None:
    async with Exchange() as exchange, running(FeedRig(exchange.url, VENUES["bybit"])) as rig:
        await until(lambda: rig.state == "live")
        rig.feed.update_markets(table("bybit", "NEWUSDT"))
        await until(lambda: any("NEWUSDT" in text for text in exchange.heard))
        asked = [orjson.loads(text)["args"] for text in exchange.heard if "subscribe" in text]
        assert asked == [["allLiquidation.BTCUSDT"], ["allLiquidation.NEWUSDT"]]
        assert len(exchange.connections) == 1


async def test_a_market_that_was_heard_before_it_was_listed_is_not_in_doubt() -> None:
    async with Exchange() as exchange, running(FeedRig(exchange.url)) as rig:
        await until(lambda: rig.state == "live")
        await exchange.say(order(symbol="NEWUSDT"))
        await until(lambda: len(rig.taken) == 1)
        coins = ("BTC", "NEW", "NEWER")
        listed = [Market("binance", f"{coin}USDT", f"{coin}/USDT:USDT", coin) for coin in coins]
        rig.feed.update_markets(VENUES["binance"].table(listed))
        assert {doubt.base_asset for doubt in rig.in_doubt()} == {"NEWER"}


async def test_markets_of_wildcard_venues_need_no_new_subscription() -> None:
    async with Exchange() as exchange, running(FeedRig(exchange.url, VENUES["okx"])) as rig:
        await until(lambda: rig.state == "live")
        rig.feed.update_markets(table("okx", "NEW-USDT-SWAP"))
        assert await rig.feed.prove()
        assert len([text for text in exchange.heard if "subscribe" in text]) == 1


@pytest.mark.parametrize("when", ["at start", "later"])
async def test_a_delisted_market_does_not_take_the_others_down(when: str) -> None:
    async with Exchange() as exchange:
        start = table("bybit", "GONEUSDT") if when == "at start" else table("bybit")
        async with running(FeedRig(exchange.url, VENUES["bybit"], markets=start)) as rig:
            await until(lambda: rig.state == "live")
            if when == "later":
                rig.feed.update_markets(table("bybit", "GONEUSDT", "NEWUSDT"))
                await until(
                    lambda: '{"op":"subscribe","args":["allLiquidation.NEWUSDT"]}' in exchange.heard
                )
            assert rig.feed.status().rejected == ("GONEUSDT",)
            assert rig.state == "live"
            rig.feed.update_markets(table("bybit"))
            assert rig.feed.status().rejected == ()


async def test_a_refused_market_is_tried_again_with_each_new_list() -> None:
    request = '{"op":"subscribe","args":["allLiquidation.GONEUSDT"]}'
    async with Exchange() as exchange, running(FeedRig(exchange.url, VENUES["bybit"])) as rig:
        await until(lambda: rig.state == "live")
        for hour in (1, 2, 3):
            rig.feed.update_markets(table("bybit", "GONEUSDT"))
            await until(lambda hour=hour: exchange.heard.count(request) == hour)
            await until(lambda: rig.feed.status().rejected == ("GONEUSDT",))
        exchange.gone = "nothing"
        rig.feed.update_markets(table("bybit", "GONEUSDT"))
        await until(lambda: exchange.heard.count(request) == 4)
        assert await rig.feed.prove()
        assert rig.feed.status().rejected == ()
        rig.feed.update_markets(table("bybit", "GONEUSDT"))
        assert await rig.feed.prove()
        assert exchange.heard.count(request) == 4
        assert (rig.state, len(exchange.connections)) == ("live", 1)


def more_coins(*coins: str) -> MarketTable:
    markets = [Market("bybit", f"{coin}USDT", f"{coin}/USDT:USDT", coin) for coin in coins]
    return table("bybit").only([*table("bybit"), *markets])


async def test_an_added_coin_is_unheard_until_its_request_is_acknowledged() -> None:
    limits = replace(FAST, subscribe_timeout_s=30.0)
    async with (
        Exchange() as exchange,
        running(FeedRig(exchange.url, VENUES["bybit"], limits)) as rig,
    ):
        await until(lambda: rig.state == "live")
        exchange.acknowledge = False
        rig.feed.update_markets(more_coins("NEW"))
        assert rig.feed.unheard() == {"NEW"}
        rig.feed.update_markets(more_coins("NEW", "NEWER"))
        asked_ms = now_ms()
        await until(lambda: sum("subscribe" in text for text in exchange.heard) == 3)
        rig.in_doubt()  # what is noted at the asking lasts for seconds only
        # One answer of two does not say which of them was heard.
        await exchange.say('{"success":true,"ret_msg":"","op":"subscribe"}')
        assert await rig.feed.prove()
        assert rig.feed.unheard() == {"NEW", "NEWER"}
        assert rig.in_doubt() == []
        await exchange.say('{"success":true,"ret_msg":"","op":"subscribe"}')
        await until(lambda: rig.feed.unheard() == set())
        # The minute in which it came may not be settled yet.
        assert in_doubt_at(rig, asked_ms) == {"NEW", "NEWER"}
        assert (rig.state, len(exchange.connections)) == ("live", 1)


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (None, "not acknowledged within"),
        ("rate limit", "subscription refused: rate limit"),
        ("error:handler not found,topic:allLiquidation.NEWUSDT", "refused"),
    ],
    ids=["silence", "unnamed", "one of several"],
)
async def test_an_addition_that_is_not_acknowledged_is_made_anew_on_another_connection(
    refusal: str | None, why: str
) -> None:
    async with Exchange() as exchange, running(FeedRig(exchange.url, VENUES["bybit"])) as rig:
        await until(lambda: rig.state == "live")
        exchange.acknowledge, exchange.refusal = refusal is not None, refusal
        rig.in_doubt()
        asked_ms = now_ms()
        rig.feed.update_markets(more_coins("NEW"))
        rig.feed.update_markets(more_coins("NEW", "NEWER"))
        await until(lambda: exchange.connections[0].state.name == "CLOSED")
        exchange.acknowledge, exchange.refusal = True, None
        assert why in (rig.feed.status().last_error or "")
        assert {"NEW", "NEWER"} <= in_doubt_at(rig, asked_ms)
        await until(lambda: len(exchange.connections) > 1 and rig.state == "live")
        topics = orjson.loads(exchange.heard[-1])["args"]
        refused = set(rig.feed.status().rejected)
        assert refused == ({"NEWUSDT"} if "topic" in str(refusal) else set())
        assert rig.feed.unheard() == {name.removesuffix("USDT") for name in refused}
        assert "allLiquidation.NEWERUSDT" in topics and "allLiquidation.BTCUSDT" in topics


async def test_only_coins_of_a_refused_addition_are_in_doubt() -> None:
    async with Exchange() as exchange, running(FeedRig(exchange.url, VENUES["bybit"])) as rig:
        await until(lambda: rig.state == "live")
        rig.in_doubt()
        asked_ms = now_ms()
        rig.feed.update_markets(more_coins("GONE", "NEW"))
        await until(lambda: rig.feed.unheard() == {"GONE"})
        assert in_doubt_at(rig, asked_ms) == {"GONE", "NEW"}
        assert (rig.state, len(exchange.connections)) == ("live", 1)


@pytest.mark.parametrize("name", ["binance", "okx", "gate"])
async def test_venues_that_deliver_everything_need_no_acknowledgement(name: str) -> None:
    async with Exchange() as exchange, running(FeedRig(exchange.url, VENUES[name])) as rig:
        await until(lambda: rig.state == "live")
        asked = len(exchange.heard)
        exchange.acknowledge = False
        more = Market(name, "NEW", "NEW/USDT:USDT", "NEW")
        # Gate's texts hold the time.
        await asyncio.sleep(1.1 if name == "gate" else 0)
        rig.feed.update_markets(VENUES[name].table([*table(name), more]))
        assert rig.feed.unheard() == set()
        assert await rig.feed.prove()
        assert not [text for text in exchange.heard[asked:] if "subscribe" in text]


@pytest.mark.parametrize(("name", "waits"), [("binance", False), ("bybit", True), ("okx", True)])
async def test_without_a_market_list_nothing_is_covered(name: str, waits: bool) -> None:
    async with Exchange() as exchange:
        rig = FeedRig(exchange.url, VENUES[name], markets=VENUES[name].table())
        async with running(rig):
            if waits:
                await until(lambda: "market list" in rig.feed.status().detail)
                assert exchange.handshakes == 0
                rig.feed.update_markets(table(name))
            await until(lambda: rig.state == "live")


async def test_repeats_are_passed_on() -> None:
    async with Exchange() as exchange, running(FeedRig(exchange.url)) as rig:
        await until(lambda: rig.state == "live")
        text = order()
        await exchange.say(text)
        await exchange.say(text)
        await until(lambda: len(rig.taken) == 2)
        assert rig.taken[0][0].quantity == rig.taken[1][0].quantity
