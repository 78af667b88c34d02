"""Freqtrade settings that would quietly break LiqTrend, refused before trading starts."""

from collections.abc import Iterator, Mapping
from typing import Any

from freqtrade.exchange import timeframe_to_minutes

from liq_provider.errors import SettingsError
from liq_provider.settings import Settings

# A return on investment of this much is never reached; below it, it would cut winners.
_NEVER_ROI = 10.0


def check_bot(config: Mapping[str, Any], strategy: Any, settings: Settings) -> None:
    """
    :param config: Freqtrade's configuration after the strategy was resolved
    :param strategy: the strategy object
    :raises SettingsError: one line for each wrong setting, naming its key and the remedy
    """
    problems = [*_market(config), *_exits(strategy, settings), *_time(config, settings)]
    if problems:
        raise SettingsError("LiqTrend cannot run with this configuration:\n" + "\n".join(problems))


def _market(config: Mapping[str, Any]) -> Iterator[str]:
    if str(config.get("trading_mode", "spot")) not in ("futures", "TradingMode.FUTURES"):
        yield 'trading_mode: must be "futures"; liquidations and shorts exist only there'
    if str(config.get("margin_mode") or "") not in ("isolated", "MarginMode.ISOLATED"):
        yield 'margin_mode: must be "isolated", so that one position cannot drain the account'


def _exits(strategy: Any, settings: Settings) -> Iterator[str]:
    for key, wanted, why in (
        ("trailing_stop", False, "the trailing stop is liq_provider.trailing_pct"),
        ("exit_profit_only", False, "reversals must close losers, too"),
        ("use_exit_signal", True, "upgrades and reversals are exit signals"),
        ("use_custom_stoploss", True, "both stops live there"),
        ("position_adjustment_enable", False, "stops are computed from one entry"),
        ("can_short", True, "half of all waves are shorts"),
    ):
        if bool(getattr(strategy, key, None)) is not wanted:
            yield f"{key}: must be {str(wanted).lower()}; {why}"
    if any(roi < _NEVER_ROI for roi in strategy.minimal_roi.values()):
        yield 'minimal_roi: must be {} (or {"0": 100}); it would close winners early'
    needed = settings.fallback_pct * settings.leverage
    if abs(strategy.stoploss) < needed:
        yield (
            f"stoploss: {strategy.stoploss} is tighter than liq_provider.fallback_pct * leverage "
            f"({needed:.3f}); leave it at -0.99, the fallback stop is the real one"
        )
    # Isolated margin is gone after a move of 1/leverage, less what maintenance takes.
    if needed >= 0.9:
        yield (
            f"liq_provider.fallback_pct: {settings.fallback_pct} lies beyond the liquidation price "
            f"at leverage {settings.leverage:g}; lower one of them"
        )


def _time(config: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    timeframe = str(config.get("timeframe") or "")
    minutes = timeframe_to_minutes(timeframe)
    if settings.segment_min % minutes:
        yield (
            f"timeframe: {timeframe} does not divide liq_provider.segment_min "
            f"({settings.segment_min} min); use a shorter timeframe or a longer segment"
        )
    if settings.max_entry_delay_s >= minutes * 60:
        yield (
            f"liq_provider.max_entry_delay_s: {settings.max_entry_delay_s:g} must be below the "
            f"timeframe ({timeframe})"
        )


def check_floor(settings: Settings, z_threshold: float, purity_threshold: float) -> str | None:
    """
    :return: why the strategy's thresholds cannot be served, None if they can; a threshold below
        the judge's floor would ask for verdicts that were never made
    """
    judge = settings.judge
    if z_threshold < judge.z_min:
        return (
            f"z_threshold {z_threshold} is below liq_provider.judge.z_min {judge.z_min}: "
            "waves in between are never judged; raise one or lower the other"
        )
    if purity_threshold < judge.purity_min:
        return (
            f"purity_threshold {purity_threshold} is below liq_provider.judge.purity_min "
            f"{judge.purity_min}: waves in between are never judged; raise one or lower the other"
        )
    return None
