"""``plot``: a pair in one picture, as a page or as an image."""

import argparse
from pathlib import Path

from liq_provider.commands.common import Context, coin_of, context, pair_of, parse_time, show_time
from liq_provider.errors import UsageError
from liq_provider.liquidation import base_asset_of_pair, minute_of
from liq_provider.store.reader import Reader

_DAY_MS = 86_400_000


def plot(arguments: argparse.Namespace) -> int:
    """Draw a span of a pair; its default is the last 24 h that the store tells of."""
    from liq_provider.enrich.exchange import timeframe_ms
    from liq_provider.plot.figure import figure, notes, title
    from liq_provider.plot.page import browser, write_page, write_picture
    from liq_provider.plot.records import Candles
    from liq_provider.plot.trades import read_trades, trade_database
    from liq_provider.plot.view import pair_view
    from liq_provider.study.past import load_candles

    found = context(arguments)
    pair = pair_of(arguments.pair)
    out = _out(arguments.out, found, pair)
    if out.suffix == ".png":
        browser()
    reader = found.minutes(found.settings.backtest_source)
    from_ms, to_ms = _span(arguments, found, reader, pair)
    frame = load_candles(found.config, found.datadir, pair, found.timeframe)
    database = trade_database(found.config, found.base_dir)
    view = pair_view(
        reader,
        found.settings,
        pair,
        Candles.of_frame(frame),
        timeframe_ms(found.timeframe),
        from_ms,
        to_ms,
        () if database is None else read_trades(database, pair, from_ms, to_ms),
    )
    if not view.known_share:
        raise UsageError(
            f"nothing is known of {pair} between {show_time(from_ms)} and {show_time(to_ms)} UTC: "
            f"no feed was heard; {_stored(reader, found, pair)}"
        )
    write = write_picture if out.suffix == ".png" else write_page
    write(figure(view, arguments.theme), out, title(view), arguments.theme)
    print("\n".join([title(view), *notes(view), f"Written: {out}"]))
    return 0


def _out(given: str | None, found: Context, pair: str) -> Path:
    if given is None:
        name = pair.replace("/", "_").replace(":", "_")
        return found.base_dir / "user_data" / "plot" / f"liqtrend-{name}-{found.timeframe}.html"
    if Path(given).suffix not in (".html", ".png"):
        raise UsageError(f"--out {given}: must end in .html or .png")
    return Path(given)


def _span(
    arguments: argparse.Namespace, found: Context, reader: Reader, pair: str
) -> tuple[int, int]:
    stored = _stored_span(reader, found, pair)
    to_ms = minute_of(parse_time(arguments.to_time)) if arguments.to_time else stored[1]
    from_ms = (
        minute_of(parse_time(arguments.from_time))
        if arguments.from_time
        else max(stored[0], to_ms - _DAY_MS)
    )
    if from_ms >= to_ms:
        raise UsageError(
            f"--from must be before --to: {show_time(from_ms)} is not before {show_time(to_ms)} "
            f"UTC; {_stored(reader, found, pair)}"
        )
    return from_ms, to_ms


def _stored_span(reader: Reader, found: Context, pair: str) -> tuple[int, int]:
    """
    :return: whole minutes of which the store may tell something about a pair
    :raises UsageError: there are none
    """
    source, coin = found.settings.backtest_source, base_asset_of_pair(pair)
    if source != "minutes":
        span = reader.bar_span(source, coin)
        if span is None:
            raise UsageError(f"{pair}: the store holds no bars of it from {source}")
        return span
    computed_ms = int(reader.states(["computed_ms"]).get("computed_ms") or 0)
    span = reader.minute_span(coin)
    if span is None:
        coin_of(reader, found.settings.venues.enabled, pair)
        span = reader.span()
    if span is None:
        raise UsageError("the store holds no liquidations yet")
    return minute_of(span[0]), max(minute_of(span[1]), computed_ms)


def _stored(reader: Reader, found: Context, pair: str) -> str:
    span = _stored_span(reader, found, pair)
    return f"the store tells of it from {show_time(span[0])} to {show_time(span[1])}"
