"""
What Freqtrade's own records say: which pairs are open, locked, or were traded before.

Live it is asked before each order, and for each judged wave in every loop. So a row is asked for as
it stands in the database: Freqtrade's own way makes an object of every trade of the pair, with its
orders, and after a year there are many.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from freqtrade.persistence import PairLocks, Trade
from sqlalchemy import select

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
        if Trade.use_db:
            return set(Trade.session.scalars(select(Trade.pair).where(Trade.is_open.is_(True))))
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
        return _newest(pair, is_open=True)

    def last(self, pair: str) -> LastTrade | None:
        """:return: the newest of the pair's closed trades"""
        return _newest(pair, is_open=False)


def _newest(pair: str, *, is_open: bool) -> LastTrade | None:
    if not Trade.use_db:  # as in a backtest
        trades = Trade.get_trades_proxy(pair=pair, is_open=is_open)
        newest = max(trades, key=lambda trade: trade.open_date, default=None)
    else:
        columns = (
            *(Trade.open_date, Trade.close_date),
            *(Trade.is_short, Trade.exit_reason, Trade.enter_tag),
        )
        asked = select(*columns).where(Trade.pair == pair, Trade.is_open.is_(is_open))
        newest = Trade.session.execute(asked.order_by(Trade.open_date.desc()).limit(1)).first()
    return None if newest is None else _last_trade(newest)


def _last_trade(trade: Any) -> LastTrade:
    return LastTrade(
        opened_ms=_ms(trade.open_date),
        closed_ms=_ms(trade.close_date) if trade.close_date else 0,
        is_short=bool(trade.is_short),
        exit_reason=str(trade.exit_reason or ""),
        level=level_of_tag(trade.enter_tag),
    )


def _ms(time: datetime) -> int:
    """:param time: in UTC, whether it says so or, as in the database, does not"""
    return int(time.replace(tzinfo=UTC).timestamp() * 1000)
