"""Do the bot's candles come in time? As the bots that are there measured it, else as a sum."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from liq_provider.commands.support.context import Context
from liq_provider.commands.support.entry_possible import listed_pairs
from liq_provider.config.pair_list_file import pair_list_entry
from liq_provider.config.settings import Settings
from liq_provider.exchange.candle_sum import CandleSum, Level, told_by


def of_bots(bots: Sequence[Mapping[str, Any]]) -> list[tuple[str, Level, str, str]]:
    """
    :param bots: what they told of themselves
    :return: name, level, words and remedy, of each that saw candles
    """
    told = ((str(bot.get("name") or "the bot"), told_by(bot)) for bot in bots)
    return [(name, *known) for name, known in told if known is not None]


def planned_pairs(config: Mapping[str, Any], settings: Settings) -> int | None:
    """
    :param config: Freqtrade's
    :return: how many pairs a bot would have at most; None where that is not written anywhere
    """
    most = [
        int(handler["number_assets"])
        for handler in config.get("pairlists") or ()
        if isinstance(handler, Mapping) and str(handler.get("number_assets", "")).isdecimal()
    ]
    if pair_list_entry(config, settings) is not None:
        most.append(settings.market.pairs)
    listed = listed_pairs(config)
    if listed is not None:
        most.append(len(listed))
    return min(most, default=None)


def before_a_bot(context: Context) -> Iterator[CandleSum]:
    """:return: the sum for the configuration, if all of it is known; loads ccxt and Freqtrade"""
    pairs = planned_pairs(context.config, context.settings)
    exchange = context.config.get("exchange") or {}
    if pairs is None or not exchange.get("name"):
        return
    from liq_provider.exchange.request_time import request_time

    request = request_time(exchange, context.timeframe)
    if request is not None:
        market = pair_list_entry(context.config, context.settings) is not None
        yield CandleSum.of(pairs, request, context.settings, market=market)
