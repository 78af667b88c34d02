"""``features``: a pair's features by minute, as CSV or JSON lines."""

import argparse
import csv
import json
import math
import sys
from typing import Any

from liq_provider.commands.support.context import (
    context_of,
    parse_time,
    show_time,
    stored_span,
    tell_mark,
)
from liq_provider.config.measuring import thresholds_of
from liq_provider.config.simulated_marks import within
from liq_provider.core.durations import DAY_MS, MINUTE_MS
from liq_provider.core.liquidation import minute_of
from liq_provider.errors import UsageError
from liq_provider.measure.feature_rows import State
from liq_provider.measure.scales import EVERY_SCORE
from liq_provider.measure.waves import Strength, Waves, direction_word, waves_of
from liq_provider.store.known_coins import known_coin
from liq_provider.store.minute_features import history
from liq_provider.store.reader import Reader
from liq_provider.store.simulated_spans import simulated_spans


def features(arguments: argparse.Namespace) -> int:
    """Print every minute of the span; its default is what the store holds of the last 24 h."""
    context = context_of(arguments)
    settings = context.settings
    reader, bars = context.minutes(settings.backtest_source), settings.backtest_source != "minutes"
    span = None if bars else stored_span(reader)
    base_asset = known_coin(reader, settings, arguments.pair)
    if bars:
        span = reader.bar_span(settings.backtest_source, base_asset)
    first_ms, last_ms = span or (0, 0)
    newest_ms = last_ms if bars else _newest(reader, last_ms)
    to_ms = minute_of(parse_time(arguments.to_time, "--to") if arguments.to_time else newest_ms)
    from_ms = minute_of(
        parse_time(arguments.from_time, "--from")
        if arguments.from_time
        else max(first_ms + MINUTE_MS, to_ms - DAY_MS)
    )
    if from_ms > to_ms:
        raise UsageError("--from must be before --to")
    # Of bars every one is shown that fills a segment, whatever the candles are.
    computed = history(reader, base_asset, settings, settings.segment_min, from_ms, to_ms)
    rows = computed.rows(EVERY_SCORE)
    thresholds = thresholds_of(settings)
    waves = waves_of(rows, thresholds, settings.segment_min)
    dense = computed.features
    # A vendor's bars come from an exchange whatever else is stored.
    spans = {} if bars else simulated_spans(reader)
    if not bars:
        tell_mark(reader, settings, from_ms - settings.segment_min * MINUTE_MS, to_ms)
    known = rows.state != State.UNCOVERED
    lines = (
        {
            "close": show_time(int(rows.close_ms[i])),
            "state": State(int(rows.state[i])).name.lower(),
            "venues": "+".join(dense.venues_at(row)),
            "long_usd": _known(known[i], round(float(rows.long_usd[i]), 2)),
            "short_usd": _known(known[i], round(float(rows.short_usd[i]), 2)),
            "count": _known(known[i] and dense.has_counts, int(rows.count[i])),
            "z": _number(rows.z[i]),
            "robust_z": _number(rows.robust_z[i]),
            "percentile": _number(rows.percentile[i]),
            "purity": _known(known[i], round(float(dense.purity[row]), 6)),
            "baseline": int(rows.baseline_n[i]),
            "active": int(rows.active_n[i]),
            "strength": Strength(int(waves.strength[i])).word,
            "direction": direction_word(int(waves.sign[i])) if waves.strength[i] else "",
            "wave": show_time(int(waves.start_ms[i])) if waves.start_ms[i] else "",
            "seen": _seen(waves, i),
            "simulated": "+".join(
                name
                for name in within(spans, *_segment(int(rows.close_ms[i]), settings.segment_min))
                if name in dense.venues_at(row)
            ),
        }
        for i, row in enumerate(computed.wanted)
    )
    _print(lines, arguments.format)
    return 0


def _segment(close_ms: int, segment_min: int) -> tuple[int, int]:
    return close_ms - segment_min * MINUTE_MS, close_ms - 1


def _newest(reader: Reader, last_ms: int) -> int:
    """What a running sidecar has not settled yet is not known, which is no news."""
    settled_ms = int(reader.states(["computed_ms"]).get("computed_ms") or 0)
    end_ms = last_ms + MINUTE_MS
    return settled_ms if end_ms - settled_ms <= 2 * MINUTE_MS else end_ms


def _seen(waves: Waves, row: int) -> str:
    if not waves.start_ms[row]:
        return ""
    return "yes" if waves.seen[row] else "no"


def _known(known: bool, value: float) -> float | None:
    """Without coverage a number is unknown, not zero."""
    return value if known else None


def _number(value: Any) -> float | None:
    return None if math.isnan(value) else round(float(value), 6)


def _print(lines: Any, kind: str) -> None:
    writer = None
    for line in lines:
        if kind == "json":
            print(json.dumps(line))
            continue
        if writer is None:
            writer = csv.DictWriter(sys.stdout, line.keys(), lineterminator="\n")
            writer.writeheader()
        writer.writerow(line)
