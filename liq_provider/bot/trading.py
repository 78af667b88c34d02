"""
Behind LiqTrend's callbacks: what each of them does, in the order in which Freqtrade calls them.

Freqtrade lets a trade through, or keeps an old stop, when a callback raises. So each that could do
harm that way catches everything itself and does the safe thing.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from pandas import DataFrame

from liq_provider.bot import last_look, position
from liq_provider.bot.book import Book
from liq_provider.bot.columns import UPGRADE, by_hand, level_of_tag
from liq_provider.bot.messages import Message
from liq_provider.bot.parameters import rules_of, stop_rules_of, take_settings, values
from liq_provider.bot.plots import annotations, shown_indicators
from liq_provider.bot.start import start
from liq_provider.bot.stops import as_freqtrade, in_place
from liq_provider.bot.story_from_bot import story_of
from liq_provider.bot.uncopied import hand_over_trades
from liq_provider.judge.decisions import Rules

logger = logging.getLogger(__name__)


class Trading:
    """
    :param strategy: LiqTrend, or one derived from it, as Freqtrade has set it up
    :param own: class whose methods change no frame and no trade by themselves; what a derived class
        puts in their place may, which takes longer
    :raises LiqError: what is wrong, naming the key
    """

    def __init__(self, strategy: Any, own: type | None = None) -> None:
        started = start(strategy)
        take_settings(strategy, started.settings)
        self.settings, self.engine = started.settings, started.engine
        self.live = started.live
        self.book = Book(strategy.config)
        self._strategy = strategy
        # Nobody else puts anything into a frame, or takes it out, between these.
        self._own_steps = own is not None and all(
            getattr(type(strategy), name) is getattr(own, name)
            for name in ("populate_indicators", "populate_entry_trend", "populate_exit_trend")
        )
        # Who asks for the stop to make more of it wants a price, whatever Freqtrade has.
        self._own_stop = own is not None and (
            type(strategy).custom_stoploss is getattr(own, "custom_stoploss", None)
        )
        self._rules_made: tuple[dict[str, Any], Rules] | None = None
        if self.live is not None:
            strategy.ignore_buying_expired_candle_after = int(self.settings.max_entry_delay_s)
        elif own is not None:
            hand_over_trades(strategy, own)

    def end(self) -> None:
        """Freqtrade ends, or makes another strategy object for a new configuration."""
        if self.live is not None:
            self.live.end()

    # -- every loop -----------------------------------------------------------------------

    def begin(self, now: datetime) -> None:
        """Live: read the store, keep the sidecar alive, say what changed. Backtest: warn once."""
        if self.live is None:
            if self.engine.coverage is not None:
                self.engine.coverage.warn_first()
            return
        try:
            pairs = self._strategy.dp.current_whitelist()
            own, held = values(self._strategy), self.book.open_pairs
            self._say(self.live.begin(_ms(now), pairs, own, held))
        except Exception:
            self.engine.problem = "LiqTrend's own loop failed, see the log"
            logger.exception("The loop failed; no entries until it works again")

    def analyze(self, pairs: list[str], populate: Callable[[list[str]], None]) -> None:
        """
        Populate only what changed, rank this candle's candidates, then let signals out.

        :param populate: Freqtrade's own; it contains what goes wrong with a single pair
        """
        try:
            newest = self._newest(pairs)
            if self.engine.candles is not None:
                self.engine.candles.saw(newest, self.engine.now_ms)
            due = self.engine.to_analyze(newest)
        except Exception:
            logger.exception("What changed is not known; no entries in this loop")
            self.engine.dealings.withdraw()
            newest, due = {}, []
        populate(due + [pair for pair in pairs if pair not in newest])
        try:
            self.engine.analyzed(due, newest)
            self._rank(newest, populate)
        except Exception:
            logger.exception("Ranking failed; no entries in this loop")
            populate([pair for pair in self.engine.dealings.withdraw() if pair in pairs])
        self._tell_missed(pairs)

    def _tell_missed(self, pairs: Sequence[str]) -> None:
        """Waves that nothing was decided about, as there were no candles."""
        if self.live is None:
            return
        try:
            now_ms, held = _ms(datetime.now(UTC)), self.book.open_pairs
            self._say(self.live.missed(pairs, held, self._rules(), now_ms))
        except Exception:
            logger.exception("Waves without candles could not be told")

    def _rank(self, newest: dict[str, int], populate: Callable[[list[str]], None]) -> None:
        if not newest:
            self.engine.dealings.withdraw()
            return
        close_ms = max(newest.values())
        pairs = self._strategy.dp.current_whitelist()
        blocked = last_look.blocked(self.engine, self.book, pairs, close_ms, close_ms)
        changed = self.engine.choose(close_ms, pairs, self.book.free_slots(), blocked)
        changed = [pair for pair in changed if pair in newest]
        populate(changed)
        self.engine.analyzed(changed, newest)
        if self.live is not None:
            now_ms = _ms(datetime.now(UTC))
            self._say(self.live.waves(self.book, pairs, close_ms, now_ms))

    def _newest(self, pairs: list[str]) -> dict[str, int]:
        newest = {}
        for pair in pairs:
            frame = self._strategy.dp.ohlcv(pair, self._strategy.timeframe, copy=False)
            if len(frame):
                newest[pair] = _ms(frame["date"].iat[-1]) + self.engine.timeframe_ms
        return newest

    def _say(self, messages: Sequence[Message]) -> None:
        for message in messages:
            level = logging.WARNING if message.warning else logging.INFO
            logger.log(level, "%s", message.logged or message.text)
            if message.send:
                self._strategy.dp.send_msg(message.sendable, always_send=True)

    # -- columns --------------------------------------------------------------------------

    def indicators(self, frame: DataFrame, pair: str) -> DataFrame:
        """:return: with the trend's inputs, and the indicators shown beside them"""
        ahead = self._rules() if self.live is not None and self._own_steps else None
        windows = self._strategy.windows.range
        return self.engine.indicators(frame, pair, windows, shown_indicators, ahead)

    def entries(self, frame: DataFrame, pair: str) -> DataFrame:
        """:return: with decisions and entries"""
        return self.engine.entries(frame, pair, self._rules(), self._strategy.windows.value)

    def _rules(self) -> Rules:
        """Made once for all pairs: parameters change with hyperopt's epochs, else never."""
        now = values(self._strategy)
        if self._rules_made is None or self._rules_made[0] != now:
            self._rules_made = now, rules_of(self._strategy, self.settings)
        return self._rules_made[1]

    def exits(self, frame: DataFrame, pair: str) -> DataFrame:
        """:return: with reversals"""
        return self.engine.exits(frame, pair)

    def annotations(self, pair: str, frame: DataFrame) -> list[dict[str, Any]]:
        """:return: waves as areas on FreqUI's chart"""
        try:
            return annotations(
                frame,
                self.engine.timeframe_ms,
                lambda close_ms: story_of(self.engine, pair, close_ms).as_judged.words,
            )
        except Exception:
            logger.exception("The waves of %s cannot be drawn", pair)
            return []

    # -- orders ---------------------------------------------------------------------------

    def confirm(self, pair: str, now: datetime, side: str, tag: str | None) -> bool:
        """
        The last guard before an order; denies on any doubt and on any exception. What a user
        orders by hand is theirs to decide.
        """
        try:
            if self._by_hand(pair, tag):
                logger.info("%s: entered by hand (%s); both stops act on it", pair, tag)
                return True
            reason = self._deny(pair, side == "short", _ms(now))
        except Exception:
            logger.exception("confirm_trade_entry failed for %s; the entry is denied", pair)
            return False
        if reason is not None and self.live is not None:
            logger.info("%s: entry denied, %s", pair, reason)
        return reason is None

    def _by_hand(self, pair: str, tag: str | None) -> bool:
        if self.live is None:
            return False
        strategy = self._strategy
        frame, _ = strategy.dp.get_analyzed_dataframe(pair, strategy.timeframe)
        return by_hand(tag, frame["enter_tag"].iat[-1] if "enter_tag" in frame.columns else None)

    def _deny(self, pair: str, is_short: bool, now_ms: int) -> str | None:
        if self.live is not None:
            return last_look.deny_live(self.engine, self.book, pair, is_short, now_ms)
        return last_look.deny_backtest(self.engine, self.book, pair, is_short, now_ms)

    def entry_price(self, pair: str, proposed_rate: float, side: str, tag: str | None) -> float:
        """:return: for limit orders, at most ``max_slippage_pct`` worse than the book"""
        if self._strategy.order_types["entry"] != "limit" or self._by_hand(pair, tag):
            return proposed_rate
        sign = -1 if side == "short" else 1
        return proposed_rate * (1 + sign * self.settings.max_slippage_pct)

    def filled(self, trade: Any, order: Any) -> None:
        """Keep with the trade what its orders were based on, for FreqUI and Telegram."""
        if self.live is not None:
            # A limit order may be filled candles later; the decision is the order's.
            close_ms = self.engine.signal_close_ms(_ms(order.order_date_utc))
            self._say(self.live.filled(trade, order, close_ms, stop_rules_of(self._strategy)))

    def exit_reason(self, pair: str, trade: Any, now: datetime, rate: float) -> str | None:
        """:return: why to close: a surer signal of the same direction, or a crossed stop"""
        now_ms = _ms(now)
        if self.live is None:
            rules = stop_rules_of(self._strategy)
            crossed = position.exit_at_open(self.engine, trade, now_ms, rate, rules)
            if crossed is not None:
                return crossed
        elif self.engine.problem is not None:
            return None
        close_ms = self.engine.signal_close_ms(now_ms)
        level = self.engine.level_at(pair, close_ms, trade.is_short)
        if level == 0:
            return None  # as in nearly all candles
        recorded = level_of_tag(trade.enter_tag)
        if not 0 < recorded < level:  # 0: not entered by a signal, such as by force_entry
            return None
        if self.settings.on_upgrade == "reopen":
            self.engine.upgrade(pair, close_ms)
            return UPGRADE
        position.raise_confidence(trade, level, recorded)
        return None

    def stop(
        self, pair: str, trade: Any, now: datetime, rate: float, after_fill: bool = True
    ) -> float | None:
        """
        :param after_fill: Freqtrade takes any stop, else only one that is tighter than the last
        :return: for ``custom_stoploss``: of both stops the tighter; live, of the trade alone. None
            where Freqtrade has this one already
        """
        try:
            rules = stop_rules_of(self._strategy)
            if self.live is not None:
                self.live.check_stop(trade, rules)
            stop = position.current_stops(self.engine, trade, _ms(now), rules).binding
            tighter_only = self._own_stop and self.live is None and not after_fill
            if tighter_only and in_place(stop, trade, rate):
                return None
            return as_freqtrade(stop, rate, trade.is_short, trade.leverage or 1.0)
        except Exception:
            logger.exception("The stops of %s failed; only the fallback stop acts", pair)
            return position.fallback_alone(trade, rate, self._strategy.fallback_pct.value)


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)
