"""What the sidecar tells about itself."""

from typing import Any

from liq_provider.sidecar.ingest import Ingest
from liq_provider.sidecar.minute_loop import VenueFeed


def venue_report(venue: VenueFeed) -> dict[str, Any]:
    """:return: a feed's status as plain JSON values"""
    status = venue.feed.status()
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
        "markets": venue.markets,
        "markets_error": venue.markets_error,
    }


def ingest_report(ingest: Ingest) -> dict[str, Any]:
    """:return: what became of the liquidations that were received"""
    stats = ingest.stats
    return {
        "stored": stats.stored,
        "duplicates": stats.duplicates,
        "booked": dict(stats.booked),
        "in_memory": ingest.in_memory,
        "spooled": stats.spooled,
        "lost": stats.lost,
        "set_aside": stats.set_aside,
        "store_error": stats.error,
        "spool_error": stats.spool_error,
        "store_replaced": stats.replaced,
    }
