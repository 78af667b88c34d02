"""
``study``: does price run on or revert after a wave, for what is stored here, and did the AI help?
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from liq_provider.commands.support.context import Context, context_of
from liq_provider.core.clock import machine_ms
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.errors import UsageError
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.simulated_spans import mark_of
from liq_provider.study import holdout
from liq_provider.study.event_study import Options, run_study
from liq_provider.study.findings import minute_text
from liq_provider.study.judges import run_judges
from liq_provider.study.pair_past import PairPast
from liq_provider.study.recorded_verdicts import recorded
from liq_provider.study.report import Part, StudyReport
from liq_provider.study.study_folder import study_dir

_NAMED = 5

# What decides which waves there are and who enters them, and so belongs into every report.
_SETTINGS = {
    *("backtest_source", "venues", "segment_min", "baseline_hours", "min_baseline_segments"),
    *("min_active_segments", "min_count", "min_segment_usd", "min_event_usd", "zscore"),
    *("z_threshold", "z_strong", "purity_threshold", "purity_strong", "trend_candles", "trend_k"),
    *("direction_mode", "min_confidence", "max_entry_delay_s"),
}


def study(arguments: argparse.Namespace) -> int:
    """Writes a page and a JSON file, and prints their first sentences."""
    if arguments.trials < 1 or min(arguments.fee, arguments.slippage) < 0:
        raise UsageError("--trials must be at least 1, --fee and --slippage must not be negative")
    options = Options(arguments.fee, arguments.slippage, arguments.trials, arguments.seed)
    context = context_of(arguments)
    reader = context.minutes(context.settings.backtest_source)
    every = _pairs(context, reader, arguments)
    # Without any that is known, the report says so of all.
    pairs = [past for past in every if len(past.known_ms)] or every
    kept = {past.pair for past in pairs}
    report = _report(context, reader, pairs, options, open_holdout=arguments.open_holdout)
    unknown = tuple(past.pair for past in every if past.pair not in kept)
    report = replace(report, unknown=unknown)
    out = Path(arguments.out) if arguments.out else study_dir(context.store_url, context.base_dir)
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S", time.gmtime(report.made_ms / 1000))
    page, figures = report.write(out, f"study_{stamp}")
    print("\n".join(report.lines()))
    print(f"\nReport: {page}\nData:   {figures}")
    return 0


def _report(
    context: Context,
    reader: Reader,
    pairs: list[PairPast],
    options: Options,
    *,
    open_holdout: bool,
) -> StudyReport:
    from_ms = min(int(past.close_ms[0]) for past in pairs)
    to_ms = max(int(past.close_ms[-1]) for past in pairs) + 1
    cut_ms = holdout.split(from_ms, to_ms)
    now_ms = machine_ms()
    opening = holdout.HoldOutLook(cut_ms, to_ms, now_ms)
    part = _part(context, reader, pairs, (from_ms, cut_ms), options)
    kept: Part | None = None
    if open_holdout and cut_ms < to_ms:
        kept = _part(context, reader, pairs, (cut_ms, to_ms), options)
    before = _remember(context, pairs, from_ms, opening, opened=kept is not None)
    note = _note(opening, before, opened=open_holdout)
    if cut_ms == to_ms:
        note = "No hold-out: the recording is too short to keep days apart."
    return StudyReport(
        part,
        kept,
        note,
        options,
        _settings(context),
        now_ms,
        _mark(context, reader, from_ms, to_ms),
    )


def _remember(
    context: Context,
    pairs: list[PairPast],
    from_ms: int,
    opening: holdout.HoldOutLook,
    *,
    opened: bool,
) -> list[holdout.HoldOutLook]:
    """:return: when the hold-out, or some of it, was looked at before"""
    coins = [base_asset_of_pair(past.pair) for past in pairs]
    source, settings = context.settings.backtest_source, _settings(context)
    first = holdout.HoldOutLook(from_ms, opening.start_ms, opening.opened_ms)
    engine = open_engine(context.store_url)
    try:
        before = holdout.openings(engine, coins, source, opening.start_ms, opening.end_ms)
        for look in [first, opening] if opened else [first]:
            holdout.record(engine, holdout.looked_at(pairs, look), source, settings)
    finally:
        engine.dispose()
    return before


def _mark(context: Context, reader: Reader, from_ms: int, to_ms: int) -> str | None:
    """A vendor's bars come from an exchange whatever else is stored."""
    settings = context.settings
    if settings.backtest_source != "minutes":
        return None
    return mark_of(reader, settings.venues.enabled, from_ms - settings.baseline_ms, to_ms)


def _note(opening: holdout.HoldOutLook, before: list[holdout.HoldOutLook], *, opened: bool) -> str:
    span = f"{minute_text(opening.start_ms)} to {minute_text(opening.end_ms)} UTC"
    if before:
        start_ms = max(opening.start_ms, min(one.start_ms for one in before))
        end_ms = min(opening.end_ms, max(one.end_ms for one in before))
        seen = f"{minute_text(start_ms)} to {minute_text(end_ms)}"
        return (
            f"The last part ({span}) was first looked at on {minute_text(before[0].opened_ms)} UTC "
            f"(of it {seen}) and is no longer a hold-out: what it shows may have been tuned to."
        )
    if opened:
        return f"Hold-out ({span}): opened now, for the first time. It can be used only once."
    return (
        f"Hold-out: {span} was not looked at by a study that this store remembers; backtests and "
        "plots are not remembered. Decide first what to trade, then open it once with "
        "--open-holdout."
    )


def _part(
    context: Context,
    reader: Reader,
    pairs: list[PairPast],
    span: tuple[int, int],
    options: Options,
) -> Part:
    """
    :param span: closes of its candles, the end not included
    """
    cut = [past.between(*span) for past in pairs]
    parts = [part for part in cut if len(part.open_ms)]
    coins = [base_asset_of_pair(part.pair) for part in parts]
    # The last candle, too, may know what came up to max_entry_delay_s after its close. The bot
    # refuses a delay of a candle or more, so nothing of a hold-out is among it.
    last_ms = max(int(part.close_ms[-1]) for part in parts) + context.settings.max_entry_delay_ms
    said = recorded(reader, coins, span[0], last_ms)
    return Part(
        run_study(parts, context.settings, options),
        run_judges(parts, said, context.settings, options),
    )


def _settings(context: Context) -> dict[str, Any]:
    chosen = context.settings.model_dump(mode="json", include=_SETTINGS)
    return chosen | {
        "timeframe": context.timeframe,
        "venues": list(context.settings.venues.enabled),
    }


def _pairs(context: Context, reader: Reader, arguments: argparse.Namespace) -> list[PairPast]:
    from liq_provider.exchange.bot_exchange import timeframe_ms as length_of
    from liq_provider.history.candle_files import read_candles
    from liq_provider.study.stored_past import (
        load_candles,
        pair_data,
        stored_pairs,
        stored_span,
        without_prices,
    )

    source = context.settings.backtest_source
    span = stored_span(reader, source)
    names = arguments.pair or context.config.get("exchange", {}).get("pair_whitelist")
    names = names or stored_pairs(reader, source)
    if arguments.candles and len(names) != 1:
        raise UsageError("--candles holds the candles of one pair; say which with --pair")
    timeframe_ms = length_of(context.timeframe)
    pasts: list[PairPast] = []
    bare: list[str] = []
    for pair in names:
        candles = (
            read_candles(Path(arguments.candles), timeframe_ms)
            if arguments.candles
            else load_candles(context.config, context.datadir, pair, context.timeframe)
        )
        if candles is None:
            bare.append(pair)
            candles = without_prices(span, timeframe_ms)
        known = pair_data(reader, context.settings, pair, candles, timeframe_ms, span)
        if known is None:
            print(f"{pair}: its candles and what is stored do not overlap; left out")
        else:
            pasts.append(known)
    if bare:
        print(
            f"No {context.timeframe} candles of {_some(bare)} in {context.datadir}: waves are "
            "counted, returns are unknown. Get them with `freqtrade download-data` or "
            "`liq-provider candles`.\n"
        )
    if not pasts:
        raise UsageError(
            f"no candles within what is stored ({minute_text(span[0])} to {minute_text(span[1])} "
            "UTC): get them with `freqtrade download-data`"
        )
    return pasts


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
