"""The feeds of the enabled venues, each with what is known of it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from liq_provider.config.settings import Settings
from liq_provider.core.coverage import CoverageTracker
from liq_provider.core.doubts import Doubts
from liq_provider.core.markets import Market
from liq_provider.measure.readiness import FeedFacts
from liq_provider.store.readiness_facts import feed_facts
from liq_provider.stream import Feed, SilenceJudge, Sink, TimeLimits
from liq_provider.venues import VENUES

# Of the time between a minute's close and its settling.
_PROVE_SHARE = 0.45


@dataclass(slots=True)
class VenueFeed:
    """
    :param markets: how many the venue lists
    :param markets_error: why its list could not be had
    """

    feed: Feed
    tracker: CoverageTracker
    markets: int = 0
    markets_error: str | None = None

    def covers(self, since_ms: int) -> bool:
        """:return: whether it has been counted as connected without a break"""
        begun_ms = self.tracker.since_ms
        return begun_ms is not None and begun_ms <= since_ms

    def use_markets(self, markets: list[Market]) -> None:
        """Go by this list from now on."""
        self.feed.update_markets(VENUES[self.tracker.venue].table(markets))
        self.markets = len(markets)

    def report(self) -> dict[str, Any]:
        """:return: for the status"""
        status = self.feed.status()
        return {
            "state": status.state,
            "detail": status.detail,
            "url": status.url,
            "since_ms": status.since_ms,
            "connected_ms": status.connected_ms,
            "last_frame_ms": status.last_frame_ms,
            "last_liquidation_ms": status.last_liquidation_ms,
            "proven_ms": status.proven_ms,
            "frames": status.frames,
            "liquidations": status.liquidations,
            "dropped": dict(status.dropped),
            "not_understood": status.not_understood,
            "samples": list(status.samples),
            "venue_errors": status.venue_errors,
            "failures": dict(status.failures),
            "rejected": list(status.rejected),
            "reconnects": status.reconnects,
            "rollovers": status.rollovers,
            "last_error": status.last_error,
            "latency_ms": status.latency_ms,
            "hole": status.hole,
            "connections": [asdict(connection) for connection in status.connections],
            "markets": self.markets,
            "markets_error": self.markets_error,
        }


def feeds_of(
    settings: Settings, now_ms: Callable[[], int], sink: Sink, doubts: Doubts
) -> dict[str, VenueFeed]:
    """
    :param now_ms: exchange time
    :param sink: takes what they hear; must not block
    :param doubts: what may have been missed
    :return: by venue; none of them runs yet
    """
    silence = SilenceJudge()
    limits = TimeLimits(prove_wait_s=_PROVE_SHARE * settings.settle_s)
    feeds = {}
    for name in settings.venues.enabled:
        venue = VENUES[name]
        tracker = CoverageTracker(name, settings.settle_ms)
        table = venue.table()
        url = settings.venues.of(name).url or venue.endpoints[0].url
        feed = Feed(venue, url, table, now_ms, sink, tracker, doubts, silence, limits)
        feeds[name] = VenueFeed(feed, tracker, len(table))
    return feeds


def feeds_told(venues: Mapping[str, VenueFeed]) -> dict[str, FeedFacts]:
    """:return: what readiness asks of the feeds of this moment"""
    return {name: feed_facts(venue.report()) for name, venue in venues.items()}
