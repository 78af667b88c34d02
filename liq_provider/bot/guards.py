"""The last look before an order, and what is left to say about an open position."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from liq_provider.bot.columns import UPGRADE, level_of_tag
from liq_provider.bot.engine import Engine
from liq_provider.bot.ranking import Candidate, rank
from liq_provider.bot.source import LiveSource
from liq_provider.bot.stops import StopRules, Stops, crossed, stops
from liq_provider.judge.matrix import NEWS_CODES
from liq_provider.wave import Strength, direction_word


@dataclass(frozen=True, slots=True)
class LastTrade:
    """
    The pair's latest closed trade.

    :param level: confidence that it was entered with
    """

    opened_ms: int
    is_short: bool
    exit_reason: str
    level: int


def deny_live(engine: Engine, pair: str, is_short: bool, now_ms: int) -> str | None:
    """
    :return: why a live entry must not happen, None if it may
    """
    close_ms = engine.signal_close_ms(now_ms)
    assert isinstance(engine.source, LiveSource)
    snapshot = engine.source.snapshot
    problem = snapshot.problem(now_ms, engine.settings) or engine.problem
    if problem is not None:
        return problem
    if snapshot.computed_ms < close_ms:
        return "the candle's last minute is not settled"
    if now_ms > close_ms + engine.settings.max_entry_delay_ms:
        return "the signal is older than max_entry_delay_s"
    if engine.chosen.get(pair) != close_ms:
        return "the pair is not among this candle's best"
    if not engine.level_at(pair, close_ms, is_short):
        return "the wave no longer supports this direction"
    verdict = engine.verdict(pair, close_ms)
    if verdict is None:
        return "there is no verdict"
    if verdict["expires_at"] < now_ms:
        return "the verdict has expired"
    return None


def deny_backtest(
    engine: Engine, pair: str, is_short: bool, now_ms: int, free_slots: float, open_pairs: set[str]
) -> str | None:
    """
    Ranking in backtests: every pair's candle at the same time, so no pair sees another's
    future, and none its past instead of its present.
    """
    close_ms = engine.signal_close_ms(now_ms)
    if not engine.level_at(pair, close_ms, is_short):
        return "no candidate at this candle"
    found: list[Candidate] = []
    for other in engine.pairs:
        candidate = engine.candidate(other, close_ms)
        if candidate is not None:
            found.append(candidate)
    if pair not in {item.pair for item in rank(found, free_slots, open_pairs)}:
        return "other pairs are surer and take the free slots"
    return None


def deny_repeat(
    engine: Engine, pair: str, is_short: bool, now_ms: int, last: LastTrade | None
) -> str | None:
    """
    :param last: the pair's latest closed trade
    :return: why this would be a second entry into one wave, None if it is not
    """
    close_ms = engine.signal_close_ms(now_ms)
    found = engine.decision(pair, close_ms)
    if found is None:
        return "there is no decision for this candle"
    decisions, row = found
    if last is None or last.is_short != is_short or last.opened_ms < decisions.wave_ms[row]:
        return None
    if last.exit_reason == UPGRADE or decisions.level[row] > last.level:
        return None
    return "this wave was already traded"


def current_stops(
    engine: Engine,
    pair: str,
    *,
    open_rate: float,
    opened_ms: int,
    is_short: bool,
    seen_best: float | None,
    now_ms: int,
    rules: StopRules,
) -> Stops:
    """
    Both stops of a position.

    :param seen_best: Freqtrade's best rate of the trade; live it is the truth, in backtests it
        includes the running candle, which ``backtest_trail: previous`` leaves out
    """
    if engine.live or engine.settings.backtest_trail == "same":
        best = seen_best or None
    else:
        best = engine.best_completed(pair, opened_ms, now_ms, is_short)
    return stops(open_rate, best, is_short, rules)


def exit_at_open(now: Stops, open_of_candle: float) -> str | None:
    """
    In backtests: the stop was crossed before this candle began, so the honest fill is its open.

    :return: Freqtrade's name of the exit, None if the open is still inside the stop
    """
    if not crossed(now.binding, open_of_candle, now.is_short):
        return None
    return "stop_loss" if now.binding_name == "fallback" else "trailing_stop_loss"


def latest(closed: Sequence[Any]) -> LastTrade | None:
    """:return: the newest of a pair's closed trades (Freqtrade's ``Trade`` objects)"""
    if not closed:
        return None
    trade = max(closed, key=lambda item: item.open_date_utc)
    return LastTrade(
        opened_ms=int(trade.open_date_utc.timestamp() * 1000),
        is_short=bool(trade.is_short),
        exit_reason=str(trade.exit_reason or ""),
        level=level_of_tag(trade.enter_tag),
    )


def record(engine: Engine, pair: str, close_ms: int) -> dict[str, Any]:
    """:return: the numbers behind a candle's decision, to be kept with the trade"""
    found = engine.decision(pair, close_ms)
    if found is None:
        return {}
    decisions, row = found
    verdict = engine.verdict(pair, close_ms)
    return {
        "direction": direction_word(int(decisions.sign[row])),
        "strength": Strength(int(decisions.strength[row])).word,
        "z": round(float(decisions.z[row]), 2),
        "purity": round(float(decisions.purity[row]), 3),
        "notional_usd": round(float(decisions.long_usd[row] + decisions.short_usd[row])),
        "count": int(decisions.count[row]),
        "news": NEWS_CODES[int(decisions.news[row])].value,
        "level": int(decisions.level[row]),
        "judge": verdict["judge"] if verdict else "none",
        "reason": verdict["action_reason"] if verdict else "",
    }
