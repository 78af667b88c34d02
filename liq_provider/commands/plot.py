"""``plot``: a pair in one picture, as a page or as an image."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from liq_provider.commands.support.context import (
    Context,
    context_of,
    pair_of,
    parse_time,
    show_time,
    stored_span,
)
from liq_provider.commands.support.rules_for_commands import rules_in_force, timeframe_word
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.core.durations import DAY_MS
from liq_provider.core.liquidation import minute_of
from liq_provider.errors import UsageError
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.store.known_coins import known_coin
from liq_provider.store.reader import Reader

if TYPE_CHECKING:
    from liq_provider.plot.records import Candles


def plot(arguments: argparse.Namespace) -> int:
    """Draw a span of a pair; its default is the last 24 h that the store tells of."""
    from liq_provider.plot.figure import figure, notes, title
    from liq_provider.plot.figure_file import browser, write_page, write_picture
    from liq_provider.plot.trades import read_trades, trade_database
    from liq_provider.plot.view import pair_view

    context = context_of(arguments)
    pair = pair_of(arguments.pair)
    reader = context.minutes(context.settings.backtest_source)
    in_force = _in_force(arguments, context, reader)
    timeframe = timeframe_word(in_force.timeframe_ms)
    out = _out(arguments.out, context, pair, timeframe)
    if out.suffix == ".png":
        browser()
    from_ms, to_ms = _span(arguments, context, reader, pair)
    candles, without, simulated = candles_of(context, pair, from_ms, to_ms, timeframe)
    database = trade_database(context.config, context.base_dir)
    view = pair_view(
        reader,
        context.settings,
        pair,
        candles,
        in_force.timeframe_ms,
        from_ms,
        to_ms,
        () if database is None else read_trades(database, pair, from_ms, to_ms),
        without,
        simulated_candles=simulated,
        in_force=in_force,
    )
    if not view.known_share:
        raise UsageError(
            f"nothing is known of {pair} between {show_time(from_ms)} and {show_time(to_ms)} UTC: "
            f"no feed was heard; {_stored(reader, context, pair)}"
        )
    write = write_picture if out.suffix == ".png" else write_page
    write(figure(view, arguments.theme), out, title(view), arguments.theme)
    print("\n".join([title(view), *notes(view), f"Written: {out}"]))
    return 0


def _in_force(arguments: argparse.Namespace, context: Context, reader: Reader) -> RulesInForce:
    """Today's whitelist says nothing of what a bot did before."""
    known = rules_in_force(context, reader)
    now = arguments.to_time is None and reader.states(["computed_ms"]).get("computed_ms")
    return known if now else replace(known, whitelist=None)


def candles_of(
    context: Context, pair: str, from_ms: int, to_ms: int, timeframe: str
) -> tuple["Candles", str, bool]:
    """
    Those that Freqtrade downloaded; if they are not all of the span, what the bot's exchange has.

    :return: candles, why they may not be all, and whether they are of a simulated exchange
    """
    from ccxt.base.errors import BaseError

    from liq_provider.exchange.bot_exchange import BotExchange, timeframe_ms
    from liq_provider.plot.records import Candles
    from liq_provider.study.stored_past import load_candles

    step_ms = timeframe_ms(timeframe)
    stored = Candles.of_frame(load_candles(context.config, context.datadir, pair, timeframe))
    stored = stored.between(from_ms // step_ms * step_ms, to_ms)
    if len(stored) >= (to_ms - from_ms) // step_ms:
        return stored, "", False
    remedy = "freqtrade download-data gets them"
    exchange = context.config.get("exchange") or {}
    if not exchange.get("name"):
        return stored, f"no configuration names an exchange, see --config; {remedy}", False
    try:
        asked = BotExchange(exchange["name"], exchange.get("ccxt_config"))
        rows = asked.ohlcv(pair, timeframe, from_ms // step_ms * step_ms)
    except BaseError as error:
        return stored, f"{exchange['name']}: {type(error).__name__}; {remedy}", False
    told = Candles.of_rows([row for row in rows if row[0] < to_ms])
    if len(told) <= len(stored):
        return stored, f"{exchange['name']} has no more; {remedy}", False
    return told, f"{exchange['name']} has no more; {remedy}", asked.simulated


def _out(given: str | None, context: Context, pair: str, timeframe: str) -> Path:
    if given is None:
        name = pair.replace("/", "_").replace(":", "_")
        return context.base_dir / "user_data" / "plot" / f"liqtrend-{name}-{timeframe}.html"
    if Path(given).suffix not in (".html", ".png"):
        raise UsageError(f"--out {given}: must end in .html or .png")
    return Path(given)


def _span(
    arguments: argparse.Namespace, context: Context, reader: Reader, pair: str
) -> tuple[int, int]:
    stored = _stored_span(reader, context, pair)
    to_ms = minute_of(parse_time(arguments.to_time, "--to")) if arguments.to_time else stored[1]
    from_ms = (
        minute_of(parse_time(arguments.from_time, "--from"))
        if arguments.from_time
        else max(stored[0], to_ms - DAY_MS)
    )
    if from_ms >= to_ms:
        raise UsageError(
            f"--from must be before --to: {show_time(from_ms)} is not before {show_time(to_ms)} "
            f"UTC; {_stored(reader, context, pair)}"
        )
    return from_ms, to_ms


def _stored_span(reader: Reader, context: Context, pair: str) -> tuple[int, int]:
    """
    :return: whole minutes of which the store may tell something about a pair
    :raises UsageError: there are none
    """
    source, coin = context.settings.backtest_source, base_asset_of_pair(pair)
    if source != "minutes":
        known_coin(reader, context.settings, pair)
        return reader.bar_span(source, coin) or (0, 0)
    computed_ms = int(reader.states(["computed_ms"]).get("computed_ms") or 0)
    span = reader.minute_span(coin)
    if span is None:
        known_coin(reader, context.settings, pair)
        span = stored_span(reader)
    return minute_of(span[0]), max(minute_of(span[1]), computed_ms)


def _stored(reader: Reader, context: Context, pair: str) -> str:
    span = _stored_span(reader, context, pair)
    return f"the store tells of it from {show_time(span[0])} to {show_time(span[1])}"
