"""
In backtests the stops are asked with the trade itself, not with a copy of it.

Freqtrade makes a deep copy of the trade for each call of a callback that a user wrote, lest that
change it by accident. A backtest asks two of them in every candle of every open trade, and spent
most of its time on copies. For what its own base class implements it makes none, and it tells by
the qualified name. So a callback that is known to leave the trade alone is called by such a name.

This leans on Freqtrade's inside. Whether it works as expected is tried out before it is used; where
it does not, Freqtrade's copies stay, and all that is lost is time. Live the copies stay in any
case: there they cost nothing that could be felt.
"""

import logging
from typing import Any

from freqtrade.strategy import IStrategy

logger = logging.getLogger(__name__)

# Asked in every candle of every open trade. They read the trade; what ``on_upgrade: keep`` writes
# goes through Freqtrade's own methods, by the trade's id.
_CALLBACKS = ("custom_exit", "custom_stoploss")


class Uncopied:
    """
    A strategy's callback under the name of the base class's. Hyperopt pickles it with the strategy.

    :param strategy: the strategy object
    :param name: of the callback
    """

    def __init__(self, strategy: Any, name: str) -> None:
        self._strategy = strategy
        self._method = name
        self.__name__ = name
        self.__qualname__ = f"{IStrategy.__name__}.{name}"

    def __call__(self, **kwargs: Any) -> Any:
        """Freqtrade calls with keywords only."""
        # The class's, as the object's own is this.
        return getattr(type(self._strategy), self._method)(self._strategy, **kwargs)


def hand_over_trades(strategy: Any, own: type) -> None:
    """
    Let Freqtrade call the callbacks that read a trade without making a copy of it.

    :param strategy: the strategy object, in a backtest
    :param own: class whose callbacks leave the trade alone; what a derived class puts in their
        place is handed copies as ever
    """
    names = [name for name in _CALLBACKS if getattr(type(strategy), name) is getattr(own, name)]
    if names and not _spares_a_copy():
        logger.info("This Freqtrade copies trades for every callback; backtests take longer")
        return
    for name in names:
        setattr(strategy, name, Uncopied(strategy, name))


class _Asked:
    """Stands in for a strategy, and says with what it was asked."""

    def custom_exit(self, trade: Any) -> Any:
        return trade


def _spares_a_copy() -> bool:
    """Does Freqtrade call what bears such a name, and hand over the object itself?"""
    trade: list[int] = []
    try:
        # It is not part of what Freqtrade offers, and may be elsewhere one day.
        from freqtrade.strategy.strategy_wrapper import strategy_safe_wrapper

        answer = strategy_safe_wrapper(Uncopied(_Asked(), _CALLBACKS[0]))(trade=trade)
    except Exception:
        return False
    return answer is trade
