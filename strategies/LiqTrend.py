"""
LiqTrend: trade with a wave of one-sided liquidations, if price and the judge agree.

The settings are in the section ``liq_provider`` of Freqtrade's configuration. These must stay
as they are here: ``process_only_new_candles``, ``use_exit_signal``, ``exit_profit_only``,
``use_custom_stoploss``, ``trailing_stop``, ``minimal_roi``, ``stoploss``.

Each callback hands over to ``Trading``, which catches what would let a trade through, or keep an
old stop, if Freqtrade saw it raised.
"""

from datetime import datetime

from freqtrade.exceptions import OperationalException
from freqtrade.persistence import Trade
from freqtrade.strategy import CategoricalParameter, IStrategy
from pandas import DataFrame

from liq_provider.api import (
    PLOT_CONFIG,
    PURITY,
    SCALES,
    ExactDecimal,
    LiqError,
    Trading,
    prepare_pairs,
    refuse_parameters,
    refuse_spot,
)

# What hyperopt tries of the classic score; with another ``zscore`` it tries that one's.
Z, P = SCALES["classic"], PURITY


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
    liq = None  # made in bot_start

    z_threshold = ExactDecimal(*Z.search, default=Z.medium, decimals=Z.decimals, space="buy")
    z_strong = ExactDecimal(*Z.search_strong, default=Z.strong, decimals=Z.decimals, space="buy")
    purity_threshold = ExactDecimal(*P.search, default=P.medium, decimals=P.decimals, space="buy")
    purity_strong = ExactDecimal(
        *P.search_strong, default=P.strong, decimals=P.decimals, space="buy"
    )
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
            refuse_parameters(self)
            prepare_pairs(config)
        except LiqError as error:
            raise CannotStart(str(error)) from error
        super().__init__(config)

    def bot_start(self, **kwargs) -> None:
        """Validate everything, and in live modes make sure that a sidecar runs."""
        try:
            # Leave out ``own`` if you let the methods below change a frame or a trade.
            self.liq = Trading(self, own=LiqTrend)
        except LiqError as error:
            raise CannotStart(str(error)) from error

    def ft_bot_cleanup(self) -> None:
        """Freqtrade ends, or makes another strategy object for a new configuration."""
        super().ft_bot_cleanup()
        if self.liq is not None:
            self.liq.end()

    # -- every loop -----------------------------------------------------------------------

    def bot_loop_start(self, current_time: datetime, **kwargs) -> None:
        """Live: read the store, keep the sidecar alive, say what changed. Backtest: warn once."""
        self.liq.begin(current_time)

    def analyze(self, pairs: list[str]) -> None:
        """Populate only what changed, rank this candle's candidates, then let signals out."""
        self.liq.analyze(pairs, super().analyze)

    # -- columns --------------------------------------------------------------------------

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        """Trend inputs, and the indicators shown beside them."""
        return self.liq.indicators(dataframe, metadata["pair"])

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        """Decisions and entries."""
        return self.liq.entries(dataframe, metadata["pair"])

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        """Reversals."""
        return self.liq.exits(dataframe, metadata["pair"])

    # -- orders ---------------------------------------------------------------------------

    def confirm_trade_entry(
        self, pair: str, current_time: datetime, side: str, entry_tag: str | None = None, **kwargs
    ) -> bool:
        """The last guard before an order; denies on any doubt and on any exception."""
        return self.liq is not None and self.liq.confirm(pair, current_time, side, entry_tag)

    def leverage(self, max_leverage: float, **kwargs) -> float:
        """The configured leverage, never more than the pair allows."""
        return min(self.liq.settings.leverage, max_leverage)

    def custom_entry_price(
        self, pair: str, proposed_rate: float, side: str, entry_tag: str | None = None, **kwargs
    ) -> float:
        """For limit orders: at most ``max_slippage_pct`` worse than the book."""
        return self.liq.entry_price(pair, proposed_rate, side, entry_tag)

    def order_filled(self, pair: str, trade: Trade, order, current_time: datetime, **kwargs):
        """Keep with the trade what its orders were based on, for FreqUI and Telegram."""
        self.liq.filled(trade, order)

    def custom_exit(
        self, pair: str, trade: Trade, current_time: datetime, current_rate: float, **kwargs
    ) -> str | None:
        """Upgrade: a surer signal of the same direction while the position is open."""
        return self.liq.exit_reason(pair, trade, current_time, current_rate)

    def custom_stoploss(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        after_fill: bool,
        **kwargs,
    ) -> float | None:
        """Both stops, the tighter wins; needs nothing but the trade itself when live."""
        return self.liq.stop(pair, trade, current_time, current_rate, after_fill)

    def plot_annotations(
        self, pair: str, start_date: datetime, end_date: datetime, dataframe: DataFrame, **kwargs
    ) -> list:
        """Waves as areas on FreqUI's chart."""
        return [] if self.liq is None else self.liq.annotations(pair, dataframe)
