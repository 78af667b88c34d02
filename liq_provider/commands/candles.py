"""``candles``: a CSV of candles for Freqtrade, where they cannot be downloaded."""

import argparse
from pathlib import Path

from liq_provider.commands.support.context import context_of, pair_of
from liq_provider.errors import UsageError


def candles(arguments: argparse.Namespace) -> int:
    """Writes the file that ``freqtrade backtesting`` reads."""
    from freqtrade.exchange import timeframe_to_msecs

    from liq_provider.history.candle_files import read_candles, store_candles

    context = context_of(arguments)
    timeframe = arguments.timeframe or context.timeframe
    try:
        timeframe_ms = timeframe_to_msecs(timeframe)
    except Exception:
        raise UsageError(f"timeframe {timeframe!r}: write 1m, 5m, 15m or 1h") from None
    pair = pair_of(arguments.pair)
    read = read_candles(Path(arguments.file), timeframe_ms)
    total = store_candles(read, context.datadir, pair, timeframe)
    first, last = read["date"].iloc[0], read["date"].iloc[-1]
    holes = int((last - first).total_seconds() * 1000 / timeframe_ms) + 1 - len(read)
    print(
        f"{len(read):,} candles of {pair} at {timeframe}, {first:%Y-%m-%d %H:%M} to "
        f"{last:%Y-%m-%d %H:%M} UTC, {holes:,} missing between them; {total:,} in {context.datadir}"
    )
    return 0
