"""Whose rules a decision is told by: those of the bot that is there, else the configuration's."""

from liq_provider.bot.rules_of_bots import in_force_now
from liq_provider.commands.support.bots_there import bots_there
from liq_provider.commands.support.context import Context
from liq_provider.commands.support.entry_possible import listed_pairs
from liq_provider.config.parameter_file import parameter_file
from liq_provider.core.durations import DAY_MS, HOUR_MS, MINUTE_MS
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.store.reader import Reader


def rules_in_force(context: Context, reader: Reader) -> RulesInForce:
    """
    :return: those of the bots that are there; else the configuration's with the parameter file
        that Freqtrade would load
    :raises SettingsError: that file is none
    """
    from liq_provider.exchange.bot_exchange import timeframe_ms

    return in_force_now(
        bots_there(context, reader),
        context.settings,
        timeframe_ms(context.timeframe),
        lambda: parameter_file(context.config, context.base_dir),
        listed_pairs(context.config),
    )


def timeframe_word(timeframe_ms: int) -> str:
    """:return: as Freqtrade and exchanges write it: ``5m``, ``1h``, ``1d``"""
    for unit, length_ms in (("d", DAY_MS), ("h", HOUR_MS)):
        count, rest = divmod(timeframe_ms, length_ms)
        if not rest:
            return f"{count}{unit}"
    return f"{timeframe_ms // MINUTE_MS}m"
