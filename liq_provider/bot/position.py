"""An open position: its stops, and what is kept with it."""

from typing import Any

from liq_provider.bot.engine import Engine
from liq_provider.bot.stops import StopRules, Stops, as_freqtrade, crossed, stops
from liq_provider.bot.story_from_bot import story_of
from liq_provider.core.plaintext import plain
from liq_provider.judge.gate_list import enter_words
from liq_provider.judge.matrix import NEWS_CODES
from liq_provider.measure.scales import Score
from liq_provider.measure.waves import Strength, direction_word

# Custom data may hold more, but Telegram shows it in one message for each key.
_REASON_LIMIT = 200


def current_stops(engine: Engine, trade: Any, now_ms: int, rules: StopRules) -> Stops:
    """
    Both stops of a position. Freqtrade's best rate of the trade is the truth when live; in
    backtests it includes the running candle, which ``backtest_trail: previous`` leaves out.

    :param trade: Freqtrade's ``Trade``
    """
    if engine.live or engine.settings.backtest_trail == "same":
        # 0 or None right after the fill
        best = (trade.min_rate if trade.is_short else trade.max_rate) or None
    else:
        best = _best_completed(engine, trade, now_ms)
    return stops(trade.open_rate, best, trade.is_short, rules)


def fallback_alone(trade: Any, current_rate: float, fallback_pct: float) -> float:
    """:return: the fallback stop for ``custom_stoploss``, from nothing but the trade"""
    only = stops(trade.open_rate, None, trade.is_short, StopRules(1.0, 1.0, fallback_pct))
    return as_freqtrade(only.fallback, current_rate, trade.is_short, trade.leverage or 1.0)


def liquidated_first(trade: Any, rules: StopRules) -> str | None:
    """
    :return: a warning if the exchange would close the position before the fallback stop does
    """
    fallback = stops(trade.open_rate, None, trade.is_short, rules).fallback
    if not trade.liquidation_price or not crossed(
        trade.liquidation_price, fallback, trade.is_short
    ):
        return None
    return (
        f"{trade.pair}: the fallback stop ({fallback:g}) lies beyond the liquidation price "
        f"({trade.liquidation_price:g}), so it cannot close this position; lower "
        "liq_provider.fallback_pct or liq_provider.leverage"
    )


def exit_at_open(
    engine: Engine, trade: Any, now_ms: int, open_of_candle: float, rules: StopRules
) -> str | None:
    """
    In backtests: the stop was crossed before this candle began, so the honest fill is its
    open. What this candle brings does not count here, whatever ``backtest_trail`` says.

    :return: Freqtrade's name of the exit, None if the open is still inside the stop
    """
    best = _best_completed(engine, trade, now_ms)
    now = stops(trade.open_rate, best, trade.is_short, rules)
    if not crossed(now.binding, open_of_candle, now.is_short):
        return None
    return "stop_loss" if now.binding_name == "fallback" else "trailing_stop_loss"


def _best_completed(engine: Engine, trade: Any, now_ms: int) -> float | None:
    opened_ms = int(trade.open_date_utc.timestamp() * 1000)
    return engine.best_completed(trade.pair, opened_ms, now_ms, trade.is_short)


def record(engine: Engine, pair: str, close_ms: int) -> dict[str, Any]:
    """:return: the numbers behind a candle's decision, to be kept with the trade"""
    decided = engine.decision(pair, close_ms)
    if decided is None or not decided[0].candidate[decided[1]]:
        return {}
    decisions, row = decided
    verdict = engine.verdict(pair, close_ms)
    return {
        "direction": direction_word(int(decisions.sign[row])),
        "strength": Strength(int(decisions.strength[row])).word,
        **_score(decisions.zscore, float(decisions.z[row])),
        "purity": round(float(decisions.purity[row]), 3),
        "notional_usd": round(float(decisions.long_usd[row] + decisions.short_usd[row])),
        "count": int(decisions.count[row]),
        "news": NEWS_CODES[int(decisions.news[row])].value,
        "level": int(decisions.level[row]),
        "judge": verdict["judge"] if verdict else "none",
        "verdict": story_of(engine, pair, close_ms).as_judged.words,
        "reason": plain(verdict["action_reason"], _REASON_LIMIT) if verdict else "",
    }


def _score(zscore: Score, value: float) -> dict[str, Any]:
    """What is thresholded; of a share, two digits would not tell medium from strong."""
    if zscore == "classic":
        return {"z": round(value, 2)}
    return {"z": round(value, 4 if zscore == "percentile" else 2), "zscore": zscore}


def raise_confidence(trade: Any, level: int, entered: int) -> None:
    """
    A surer signal of the same direction, and the position is kept.

    :param entered: the confidence that it was entered with
    """
    if level > int(trade.get_custom_data("liq_level", entered)):
        trade.set_custom_data("liq_level", level)
        trade.set_custom_data("liq_verdict", enter_words(level))
