"""Settings of Freqtrade that would quietly break LiqTrend, refused before trading starts."""

from collections.abc import Iterator, Mapping
from typing import Any

from freqtrade.exchange import timeframe_to_minutes

from liq_provider.bot.window_choices import settings_with
from liq_provider.config.settings import Settings, sidecar_settings
from liq_provider.errors import SettingsError

# A return on investment of this much is never reached; below it, it would cut winners.
_NEVER_ROI = 10.0

# Isolated margin is gone after a move of 1/leverage, less what maintenance and Freqtrade's own
# buffer take, which differs by exchange, pair and size. So half of it is left alone.
_SAFE_SHARE = 0.5


def refuse_spot(config: Mapping[str, Any]) -> None:
    """
    Before Freqtrade looks at it, as its own advice (switch shorts off) would not help here.

    :raises SettingsError: names the key
    """
    problem = next(_market(config), None)
    if problem is not None:
        raise SettingsError(problem)


def check_bot(config: Mapping[str, Any], strategy: Any, settings: Settings) -> None:
    """
    :param config: Freqtrade's configuration after the strategy was resolved
    :param strategy: the strategy object
    :raises SettingsError: one line for each wrong setting, naming its key and the remedy
    """
    problems = [
        *_market(config),
        *_margin(config),
        *_exits(strategy, settings),
        *_time(config, settings, strategy),
    ]
    if problems:
        raise SettingsError("LiqTrend cannot run with this configuration:\n" + "\n".join(problems))


def check_columns(config: Mapping[str, Any], strategy: Any, settings: Settings) -> None:
    """
    What columns beside any strategy's candles need, to be the same live and in backtests.

    :raises SettingsError: one line for each wrong setting, naming its key and the remedy
    """
    problems = [*_late_minutes(strategy), *_time(config, settings, strategy)]
    if problems:
        raise SettingsError("Liquidations cannot be added:\n" + "\n".join(problems))


def check_timeframe(timeframe: str, settings: Settings) -> None:
    """
    :param timeframe: of candles that columns are added to
    :raises SettingsError: one line for each reason why they cannot be added to such candles
    """
    problems = list(_candles(timeframe, settings))
    if problems:
        raise SettingsError("Liquidations cannot be added:\n" + "\n".join(problems))


def _late_minutes(strategy: Any) -> Iterator[str]:
    if strategy.process_only_new_candles:
        yield (
            "process_only_new_candles: must be false; a minute settles, and is judged, after its "
            "candle is there"
        )


def _market(config: Mapping[str, Any]) -> Iterator[str]:
    if _word(config.get("trading_mode", "spot")) != "futures":
        yield 'trading_mode: must be "futures"; liquidations and shorts exist only there'


def _margin(config: Mapping[str, Any]) -> Iterator[str]:
    if _word(config.get("margin_mode", "")) != "isolated":
        yield 'margin_mode: must be "isolated", so that one position cannot drain the account'


def _word(value: Any) -> str:
    """Freqtrade puts enumerations where the file had words."""
    return str(getattr(value, "value", value) or "")


def _exits(strategy: Any, settings: Settings) -> Iterator[str]:
    for key, wanted, why in (
        ("trailing_stop", False, "the trailing stop is liq_provider.trailing_pct"),
        ("exit_profit_only", False, "reversals must close losers, too"),
        ("use_exit_signal", True, "upgrades and reversals are exit signals"),
        ("use_custom_stoploss", True, "both stops live there"),
        ("position_adjustment_enable", False, "stops are computed from one entry"),
        ("process_only_new_candles", False, "late minutes and verdicts count in the same candle"),
        ("can_short", True, "half of all waves are shorts"),
    ):
        if bool(getattr(strategy, key, None)) is not wanted:
            yield f"{key}: must be {str(wanted).lower()}; {why}"
    if any(roi < _NEVER_ROI for roi in strategy.minimal_roi.values()):
        yield 'minimal_roi: must be {} (or {"0": 100}); it would close winners early'
    yield from stop_problems(settings.fallback_pct, settings.leverage, strategy.stoploss)


def stop_problems(fallback_pct: float, leverage: float, stoploss: float) -> Iterator[str]:
    """
    :param fallback_pct: the value in force, perhaps from a parameter file
    :param stoploss: Freqtrade's own, of the strategy
    :return: why the fallback stop would not be what closes a losing position
    """
    needed = fallback_pct * leverage
    if abs(stoploss) < needed:
        yield (
            f"stoploss: {stoploss} is tighter than liq_provider.fallback_pct * "
            f"liq_provider.leverage ({needed:.3f}); leave it at -0.99, the fallback stop is the "
            "real one"
        )
    if needed >= _SAFE_SHARE:
        yield (
            f"liq_provider.fallback_pct: {fallback_pct} is too close to the liquidation price, or "
            f"beyond it, with liq_provider.leverage {leverage:g}; their product must be below "
            f"{_SAFE_SHARE}, lower one of them"
        )


def _time(config: Mapping[str, Any], settings: Settings, strategy: Any) -> Iterator[str]:
    yield from _candles(str(config.get("timeframe") or ""), settings)
    if strategy.startup_candle_count <= settings.trend_candles:
        yield (
            f"startup_candle_count: {strategy.startup_candle_count} must be more than "
            f"liq_provider.trend_candles ({settings.trend_candles}); set it in the configuration"
        )


def _candles(timeframe: str, settings: Settings) -> Iterator[str]:
    try:
        minutes = timeframe_to_minutes(timeframe)
    except Exception:
        yield f"timeframe: {timeframe!r} is none; write 1m, 5m, 15m or 1h"
        return
    if settings.segment_min % minutes:
        yield (
            f"timeframe: {timeframe} does not divide liq_provider.segment_min "
            f"({settings.segment_min} min); use a shorter timeframe or a longer segment"
        )
    for choice in settings.hyperopt_windows:
        if settings_with(settings, choice).segment_min % minutes:
            yield (
                f"timeframe: {timeframe} does not divide the segment of {choice} in "
                "liq_provider.hyperopt_windows"
            )
    if settings.max_entry_delay_s >= minutes * 60:
        yield (
            f"liq_provider.max_entry_delay_s: {settings.max_entry_delay_s:g} must be below the "
            f"timeframe ({timeframe})"
        )


def check_served(
    settings: Settings,
    z_threshold: float,
    purity_threshold: float,
    direction_mode: str,
    sidecar: Mapping[str, Any],
) -> str | None:
    """
    Can the sidecar have judged what these parameters ask for? A threshold below the judge's
    floor, or the other direction, would wait for verdicts that are never made.

    :param z_threshold: the strategy's own, perhaps from a parameter file; so are the next two
    :param sidecar: the running sidecar's status; it may have been started with other settings
    :return: why they cannot be served, None if they can
    """
    running = sidecar.get("settings", {})
    scored_by = running.get("zscore", settings.zscore)
    if scored_by != settings.zscore:
        return (
            f"liq_provider.zscore {settings.zscore} differs from {scored_by}, which the running "
            "sidecar judges by; restart it (liq-provider stop)"
        )
    floor = {**settings.judge.model_dump(), **running.get("judge", {})}
    for name, value, key in (
        ("z_threshold", z_threshold, "z_min"),
        ("purity_threshold", purity_threshold, "purity_min"),
    ):
        if value < getattr(settings.judge, key):
            return (
                f"{name} {value} is below liq_provider.judge.{key} "
                f"{getattr(settings.judge, key)}: waves in between are never judged; "
                "raise one or lower the other"
            )
        if value < floor[key]:
            return (
                f"{name} {value} is below judge.{key} {floor[key]} of the running sidecar: "
                "waves in between are never judged; restart it (liq-provider stop)"
            )
    if direction_mode != settings.direction_mode:
        return (
            f"direction_mode {direction_mode} of the parameter file differs from "
            f"liq_provider.direction_mode {settings.direction_mode}, which the sidecar judges by; "
            "set the latter to the same"
        )
    counted_from = running.get("min_event_usd", settings.min_event_usd)
    if counted_from != settings.min_event_usd:
        return (
            f"liq_provider.min_event_usd {settings.min_event_usd:g} differs from "
            f"{counted_from:g} of the running sidecar; set it to that, or restart the sidecar "
            "(liq-provider stop) and run `liq-provider rebuild`"
        )
    judged_by = running.get("direction_mode", direction_mode)
    if direction_mode != judged_by:
        return (
            f"direction_mode {direction_mode} differs from {judged_by}, which the running sidecar "
            "judges by; restart it (liq-provider stop)"
        )
    return None


def other_sidecar_settings(settings: Settings, sidecar: Mapping[str, Any]) -> list[str]:
    """
    :param sidecar: the running sidecar's status
    :return: what it was started with and this bot has otherwise, one ``key: theirs, here ours``
        each; such as after ``reload_config``, or if another bot started it
    """
    running = sidecar.get("settings", {})
    return [
        line
        for key, ours in sidecar_settings(settings).items()
        if key in running
        for line in _differences(key, running[key], ours)
    ]


def _differences(key: str, theirs: Any, ours: Any) -> Iterator[str]:
    if isinstance(theirs, Mapping) and isinstance(ours, Mapping):
        for name in ours:
            yield from _differences(f"{key}.{name}", theirs.get(name), ours[name])
    elif theirs != ours:
        yield f"{key}: {theirs}, here {ours}"
