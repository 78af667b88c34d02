"""``status``: whether an entry is possible, and what the sidecar is doing."""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

from liq_provider.commands.support.bots_there import bots_there
from liq_provider.commands.support.candles_in_time import of_bots
from liq_provider.commands.support.context import Context, context_of
from liq_provider.commands.support.entry_possible import alive, readiness_now, traded_coins
from liq_provider.core.clock import machine_ms
from liq_provider.core.durations import DAY_MS
from liq_provider.errors import StoreError
from liq_provider.exchange.candle_sum import Level
from liq_provider.sidecar.sidecar_lock import SidecarLock
from liq_provider.store.simulated_spans import mark_of
from liq_provider.store.spool import waiting_in, waiting_words


def status(arguments: argparse.Namespace) -> int:
    """Exit status 0 only if an entry is possible now, 1 if not."""
    context = context_of(arguments)
    try:
        report = collect(context, machine_ms())
    except StoreError as error:
        raise type(error)(f"{error}{_meanwhile(context)}") from error
    if arguments.json:
        print(json.dumps(report))
    else:
        # Whoever asks for JSON does not wait for what draws tables.
        from liq_provider.commands.support.status_words import say

        say(report)
    return 0 if report["problem"] is None else 1


def _meanwhile(context: Context) -> str:
    """What the store cannot tell: whether somebody records without it."""
    running, waiting = SidecarLock(context.files).running(), waiting_in(context.files.spool)
    said = ". A sidecar is running; " if running else ". No sidecar is running; "
    return said + waiting_words(context.files.spool, waiting) if running or waiting else ""


def collect(context: Context, now_ms: int) -> dict[str, Any]:
    """:return: the whole status as JSON values"""
    reader, settings = context.reader(), context.settings
    states = reader.states(["sidecar", "watermark_ms", "computed_ms"])
    sidecar = states.get("sidecar") or {}
    computed_ms = int(states.get("computed_ms") or 0)
    running = SidecarLock(context.files).running() or _elsewhere(context.store_url, sidecar, now_ms)
    report = readiness_now(reader, settings, now_ms, running, traded_coins(context.config))
    waves = reader.waves(now_ms - DAY_MS, limit=1)
    scored_by = sidecar.get("settings", {}).get("zscore", settings.zscore)
    candles = of_bots(bots_there(context, reader))
    shares = reader.known_shares(settings.venues.enabled, now_ms - DAY_MS, now_ms)
    return {
        "simulated": mark_of(reader, settings.venues.enabled),
        "store": str(context.files.prefix),
        "running": running,
        "answers": running and alive(sidecar, now_ms),
        "spool": {"path": str(context.files.spool), "waiting": waiting_in(context.files.spool)},
        "problem": _late(candles) if report.whole.ready else report.whole.words(now_ms),
        "readiness": report.as_json(),
        "now_ms": now_ms,
        "computed_ms": computed_ms,
        "sidecar": sidecar,
        "coverage_24h": {venue: round(share, 4) for venue, share in shares.items()},
        "totals_24h": {
            venue: {"count": count, "usd": round(usd, 2)}
            for venue, (count, usd) in reader.venue_totals(now_ms - DAY_MS).items()
        },
        "coins": report.counts(),
        "candles": candles,
        "last_wave": waves[0] | {"zscore": scored_by} if waves else None,
    }


def _late(candles: Sequence[tuple[str, Level, str, str]]) -> str | None:
    """What keeps each of the bots from an entry, whatever the sidecar has; None if nothing does."""
    if not candles or any(level != "error" for _, level, _, _ in candles):
        return None
    return f"candles come too late: {candles[0][2]}"


def _elsewhere(store_url: str, sidecar: Mapping[str, Any], now_ms: int) -> bool:
    """A store that is no file may be served by another machine; what it tells is all there is."""
    return not store_url.startswith("sqlite") and alive(sidecar, now_ms)
