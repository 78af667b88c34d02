"""
One line of a venue's feed: keeps a connection to one address alive and says honestly what it saw.

Coverage begins when all subscriptions are acknowledged, grows with every answered ping and
ends with the connection. After a silence that was implausible it begins again only with a
first live liquidation, because a dead address acknowledges and never speaks.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from liq_provider.core.doubts import ANY_COIN, Doubts
from liq_provider.core.markets import MarketTable
from liq_provider.errors import FeedError
from liq_provider.stream.connection import Connection, Handlers
from liq_provider.stream.feed_status import FeedRecord, FeedState, LineStatus
from liq_provider.stream.handshake import Refusal, describe
from liq_provider.stream.intake import Intake
from liq_provider.stream.joint_coverage import LineCoverage
from liq_provider.stream.retry import Retry
from liq_provider.stream.silence import SilenceJudge
from liq_provider.stream.subscriptions import WantedMarkets
from liq_provider.stream.time_limits import TimeLimits
from liq_provider.venues.base import Endpoint, Parsed, Venue

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LineContext:
    """
    What all lines of a venue share.

    :param clock_ms: exchange-corrected time
    :param doubts: what may have been missed, of all venues
    :param silence: shared by all feeds
    :param record: where the venue's feed is counted
    :param changed: called after a line entered another state
    :param rng: source of the jitter between attempts
    """

    venue: Venue
    clock_ms: Callable[[], int]
    doubts: Doubts
    silence: SilenceJudge
    limits: TimeLimits
    record: FeedRecord
    intake: Intake
    changed: Callable[[], None]
    rng: random.Random


class Line:
    """
    :param name: the venue's, and what tells its lines apart if there are several
    :param url: of the endpoint, or another address that serves the same
    :param markets: what it is about
    :param coverage: what it heard; if that does not count yet, a line that is added later
    """

    def __init__(
        self,
        context: LineContext,
        name: str,
        endpoint: Endpoint,
        url: str,
        markets: MarketTable,
        coverage: LineCoverage,
    ) -> None:
        self.name = name
        self.coverage = coverage
        self.state: FeedState = "down"
        self.detail = "not started"
        self._context = context
        self._venue = context.venue
        self._endpoint = endpoint
        self._url = url
        self._markets = WantedMarkets(markets)
        self._clock_ms = context.clock_ms
        self._state_since_ms = self._clock_ms()
        self._asked_ms = self._state_since_ms
        self._handlers = Handlers(self._on_frame, self._on_proof, self._on_unheard)
        self._current: Connection | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._on_trial = False
        self._lived = False
        self._retry = Retry(context.record, name, context.limits.retry, context.rng)
        self._next_rollover_s = 0.0

    # ---- what the feed uses

    async def run(self) -> None:
        """Stay connected until cancelled."""
        try:
            while True:
                try:
                    wait_s = await self._live_once()
                except Exception as error:
                    self._context.intake.fault("feed", error)
                    wait_s = self._failed(describe(error))
                await asyncio.sleep(wait_s)
        finally:
            self._leave()
            self._enter("down", "stopped")
            await asyncio.gather(*self._closing, return_exceptions=True)

    async def prove(self) -> None:
        """Ping now, so that the minute that just closed is proven before it is settled."""
        if self._current is not None:
            await self._current.prove(self._context.limits.prove_wait_s)

    @property
    def market_ids(self) -> set[str]:
        """Names of the markets that it is about."""
        return {market.market_id for market in self._markets.table}

    def update_markets(self, markets: MarketTable) -> None:
        """Take a newer market list; new markets are subscribed to on the live connection."""
        self._markets.update(markets)
        if self._current is not None:
            self._current.subscribe(self._markets.allowed())

    def unheard(self) -> set[str]:
        """
        :return: coins with a market that the venue does not let us subscribe to, or did not
            say yet that it does
        """
        if not self.coverage.counts:
            return {market.base_asset for market in self._markets.table}
        markets = [self._markets.table.get(name) for name in self._markets.rejected]
        refused = {market.base_asset for market in markets if market is not None}
        return refused.union(() if self._current is None else self._current.unheard)

    @property
    def rejected(self) -> tuple[str, ...]:
        """Market ids that the venue refused, sorted."""
        return self._markets.rejected

    @property
    def connected_ms(self) -> int | None:
        """Start of the unbroken connection, None while there is none."""
        return self._current.since_ms if self._current else None

    def status(self) -> LineStatus:
        """:return: a snapshot for the status page"""
        return LineStatus(
            self._url, self.state, self.detail, self._state_since_ms, self.connected_ms
        )

    # ---- one connection after the other

    async def _live_once(self) -> float:
        """:return: seconds to wait before the next attempt"""
        if not self._retry.complaining:
            self._enter("connecting", "connecting")
        try:
            connection = await self._open()
        except Refusal as refusal:
            return self._refused(refusal)
        except FeedError as error:
            return self._failed(str(error))
        self._go_live(connection)
        try:
            reason = await self._watch()
        finally:
            lived = (
                self._current is not None and self._current.age_s >= self._context.limits.lived_s
            )
            self._leave()
        if lived:
            self._retry.forget()
        return self._failed(reason)

    async def _open(self) -> Connection:
        connection = Connection(
            self._venue,
            self._endpoint,
            self._url,
            self._markets.allowed(),
            self._context.limits,
            self._clock_ms,
            self._handlers,
        )
        try:
            await connection.open()
        except BaseException:
            self._discard(connection)
            raise
        return connection

    def _go_live(self, connection: Connection) -> None:
        self._current = connection
        if self._lived:
            self._context.record.reconnects += 1
        self._lived = True
        self._next_rollover_s = self._venue.max_age_s - self._context.limits.rollover_margin_s
        self._context.silence.connected(
            self.name, self._clock_ms(), self._venue.quiet_alone_s, self._venue.quiet_beside_s
        )
        # The list may have grown while the connection was opened.
        connection.subscribe(self._markets.allowed())
        if self._on_trial:
            self._enter("silent", "reconnected; not believed before a first liquidation")
        else:
            self._believe(connection.since_ms)

    def _believe(self, from_ms: int) -> None:
        self._retry.believed()
        self._on_trial = False
        if not self.coverage.counts:
            self._note(
                {market.base_asset for market in self._markets.table}, self._asked_ms, from_ms
            )
        self.coverage.begin(from_ms)
        self._enter("live", "connected and subscribed")
        logger.info("%s: feed is live", self.name)

    def _leave(self) -> None:
        """The current connection, if any, is over."""
        self.coverage.lose()
        self._context.silence.lost(self.name)
        if self._current is not None:
            self._discard(self._current)
            self._current = None

    def _discard(self, connection: Connection) -> None:
        # A dead peer takes its time to be closed; nobody waits for it.
        task = asyncio.create_task(connection.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    # ---- while it lives

    async def _watch(self) -> str:
        """:return: why the connection is over"""
        while True:
            connection = self._current
            assert connection is not None
            await asyncio.wait({connection.ended}, timeout=self._context.limits.check_s)
            if connection.ended.done():
                return connection.ended.result()
            if self._context.silence.silent(self.name, self._clock_ms()):
                self._on_trial = True
                self._disbelieve()
                return "connected but silent: no liquidations while there should be some"
            if self._venue.max_age_s and connection.age_s >= self._next_rollover_s:
                await self._roll_over(connection)

    async def _roll_over(self, old: Connection) -> None:
        """Open, subscribe and prove a new connection before the old one is given up."""
        try:
            new = await self._open_proven()
        except FeedError as error:
            self._next_rollover_s = old.age_s + self._context.limits.rollover_retry_s
            self._context.record.last_error = f"rollover: {error}"
            logger.warning("%s: rollover failed (%s), trying again", self.name, error)
            return
        try:
            # Covers the time until the new one was subscribed.
            await old.ping()
        except BaseException:
            self._discard(new)
            raise
        if old.ended.done():
            self._leave()
            self._go_live(new)
            return
        new.since_ms = old.since_ms
        self._current = new
        self._context.record.rollovers += 1
        self._next_rollover_s = self._venue.max_age_s - self._context.limits.rollover_margin_s
        new.subscribe(self._markets.allowed())
        self._discard(old)
        logger.info("%s: connection replaced before its age limit", self.name)

    async def _open_proven(self) -> Connection:
        connection = await self._open()
        try:
            await connection.ping()
            if connection.ended.done():
                raise FeedError(connection.ended.result())
        except BaseException:
            self._discard(connection)
            raise
        return connection

    def _on_frame(self, connection: Connection, frame: bytes) -> Parsed:
        now_ms = self._clock_ms()
        said = self._context.intake.read(connection.session, frame, self._markets.table, now_ms)
        if said.life:
            self._heard(connection, now_ms, 0)
        if said.liquidations:
            since_ms = self._since_ms(connection)
            if said.past:
                since_ms = max(since_ms, max(order.event_ms for order in said.liquidations) + 1)
            live = sum(1 for order in said.liquidations if order.event_ms >= since_ms)
            if live:
                self._heard(connection, now_ms, live)
            self._context.intake.deliver(said.liquidations, since_ms, now_ms)
        if said.rejected and self._markets.reject(said.rejected):
            # It works without them, so the next attempt is a new beginning.
            self._retry.forget()
            connection.subscribe_again(self._markets.allowed(), str(said.error))
        elif said.rejected:
            # Left out already: this is an answer to something else than was thought.
            connection.end(f"subscription refused again: {said.error}")
        return said

    def _since_ms(self, connection: Connection) -> int:
        """While a connection is replaced, both belong to one unbroken time."""
        if self._current is not None and not self._current.ended.done():
            return self._current.since_ms
        return connection.since_ms

    def _heard(self, connection: Connection, now_ms: int, count: int) -> None:
        self._context.silence.heard(self.name, now_ms, count)
        if self._on_trial:
            self._on_trial = False
            if connection is self._current:
                self._believe(now_ms)

    def _on_proof(self, connection: Connection, sent_ms: int, latency_ms: float) -> None:
        if connection is self._current:
            self._context.record.latency_ms = latency_ms
            self.coverage.prove(sent_ms, self._clock_ms())

    def _on_unheard(self, asked_ms: Mapping[str, int]) -> None:
        now_ms = self._clock_ms()
        for base_asset, since_ms in asked_ms.items():
            self._note((base_asset,), since_ms, now_ms + 1)

    # ---- when it does not

    def _refused(self, refusal: Refusal) -> float:
        wait_s = self._retry.refused_s(refusal)
        self._enter("refused", f"{refusal}; next attempt in {wait_s:.0f} s")
        return wait_s

    def _failed(self, reason: str) -> float:
        self._enter("silent" if self._on_trial else "down", reason)
        return self._retry.failed_s(reason)

    def _disbelieve(self) -> None:
        """What was taken for quiet was silence, since the last liquidation at least."""
        since_ms = self._context.silence.quiet_since_ms(self.name)
        if since_ms is not None:
            self._note((ANY_COIN,), since_ms, self._clock_ms())

    def _note(self, base_assets: Iterable[str], from_ms: int, to_ms: int) -> None:
        for base_asset in base_assets:
            self._context.doubts.add(self._venue.name, base_asset, from_ms, to_ms)

    def _enter(self, state: FeedState, detail: str) -> None:
        if state != self.state:
            self._state_since_ms = self._clock_ms()
        self.state, self.detail = state, detail
        self._context.changed()
