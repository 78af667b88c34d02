"""
One venue's feed: a line for each of its addresses, and more where a connection takes only so many
markets. What all of them heard is known; what one of them may have missed is not.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

from liq_provider.config.address import check_url
from liq_provider.core.coverage import CoverageTracker
from liq_provider.core.doubts import Doubts
from liq_provider.core.markets import Market, MarketTable
from liq_provider.stream.feed_status import FeedRecord, FeedState, FeedStatus, joint_state
from liq_provider.stream.intake import Intake, Sink
from liq_provider.stream.joint_coverage import JointCoverage
from liq_provider.stream.line import Line, LineContext
from liq_provider.stream.silence import SilenceJudge
from liq_provider.stream.subscriptions import needs_list, spread
from liq_provider.stream.time_limits import TimeLimits
from liq_provider.venues.base import Endpoint, Venue

# From asking for a market to hearing it.
_SUBSCRIBING_MS = 5_000


class Feed:
    """
    :param url: of the venue's first endpoint, or another's; see ``Venue.urls`` and ``check_url``
    :param clock_ms: exchange-corrected time
    :param sink: takes liquidations and the start of the unbroken connection they came by,
        in milliseconds; must not block. Orders older than that are a snapshot of the past
    :param coverage: this venue's
    :param doubts: what may have been missed, of all venues
    :param silence: shared by all feeds
    :raises SettingsError: if the address must not be used
    """

    def __init__(
        self,
        venue: Venue,
        url: str,
        markets: MarketTable,
        clock_ms: Callable[[], int],
        sink: Sink,
        coverage: CoverageTracker,
        doubts: Doubts,
        silence: SilenceJudge,
        limits: TimeLimits | None = None,
    ) -> None:
        self._urls = venue.urls(url)
        for address in self._urls:
            check_url(address, venue=venue.name)
        self._venue = venue
        self._markets = markets
        self._known = asyncio.Event()
        self._coverage = coverage
        self._joint = JointCoverage(coverage)
        self._record = FeedRecord(venue.name, url, clock_ms())
        self._context = LineContext(
            venue,
            clock_ms,
            doubts,
            silence,
            limits or TimeLimits(),
            self._record,
            Intake(sink, self._record, doubts, clock_ms),
            self._tell,
            random.Random(),  # noqa: S311
        )
        self._lines: list[list[Line]] = [[] for _ in venue.endpoints]
        self._named: Counter[str] = Counter()
        self._running: dict[Line, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._use(markets)

    async def run(self) -> None:
        """Keep the feed connected until cancelled."""
        try:
            if not self._known.is_set():
                self._enter("down", "waiting for the market list")
                await self._known.wait()
            async with asyncio.TaskGroup() as self._group:
                for line in self._all():
                    self._start(line)
                await asyncio.Event().wait()
        finally:
            self._group = None
            self._enter("down", "stopped")

    async def prove(self) -> bool:
        """
        Ping now, so that the minute that just closed is proven before it is settled.

        :return: whether everything up to now has surely arrived
        """
        asked_ms = self._context.clock_ms()
        await asyncio.gather(*(line.prove() for line in self._all()))
        return self._coverage.covering and self._coverage.proven_ms >= asked_ms

    def update_markets(self, markets: MarketTable) -> None:
        """Take a newer market list; new markets are subscribed to on the live connections."""
        # Lines may know more, of which a venue's symbols alone tell.
        known = {market.market_id for market in self._markets}.union(
            *(line.market_ids for line in self._all())
        )
        new = {market.base_asset for market in markets if market.market_id not in known}
        if known:
            now_ms = self._context.clock_ms()
            for base_asset in new:
                self._context.doubts.add(
                    self._venue.name, base_asset, now_ms, now_ms + _SUBSCRIBING_MS
                )
        self._use(markets)

    def unheard(self) -> set[str]:
        """
        :return: coins with a market that the venue does not let us subscribe to, or did not
            say yet that it does
        """
        return set().union(*(line.unheard() for line in self._all()))

    def status(self) -> FeedStatus:
        """:return: a snapshot for the status page"""
        lines = self._all()
        rejected = tuple(sorted(name for line in lines for name in line.rejected))
        told = tuple(line.status() for line in lines)
        return self._record.snapshot(self._coverage.proven_ms, rejected, told)

    def _all(self) -> list[Line]:
        return [line for lines in self._lines for line in lines]

    # ---- which lines there are

    def _use(self, markets: MarketTable) -> None:
        if not len(markets) and (needs_list(self._venue) or self._known.is_set()):
            return
        self._markets = markets
        for place, endpoint in enumerate(self._venue.endpoints):
            served = [market for market in markets if endpoint.serves(market)]
            self._share_out(place, endpoint, served)
        self._known.set()
        self._tell()

    def _share_out(self, place: int, endpoint: Endpoint, served: list[Market]) -> None:
        lines = self._lines[place]
        shares = [served]
        if endpoint.by_market:
            shares = spread(served, [line.market_ids for line in lines], endpoint.most_markets)
        for number, share in enumerate(shares):
            table = self._markets.only(share)
            if number < len(lines):
                lines[number].update_markets(table)
            else:
                url, coverage = self._urls[place], self._joint.share()
                line = Line(self._context, self._name(url), endpoint, url, table, coverage)
                lines.append(line)
                self._start(line)
        if endpoint.by_market:
            for line in [line for line in lines if not line.market_ids]:
                lines.remove(line)
                self._stop(line)

    def _name(self, url: str) -> str:
        """The venue's; what tells an address or a connection apart follows after a blank."""
        parts = urlsplit(url)
        place = f"{parts.netloc}{parts.path}" if len(self._urls) > 1 else ""
        self._named[place] += 1
        number = f"#{self._named[place]}" if self._named[place] > 1 else ""
        return f"{self._venue.name} {place}{number}".strip()

    def _start(self, line: Line) -> None:
        if self._group is not None:
            self._running[line] = self._group.create_task(line.run())

    def _stop(self, line: Line) -> None:
        self._joint.drop(line.coverage, self._context.clock_ms())
        if line in self._running:
            self._running.pop(line).cancel()

    # ---- what is told of them

    def _tell(self) -> None:
        """A line entered another state."""
        lines = [line for line in self._all() if line.coverage.counts]
        if not lines:
            self._enter("down", "lists no market that is streamed")
            return
        states = {line.name.partition(" ")[2] or "#1": (line.state, line.detail) for line in lines}
        self._enter(*joint_state(states))
        since_ms = [line.connected_ms for line in lines]
        told = [ms for ms in since_ms if ms is not None]
        self._record.connected_ms = max(told) if len(told) == len(since_ms) else None

    def _enter(self, state: FeedState, detail: str) -> None:
        self._record.enter(state, detail, self._context.clock_ms())
