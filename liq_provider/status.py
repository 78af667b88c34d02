"""What the sidecar tells about itself, and how it reads in a terminal."""

from typing import Any

from liq_provider.stream import FeedStatus


def feed_report(status: FeedStatus) -> dict[str, Any]:
    """:return: a feed's status as plain JSON values"""
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
    }
