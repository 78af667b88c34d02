"""
The two stops as prices; the tighter one wins.

Trailing: ``trailing_pct`` back from the best price since entry, armed once the best price is
``trailing_arm_pct`` in profit. Fallback: ``fallback_pct`` against entry. All are shares of
price, not of leveraged margin.
"""

from dataclasses import dataclass
from typing import Any

# Freqtrade takes 0 and None for "no value" and keeps the old stop, so a stop that price has
# already crossed is asked for just beside the price, which Freqtrade then sees as hit.
CROSSED = 1e-9

# Freqtrade rounds a stop to the next tick towards the price. A stop that lies on a tick must
# not be moved a tick on by the last bit of a float, which would look like trailing.
_ON_TICK = 1e-9


@dataclass(frozen=True, slots=True)
class StopRules:
    """Distances as shares of price."""

    trailing_pct: float
    trailing_arm_pct: float
    fallback_pct: float


@dataclass(frozen=True, slots=True)
class Stops:
    """
    :param fallback: price of the fallback stop
    :param trailing: price of the trailing stop, None while it is not armed
    """

    fallback: float
    trailing: float | None
    is_short: bool

    @property
    def binding(self) -> float:
        """The tighter of the two."""
        if self.trailing is None:
            return self.fallback
        return (
            min(self.fallback, self.trailing)
            if self.is_short
            else max(self.fallback, self.trailing)
        )

    @property
    def binding_name(self) -> str:
        """Which one it is."""
        return "fallback" if self.binding == self.fallback else "trailing"


def stops(open_rate: float, best_rate: float | None, is_short: bool, rules: StopRules) -> Stops:
    """
    :param open_rate: entry price
    :param best_rate: best price since entry; None if only the entry is known
    """
    sign = -1 if is_short else 1
    fallback = open_rate * (1 - sign * rules.fallback_pct)
    trailing = None
    if best_rate is not None and sign * (best_rate / open_rate - 1) >= rules.trailing_arm_pct:
        trailing = best_rate * (1 - sign * rules.trailing_pct)
    return Stops(fallback, trailing, is_short)


def as_freqtrade(stop: float, current_rate: float, is_short: bool, leverage: float) -> float:
    """
    :return: ``stop`` the way ``custom_stoploss`` returns it: relative to the current rate,
        leverage-scaled, and never 0
    """
    # Only the bot comes here; the dashboard, which shows both stops, does without Freqtrade.
    from freqtrade.strategy import stoploss_from_absolute

    if crossed(stop, current_rate, is_short):
        return CROSSED
    stop *= 1 + _ON_TICK if is_short else 1 - _ON_TICK
    value = stoploss_from_absolute(stop, current_rate, is_short=is_short, leverage=leverage)
    return max(float(value), CROSSED)


def in_place(stop: float, trade: Any, rate: float) -> bool:
    """
    Would Freqtrade leave its own stop as it is? It never loosens one, and works hard to find out.

    :param trade: Freqtrade's ``Trade``, with the stop that it was last given
    :return: True if that is as tight as ``stop``, on whatever tick it came to lie
    """
    last = trade.stop_loss
    if not last or crossed(stop, rate, trade.is_short):
        return False
    return bool(stop >= last if trade.is_short else stop <= last)


def crossed(stop: float, rate: float, is_short: bool) -> bool:
    """:return: True if the rate is at or beyond the stop"""
    return rate >= stop if is_short else rate <= stop
