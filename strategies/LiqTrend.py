"""
LiqTrend: trade with a wave of one-sided liquidations, if price and the judge agree.

The settings are in the section ``liq_provider`` of Freqtrade's configuration. These must stay
as they are here: ``process_only_new_candles``, ``use_exit_signal``, ``exit_profit_only``,
``use_custom_stoploss``, ``trailing_stop``, ``minimal_roi``, ``stoploss``.

Freqtrade lets a trade through, or keeps an old stop, when a callback raises. So each callback
that could do harm that way catches everything itself and does the safe thing.
"""

import logging
from datetime import UTC, datetime

from freqtrade.exceptions import OperationalException
from freqtrade.persistence import Trade
from freqtrade.strategy import CategoricalParameter, IStrategy
from pandas import DataFrame

from liq_provider.bot import guards, position
from liq_provider.bot.book import Book
from liq_provider.bot.checks import refuse_spot
from liq_provider.bot.columns import UPGRADE, by_hand, level_of_tag
from liq_provider.bot.messages import Message
from liq_provider.bot.parameters import ExactDecimal, rules_of, stop_rules_of, take_settings, values
from liq_provider.bot.plots import PLOT_CONFIG, annotations, with_indicators
from liq_provider.bot.start import start
from liq_provider.bot.stops import as_freqtrade
from liq_provider.bot.story import story_of
from liq_provider.errors import LiqError

logger = logging.getLogger(__name__)


class CannotStart(OperationalException, ValueError):
    """Stops the bot; being a ValueError as well, Freqtrade reports it without a traceback."""


class LiqTrend(IStrategy):
    """Follows (or, with ``direction_mode: fade``, opposes) waves of liquidations."""

    INTERFACE_VERSION = 3
    timeframe = "1m"
    can_short = True
    minimal_roi: dict = {}  # noqa: RUF012 - Freqtrade's own class attribute
    stoploss = -0.99  # the real stops are in custom_stoploss
    use_custom_stoploss = True
    trailing_stop = False
    use_exit_signal = True
    exit_profit_only = False
    process_only_new_candles = False  # late minutes and verdicts count in the same candle
    position_adjustment_enable = False
    startup_candle_count = 30
    order_types = {  # noqa: RUF012 - Freqtrade's own class attribute
        "entry": "market",  # waves move fast; with "limit", see max_slippage_pct
        "exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": False,
    }
    plot_config = PLOT_CONFIG

    z_threshold = ExactDecimal(2.5, 8.0, default=3.0, decimals=1, space="buy")
    z_strong = ExactDecimal(3.0, 15.0, default=5.0, decimals=1, space="buy")
    purity_threshold = ExactDecimal(0.70, 0.95, default=0.75, decimals=2, space="buy")
    purity_strong = ExactDecimal(0.75, 1.0, default=0.90, decimals=2, space="buy")
    trend_k = ExactDecimal(0.0, 2.0, default=0.5, decimals=1, space="buy")
    min_confidence = CategoricalParameter(["low", "medium", "high"], default="medium", space="buy")
    direction_mode = CategoricalParameter(["follow", "fade"], default="follow", space="buy")
    windows = CategoricalParameter(["configured", "10/24"], default="configured", space="buy")
    trailing_pct = ExactDecimal(0.002, 0.05, default=0.01, decimals=3, space="sell")
    trailing_arm_pct = ExactDecimal(0.0, 0.05, default=0.01, decimals=3, space="sell")
    fallback_pct = ExactDecimal(0.005, 0.10, default=0.02, decimals=3, space="sell")

    def __init__(self, config: dict) -> None:
        try:
            refuse_spot(config)
        except LiqError as error:
            raise CannotStart(str(error)) from error
        super().__init__(config)

    def bot_start(self, **kwargs) -> None:
        """Validate everything, and in live modes make sure that a sidecar runs."""
        try:
            started = start(self)
            take_settings(self, started.settings)
        except LiqError as error:
            raise CannotStart(str(error)) from error
        self.liq_settings, self.engine = started.settings, started.engine
        self.live, self.coverage = started.live, started.coverage
        self.book = Book(self.config)
        if self.live is not None:
            self.ignore_buying_expired_candle_after = int(started.settings.max_entry_delay_s)

    def ft_bot_cleanup(self) -> None:
        """Freqtrade ends, or makes another strategy object for a new configuration."""
        super().ft_bot_cleanup()
        if getattr(self, "live", None) is not None:
            self.live.end()

    # -- every loop -----------------------------------------------------------------------

    def bot_loop_start(self, current_time: datetime, **kwargs) -> None:
        """Live: read the store, keep the sidecar alive, say what changed. Backtest: warn once."""
        if self.live is None:
            if self.coverage is not None:
                self.coverage.warn_first()
            return
        try:
            pairs = self.dp.current_whitelist()
            self._say(self.live.begin(_ms(current_time), pairs, values(self)))
        except Exception:
            self.engine.problem = "LiqTrend's own loop failed, see the log"
            logger.exception("The loop failed; no entries until it works again")

    def analyze(self, pairs: list[str]) -> None:
        """Populate only what changed, rank this candle's candidates, then let signals out."""
        try:
            newest = self._newest(pairs)
            due = self.engine.to_analyze(newest)
        except Exception:
            logger.exception("What changed is not known; no entries in this loop")
            self.engine.dealings.withdraw()
            newest, due = {}, []
        # Freqtrade contains what goes wrong with a single pair.
        super().analyze(due + [pair for pair in pairs if pair not in newest])
        try:
            self.engine.analyzed(due, newest)
            self._rank(newest)
        except Exception:
            logger.exception("Ranking failed; no entries in this loop")
            super().analyze([pair for pair in self.engine.dealings.withdraw() if pair in pairs])

    def _rank(self, newest: dict[str, int]) -> None:
        if not newest:
            self.engine.dealings.withdraw()
            return
        close_ms = max(newest.values())
        pairs = self.dp.current_whitelist()
        blocked = guards.blocked(self.engine, self.book, pairs, close_ms, close_ms)
        changed = self.engine.choose(close_ms, pairs, self.book.free_slots(), blocked)
        changed = [pair for pair in changed if pair in newest]
        super().analyze(changed)
        self.engine.analyzed(changed, newest)
        now_ms = _ms(datetime.now(UTC))
        self._say(self.live.waves(self.book, pairs, close_ms, now_ms))

    def _newest(self, pairs: list[str]) -> dict[str, int]:
        newest = {}
        for pair in pairs:
            frame = self.dp.ohlcv(pair, self.timeframe, copy=False)
            if len(frame):
                newest[pair] = _ms(frame["date"].iat[-1]) + self.engine.timeframe_ms
        return newest

    def _say(self, messages: list[Message]) -> None:
        for message in messages:
            level = logging.WARNING if message.warning else logging.INFO
            logger.log(level, "%s", message.logged or message.text)
            if message.send:
                self.dp.send_msg(message.sendable, always_send=True)

    # -- columns --------------------------------------------------------------------------

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        """Trend inputs, and the indicators shown beside them."""
        pair = metadata["pair"]
        columns = self.engine.indicators(dataframe, pair, self.windows.range)
        if self.coverage is not None:
            startup = self.startup_candle_count
            self.coverage.take(pair, self.engine.known(pair, self.config, startup))
        return with_indicators(columns)

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        """Decisions and entries."""
        rules = rules_of(self, self.liq_settings)
        return self.engine.entries(dataframe, metadata["pair"], rules, self.windows.value)

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        """Reversals."""
        return self.engine.exits(dataframe, metadata["pair"])

    # -- orders ---------------------------------------------------------------------------

    def confirm_trade_entry(
        self, pair: str, current_time: datetime, side: str, entry_tag: str | None = None, **kwargs
    ) -> bool:
        """
        The last guard before an order; denies on any doubt and on any exception. What a user
        orders by hand is theirs to decide.
        """
        try:
            if self._by_hand(pair, entry_tag):
                logger.info("%s: entered by hand (%s); both stops act on it", pair, entry_tag)
                return True
            reason = self._deny(pair, side == "short", _ms(current_time))
        except Exception:
            logger.exception("confirm_trade_entry failed for %s; the entry is denied", pair)
            return False
        if reason is not None and self.live is not None:
            logger.info("%s: entry denied, %s", pair, reason)
        return reason is None

    def _by_hand(self, pair: str, tag: str | None) -> bool:
        if self.live is None:
            return False
        frame, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        return by_hand(tag, frame["enter_tag"].iat[-1] if "enter_tag" in frame.columns else None)

    def _deny(self, pair: str, is_short: bool, now_ms: int) -> str | None:
        if self.live is not None:
            return guards.deny_live(self.engine, self.book, pair, is_short, now_ms)
        return guards.deny_backtest(self.engine, self.book, pair, is_short, now_ms)

    def leverage(self, max_leverage: float, **kwargs) -> float:
        """The configured leverage, never more than the pair allows."""
        return min(self.liq_settings.leverage, max_leverage)

    def custom_entry_price(
        self, pair: str, proposed_rate: float, side: str, entry_tag: str | None = None, **kwargs
    ) -> float:
        """For limit orders: at most ``max_slippage_pct`` worse than the book."""
        if self.order_types["entry"] != "limit" or self._by_hand(pair, entry_tag):
            return proposed_rate
        sign = -1 if side == "short" else 1
        return proposed_rate * (1 + sign * self.liq_settings.max_slippage_pct)

    def order_filled(self, pair: str, trade: Trade, order, current_time: datetime, **kwargs):
        """Keep with the trade what its orders were based on, for FreqUI and Telegram."""
        if self.live is not None:
            # A limit order may be filled candles later; the decision is the order's.
            close_ms = self.engine.signal_close_ms(_ms(order.order_date_utc))
            self._say(self.live.filled(trade, order, close_ms, stop_rules_of(self)))

    def custom_exit(
        self, pair: str, trade: Trade, current_time: datetime, current_rate: float, **kwargs
    ) -> str | None:
        """Upgrade: a surer signal of the same direction while the position is open."""
        now_ms = _ms(current_time)
        if self.live is None:
            rules = stop_rules_of(self)
            crossed = position.exit_at_open(self.engine, trade, now_ms, current_rate, rules)
            if crossed is not None:
                return crossed
        elif self.engine.problem is not None:
            return None
        close_ms = self.engine.signal_close_ms(now_ms)
        level = self.engine.level_at(pair, close_ms, trade.is_short)
        recorded = level_of_tag(trade.enter_tag)
        if not 0 < recorded < level:  # 0: not entered by a signal, such as by force_entry
            return None
        if self.liq_settings.on_upgrade == "reopen":
            self.engine.upgrade(pair, close_ms)
            return UPGRADE
        position.raise_confidence(trade, level, recorded)
        return None

    def custom_stoploss(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        after_fill: bool,
        **kwargs,
    ) -> float:
        """Both stops, the tighter wins; needs nothing but the trade itself when live."""
        try:
            rules = stop_rules_of(self)
            if self.live is not None:
                self.live.check_stop(trade, rules)
            stop = position.current_stops(self.engine, trade, _ms(current_time), rules).binding
            return as_freqtrade(stop, current_rate, trade.is_short, trade.leverage or 1.0)
        except Exception:
            logger.exception("The stops of %s failed; only the fallback stop acts", pair)
            return position.fallback_alone(trade, current_rate, self.fallback_pct.value)

    def plot_annotations(
        self, pair: str, start_date: datetime, end_date: datetime, dataframe: DataFrame, **kwargs
    ) -> list:
        """Waves as areas on FreqUI's chart."""
        try:
            return annotations(
                dataframe,
                self.engine.timeframe_ms,
                lambda close_ms: story_of(self.engine, pair, close_ms).as_judged.words,
            )
        except Exception:
            logger.exception("The waves of %s cannot be drawn", pair)
            return []


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)
