"""
What a filled order leaves with its trade, and what is said of it beside Freqtrade's own message.

Freqtrade tells pair, tag, rates, profit and the exit reason's name. An entry's numbers and verdict
were told with its wave. So what is left is which of the two stops closed a trade, and from where,
that an upgrade is not the end, and whatever the wave's message would have told, had there been one.
"""

from dataclasses import asdict
from typing import Any

from liq_provider.bot import position
from liq_provider.bot.columns import REVERSAL, UPGRADE, level_of_tag
from liq_provider.bot.engine import Engine
from liq_provider.bot.messages import Message, code, with_tail
from liq_provider.bot.ranking import wave_of
from liq_provider.bot.stops import StopRules, stops
from liq_provider.bot.story_from_bot import story_of
from liq_provider.bot.wave_words import wave_words
from liq_provider.judge.decisions import Decisions

_STOPS = ("stop_loss", "trailing_stop_loss", "stoploss_on_exchange")


def filled(
    engine: Engine, trade: Any, order: Any, close_ms: int, rules: StopRules
) -> Message | None:
    """
    Set the trade's custom data ``liq_*``.

    :param trade: Freqtrade's ``Trade``
    :param order: Freqtrade's ``Order``, just filled
    :param close_ms: close of the candle that the order was decided on
    :return: what is left to be said, None if all is said
    """
    if order.ft_order_side == trade.entry_side:
        # For whoever shows the stops; the strategy itself computes them anew each time.
        trade.set_custom_data("liq_stops", asdict(rules))
        return _entered(engine, trade, close_ms)
    if trade.is_open:
        return None  # such as a stop that was cancelled to be moved
    # A stop on the exchange is filled before Freqtrade gives the trade a reason.
    if order.ft_order_side == "stoploss" or trade.exit_reason in _STOPS:
        words = stop_words(trade, order.stop_price or trade.stop_loss, rules)
        trade.set_custom_data("liq_exit", words)
        return Message(f"{_head(trade)} closed: {words}.", send=engine.settings.messages.trades)
    return _changed(engine, trade, close_ms)


def _entered(engine: Engine, trade: Any, close_ms: int) -> Message | None:
    if not level_of_tag(trade.enter_tag):
        return None  # by hand; a wave of that candle has nothing to do with it
    kept = position.record(engine, trade.pair, close_ms)
    for key, value in kept.items():
        trade.set_custom_data(f"liq_{key}", value)
    decided = engine.decision(trade.pair, close_ms)
    if not kept or decided is None or _told(engine, trade.pair, decided):
        return None
    said = f"{_head(trade)} entered: {wave_words(*decided)}, {kept['verdict']}"
    text = with_tail(f"{said}, ", kept["reason"]) if kept["reason"] else said
    return Message(text, send=engine.settings.messages.trades)


def _changed(engine: Engine, trade: Any, close_ms: int) -> Message | None:
    """A signal closed it: one of the other side, or a surer one of its own."""
    decided = engine.decision(trade.pair, close_ms)
    if decided is None or trade.exit_reason not in (REVERSAL, UPGRADE):
        return None
    reversal = trade.exit_reason == REVERSAL
    words = "a wave the other way" if reversal else "a surer signal"
    story = story_of(engine, trade.pair, close_ms).as_judged
    detailed = f"{words}, {wave_words(*decided)}, {story.words}"
    trade.set_custom_data("liq_exit", detailed)
    if not _told(engine, trade.pair, decided):
        words = detailed
    elif reversal:
        return None
    if not reversal:
        words = f"{words}; opened again at the next candle if it holds"
    return Message(f"{_head(trade)} closed: {words}.", send=engine.settings.messages.trades)


def _told(engine: Engine, pair: str, decided: tuple[Decisions, int]) -> bool:
    return engine.dealings.told(wave_of(pair, *decided))


def _head(trade: Any) -> str:
    return f"{code(trade.pair, 40)} #{trade.id}"


def stop_words(trade: Any, stop: float, rules: StopRules) -> str:
    """
    :param stop: price of the stop that was hit
    :return: which of the two stops it is, and what it was measured from
    """
    fallback = stops(trade.open_rate, None, trade.is_short, rules).fallback
    # The order on the exchange may be some seconds behind the bot's own stop.
    behind = abs(stop - fallback) < abs(stop - trade.stop_loss)
    if not trade.is_stop_loss_trailing or behind:
        return (
            f"fallback stop at {stop:.8g}, {rules.fallback_pct * 100:.4g}% against the entry at "
            f"{trade.open_rate:.8g}"
        )
    best = trade.min_rate if trade.is_short else trade.max_rate
    return (
        f"trailing stop at {stop:.8g}, {rules.trailing_pct * 100:.4g}% back from the best price, "
        f"{best:.8g}"
    )
