"""What Freqtrade's own records say: which pairs are open, locked, or were traded before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from freqtrade.persistence import PairLocks, Trade

from liq_provider.bot.columns import level_of_tag
from liq_provider.bot.ranking import Wave


@dataclass(frozen=True, slots=True)
class LastTrade:
    """
    The pair's latest trade.

    :param closed_ms: 0 while it is open
    :param level: confidence that it was entered with, 0 if by hand
    """

    opened_ms: int
    closed_ms: int
    is_short: bool
    exit_reason: str
    level: int

    def entered(self, wave: Wave, level: int) -> bool:
        """
        :param wave: of this pair
        :param level: its confidence now
        :return: whether the trade is of this wave, and its signal not surer since
        """
        _, sign, wave_ms = wave
        return self.is_short == (sign < 0) and self.opened_ms >= wave_ms and level <= self.level


class Book:
    """
    :param config: Freqtrade's configuration
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config

    def open_pairs(self) -> set[str]:
        """:return: pairs with an open position or entry order"""
        return {trade.pair for trade in Trade.get_trades_proxy(is_open=True)}

    def free_slots(self) -> float:
        """:return: how many positions may still be opened; negative for any number"""
        limit = float(self._config["max_open_trades"])
        return limit if limit < 0 else max(0.0, limit - Trade.get_open_trade_count())

    def locked(self, pair: str, is_short: bool, at_ms: int) -> bool:
        """
        :param at_ms: Freqtrade asks for the close of the signal's candle, so that a lock lasts
            until a new candle is there
        """
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        return bool(PairLocks.is_pair_locked(pair, at, "short" if is_short else "long"))

    def position(self, pair: str) -> LastTrade | None:
        """:return: the pair's open position or entry order"""
        held = Trade.get_trades_proxy(pair=pair, is_open=True)
        return _last_trade(held[0]) if held else None

    def last(self, pair: str) -> LastTrade | None:
        """:return: the newest of the pair's closed trades"""
        closed = Trade.get_trades_proxy(pair=pair, is_open=False)
        if not closed:
            return None
        return _last_trade(max(closed, key=lambda trade: trade.open_date_utc))


def _last_trade(trade: Trade) -> LastTrade:
    return LastTrade(
        opened_ms=_ms(trade.open_date_utc),
        closed_ms=_ms(trade.close_date_utc) if trade.close_date else 0,
        is_short=bool(trade.is_short),
        exit_reason=str(trade.exit_reason or ""),
        level=level_of_tag(trade.enter_tag),
    )


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)
