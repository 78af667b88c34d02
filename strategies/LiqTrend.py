"""
LiqTrend: trade with a wave of one-sided liquidations, if price and the judge agree.

The settings are in the section ``liq_provider`` of Freqtrade's configuration. These must stay
as they are here: ``process_only_new_candles``, ``use_exit_signal``, ``exit_profit_only``,
``use_custom_stoploss``, ``trailing_stop``, ``minimal_roi``, ``stoploss``.
"""

import logging
from datetime import datetime
from pathlib import Path

from freqtrade.enums import RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.exchange import timeframe_to_msecs
from freqtrade.persistence import PairLocks, Trade
from freqtrade.strategy import CategoricalParameter, DecimalParameter, IStrategy
from pandas import DataFrame

from liq_provider.bot import guards
from liq_provider.bot.autostart import Autostart, sidecar_config
from liq_provider.bot.checks import check_bot, check_floor
from liq_provider.bot.columns import UPGRADE, level_of_tag
from liq_provider.bot.engine import Engine
from liq_provider.bot.notices import Notices
from liq_provider.bot.plots import PLOT_CONFIG, annotations, with_indicators
from liq_provider.bot.signals import Rules
from liq_provider.bot.source import HistorySource, LiveSource
from liq_provider.bot.stops import StopRules, as_freqtrade
from liq_provider.errors import LiqError
from liq_provider.judge.matrix import Confidence
from liq_provider.runtime import RuntimeFiles
from liq_provider.settings import load_settings, resolve_store
from liq_provider.store.reader import Reader
from liq_provider.wave import Thresholds

logger = logging.getLogger(__name__)


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
    plot_config = PLOT_CONFIG

    z_threshold = DecimalParameter(2.5, 8.0, default=3.0, decimals=1, space="buy")
    z_strong = DecimalParameter(3.0, 15.0, default=5.0, decimals=1, space="buy")
    purity_threshold = DecimalParameter(0.70, 0.95, default=0.75, decimals=2, space="buy")
    purity_strong = DecimalParameter(0.75, 1.0, default=0.90, decimals=2, space="buy")
    trend_k = DecimalParameter(0.0, 2.0, default=0.5, decimals=1, space="buy")
    min_confidence = CategoricalParameter(["low", "medium", "high"], default="medium", space="buy")
    direction_mode = CategoricalParameter(["follow", "fade"], default="follow", space="buy")
    trailing_pct = DecimalParameter(0.002, 0.05, default=0.01, decimals=3, space="sell")
    trailing_arm_pct = DecimalParameter(0.0, 0.05, default=0.01, decimals=3, space="sell")
    fallback_pct = DecimalParameter(0.005, 0.10, default=0.02, decimals=3, space="sell")

    def bot_start(self, **kwargs) -> None:
        """Validate everything, and in live modes make sure that a sidecar runs."""
        try:
            self._start()
        except LiqError as error:
            raise OperationalException(str(error)) from error

    def _start(self) -> None:
        settings = self.liq_settings = load_settings(self.config)
        check_bot(self.config, self, settings)
        for name, parameter in self._parameters().items():
            parameter.value = getattr(settings, name)
        base_dir = Path(self.config["user_data_dir"]).resolve().parent
        store = resolve_store(settings, base_dir)
        self.trades_live = self.config["runmode"] in (RunMode.LIVE, RunMode.DRY_RUN)
        timeframe_ms = timeframe_to_msecs(self.timeframe)
        if self.trades_live:
            source: LiveSource | HistorySource = LiveSource(Reader(store), settings)
            self.engine = Engine(settings, timeframe_ms, source, "live")
            self.ignore_buying_expired_candle_after = int(settings.max_entry_delay_s)
            self.files = RuntimeFiles.of(store, base_dir)
            self.autostart = None
            if settings.autostart:
                self.autostart = Autostart(
                    self.files, sidecar_config(self.config, settings, base_dir)
                )
                self.autostart.ensure()
        else:
            source = HistorySource(Reader(store), settings)
            self.engine = Engine(settings, timeframe_ms, source, settings.backtest_verdicts)
        self.notices = Notices()
        self.floor_checked = False
        self.floor_problem: str | None = None

    def _parameters(self) -> dict:
        names = (
            *("z_threshold", "z_strong", "purity_threshold", "purity_strong", "trend_k"),
            *("min_confidence", "direction_mode"),
            *("trailing_pct", "trailing_arm_pct", "fallback_pct"),
        )
        return {name: getattr(self, name) for name in names}

    def rules(self) -> Rules:
        """:return: the decision rules, with parameters from a file or from hyperopt if any"""
        settings = self.liq_settings
        return Rules(
            Thresholds(
                self.z_threshold.value,
                max(self.z_strong.value, self.z_threshold.value),
                self.purity_threshold.value,
                max(self.purity_strong.value, self.purity_threshold.value),
                settings.min_count,
                settings.min_segment_usd,
                settings.zscore,
                self.direction_mode.value,
            ),
            settings.segment_min,
            self.trend_k.value,
            Confidence.of(self.min_confidence.value),
            settings.settle_ms,
            settings.max_entry_delay_ms,
        )

    def stop_rules(self) -> StopRules:
        """:return: distances of the stops"""
        return StopRules(
            self.trailing_pct.value, self.trailing_arm_pct.value, self.fallback_pct.value
        )

    # -- every loop -----------------------------------------------------------------------

    def bot_loop_start(self, current_time: datetime, **kwargs) -> None:
        """Live: read the store, keep the sidecar alive, say what changed."""
        if not self.trades_live:
            return
        try:
            self.files.beat()
            if self.autostart is not None:
                self.autostart.ensure()
        except OSError as error:
            logger.error("The sidecar cannot be watched: %s", error)
        self.engine.refresh(_ms(current_time))
        if not self.floor_checked:
            self._compare_with_settings()
        self.engine.problem = self.engine.problem or self.floor_problem
        message = self.notices.data(self.engine.problem)
        if message:
            logger.warning(message) if self.engine.problem else logger.info(message)
            self.dp.send_msg(message, always_send=True)

    def _compare_with_settings(self) -> None:
        """Parameters are loaded after bot_start, so their first use is here."""
        self.floor_checked = True
        for name, parameter in self._parameters().items():
            configured = getattr(self.liq_settings, name)
            if parameter.value != configured:
                logger.info(
                    "%s = %s from the parameter file wins over liq_provider.%s = %s",
                    *(name, parameter.value, name, configured),
                )
        self.floor_problem = check_floor(
            self.liq_settings, self.z_threshold.value, self.purity_threshold.value
        )

    def analyze(self, pairs: list[str]) -> None:
        """Populate only what changed, rank this candle's candidates, then let signals out."""
        newest = self._newest(pairs)
        due = self.engine.to_analyze(newest)
        missing = [pair for pair in pairs if pair not in newest]
        super().analyze(due + missing)
        self.engine.analyzed(due, newest)
        if not newest:
            return
        close_ms = max(newest.values())
        whitelist = self.dp.current_whitelist()
        changed = self.engine.choose(
            close_ms, whitelist, self._free_slots(), self._blocked(whitelist, close_ms)
        )
        super().analyze([pair for pair in changed if pair in newest])
        for message in self.notices.waves(self.engine, whitelist, close_ms):
            logger.info(message)
            self.dp.send_msg(message, always_send=True)

    def _newest(self, pairs: list[str]) -> dict[str, int]:
        newest = {}
        for pair in pairs:
            frame = self.dp.ohlcv(pair, self.timeframe, copy=False)
            if len(frame):
                opened = frame["date"].iat[-1]
                newest[pair] = int(opened.timestamp() * 1000) + self.engine.timeframe_ms
        return newest

    def _free_slots(self) -> float:
        limit = self.config["max_open_trades"]
        return limit if limit < 0 else max(0, limit - Trade.get_open_trade_count())

    def _blocked(self, pairs: list[str], close_ms: int) -> set[str]:
        blocked = {trade.pair for trade in Trade.get_trades_proxy(is_open=True)}
        for pair in pairs:
            if self.engine.candidate(pair, close_ms) is None or pair in blocked:
                continue
            decisions, row = self.engine.decision(pair, close_ms)
            side = "long" if decisions.sign[row] > 0 else "short"
            if PairLocks.is_pair_locked(pair, side=side):
                blocked.add(pair)
        return blocked

    # -- columns --------------------------------------------------------------------------

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        """Trend inputs, and the indicators shown beside them."""
        return with_indicators(self.engine.indicators(dataframe, metadata["pair"]))

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        """Decisions and entries."""
        return self.engine.entries(dataframe, metadata["pair"], self.rules())

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        """Reversals."""
        return self.engine.exits(dataframe, metadata["pair"])

    # -- orders ---------------------------------------------------------------------------

    def confirm_trade_entry(self, pair: str, current_time: datetime, side: str, **kwargs) -> bool:
        """The last guard before an order; denies on any doubt and on any exception."""
        try:
            reason = self._deny(pair, side == "short", _ms(current_time))
        except Exception:
            logger.exception("confirm_trade_entry failed for %s; the entry is denied", pair)
            return False
        if reason is not None and self.trades_live:
            logger.info("%s: entry denied, %s", pair, reason)
        return reason is None

    def _deny(self, pair: str, is_short: bool, now_ms: int) -> str | None:
        if self.trades_live:
            reason = guards.deny_live(self.engine, pair, is_short, now_ms)
        else:
            opened = {trade.pair for trade in Trade.get_trades_proxy(is_open=True)}
            reason = guards.deny_backtest(
                self.engine, pair, is_short, now_ms, self._free_slots(), opened
            )
        closed = Trade.get_trades_proxy(pair=pair, is_open=False)
        return reason or guards.deny_repeat(
            self.engine, pair, is_short, now_ms, guards.latest(closed)
        )

    def leverage(self, max_leverage: float, **kwargs) -> float:
        """The configured leverage, never more than the pair allows."""
        return min(self.liq_settings.leverage, max_leverage)

    def custom_entry_price(self, proposed_rate: float, side: str, **kwargs) -> float:
        """For limit orders: at most ``max_slippage_pct`` worse than the book."""
        sign = -1 if side == "short" else 1
        return proposed_rate * (1 + sign * self.liq_settings.max_slippage_pct)

    def order_filled(self, pair: str, trade: Trade, order, current_time: datetime, **kwargs):
        """Keep what the entry was based on with the trade, for FreqUI and Telegram."""
        if order.ft_order_side == trade.entry_side and self.trades_live:
            close_ms = self.engine.signal_close_ms(_ms(trade.open_date_utc))
            for key, value in guards.record(self.engine, pair, close_ms).items():
                trade.set_custom_data(f"liq_{key}", value)

    def custom_exit(
        self, pair: str, trade: Trade, current_time: datetime, current_rate: float, **kwargs
    ) -> str | None:
        """Upgrade: a surer signal of the same direction while the position is open."""
        now_ms = _ms(current_time)
        if not self.trades_live:
            crossed = guards.exit_at_open(self._stops(pair, trade, now_ms), current_rate)
            if crossed is not None:
                return crossed
        level = self.engine.level_at(pair, self.engine.signal_close_ms(now_ms), trade.is_short)
        recorded = level_of_tag(trade.enter_tag)
        if level <= recorded or (self.trades_live and self.engine.problem is not None):
            return None
        if self.liq_settings.on_upgrade == "reopen":
            return UPGRADE
        if level > int(trade.get_custom_data("liq_level", recorded)):
            trade.set_custom_data("liq_level", level)
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
        now = self._stops(pair, trade, _ms(current_time))
        return as_freqtrade(now.binding, current_rate, trade.is_short, trade.leverage or 1.0)

    def _stops(self, pair: str, trade: Trade, now_ms: int):
        return guards.current_stops(
            self.engine,
            pair,
            open_rate=trade.open_rate,
            opened_ms=_ms(trade.open_date_utc),
            is_short=trade.is_short,
            seen_best=trade.min_rate if trade.is_short else trade.max_rate,
            now_ms=now_ms,
            rules=self.stop_rules(),
        )

    def plot_annotations(
        self, pair: str, start_date: datetime, end_date: datetime, dataframe: DataFrame, **kwargs
    ) -> list:
        """Waves as areas on FreqUI's chart."""
        return annotations(dataframe, self.engine.timeframe_ms)


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)
