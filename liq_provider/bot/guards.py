"""The last look before an order: every reason why an entry must not happen."""

from liq_provider.bot.book import Book, LastTrade
from liq_provider.bot.columns import UPGRADE
from liq_provider.bot.engine import Engine
from liq_provider.bot.ranking import Candidate, rank
from liq_provider.bot.source import LiveSource


def deny_live(engine: Engine, pair: str, is_short: bool, now_ms: int) -> str | None:
    """
    :return: why a live entry must not happen, None if it may
    """
    close_ms = engine.signal_close_ms(now_ms)
    late = _not_now(engine, close_ms, now_ms)
    if late is not None:
        return late
    if not engine.dealings.offered(pair, close_ms):
        return "the pair is not among this candle's best"
    if not engine.level_at(pair, close_ms, is_short):
        return "the wave no longer supports this direction"
    verdict = engine.verdict(pair, close_ms)
    if verdict is None:
        return "there is no verdict"
    if verdict["expires_at"] < now_ms:
        return "the verdict has expired"
    return None


def _not_now(engine: Engine, close_ms: int, now_ms: int) -> str | None:
    """:return: why nobody may enter at this candle now"""
    assert isinstance(engine.source, LiveSource)
    problem = _problem(engine, now_ms)
    if problem is not None:
        return problem
    if engine.source.snapshot.computed_ms < close_ms:
        return "the candle's last minute is not settled"
    if now_ms > close_ms + engine.settings.max_entry_delay_ms:
        return "the signal is older than max_entry_delay_s"
    return None


def _problem(engine: Engine, now_ms: int) -> str | None:
    """The loop's own snapshot is what was decided on; a newer one may know better."""
    assert isinstance(engine.source, LiveSource)
    return engine.source.look().problem(now_ms, engine.settings) or engine.problem


def not_entered(engine: Engine, book: Book, pair: str, close_ms: int, now_ms: int) -> str | None:
    """
    For who is told of a wave whose verdict would let it in, after the candle was ranked.

    :return: why it is not entered, None if it is, or was
    """
    decided = engine.decision(pair, close_ms)
    if decided is None:
        return None
    decisions, row = decided
    is_short, level = bool(decisions.sign[row] < 0), int(decisions.level[row])
    position = book.position(pair)
    if position is not None and (position.is_short != is_short or level > position.level > 0):
        return _problem(engine, now_ms)  # else a reversal or an upgrade closes it first
    last = book.last(pair)
    for trade in (position, last):
        if _entered(trade, is_short, int(decisions.wave_ms[row]), level):
            return None
    if last is not None and last.exit_reason == UPGRADE and last.closed_ms >= close_ms:
        return None  # opened again at the next candle, if it holds
    if position is not None:
        return "a position of this pair is open"
    late = _not_now(engine, close_ms, now_ms)
    if late is not None:
        return late
    if engine.candidate(pair, close_ms) is None:
        return "its entry was due at an earlier candle"
    if book.locked(pair, is_short, close_ms):
        return "Freqtrade has locked the pair"
    if engine.dealings.failed(pair, close_ms):
        return "no order came of its signal"
    if not engine.dealings.offered(pair, close_ms):
        return "other pairs are surer, or no slot is free (max_open_trades)"
    return None


def deny_backtest(engine: Engine, book: Book, pair: str, is_short: bool, now_ms: int) -> str | None:
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
    out = blocked(engine, book, [item.pair for item in found], close_ms, now_ms)
    if pair not in {item.pair for item in rank(found, book.free_slots(), out)}:
        return "other pairs are surer and take the free slots"
    return None


def blocked(engine: Engine, book: Book, pairs: list[str], close_ms: int, now_ms: int) -> set[str]:
    """
    :param close_ms: close of the candle whose signals are ranked
    :return: those of the pairs that could not enter, and must take no slot from one that can:
        open, locked, closed in this very candle (backtests), or traded in this wave
    """
    found = book.open_pairs() & set(pairs)
    for pair in set(pairs) - found:
        candidate = engine.candidate(pair, close_ms)
        if candidate is None:
            continue
        is_short = candidate.sign < 0
        at_ms = close_ms if engine.live else now_ms
        if book.locked(pair, is_short, at_ms) or deny_repeat(engine, book, pair, is_short, now_ms):
            found.add(pair)
    return found


def deny_repeat(engine: Engine, book: Book, pair: str, is_short: bool, now_ms: int) -> str | None:
    """
    :return: why this would be a second entry into one wave, None if it is not
    """
    decided = engine.decision(pair, engine.signal_close_ms(now_ms))
    if decided is None:
        return "there is no decision for this candle"
    decisions, row = decided
    last = book.last(pair)
    if last is None:
        return None
    if not engine.live and last.closed_ms >= now_ms - now_ms % engine.timeframe_ms:
        return "a position of this pair was closed in this candle"
    if last.exit_reason == UPGRADE:
        return None
    traded = _entered(last, is_short, int(decisions.wave_ms[row]), int(decisions.level[row]))
    return "this wave was already traded" if traded else None


def _entered(trade: LastTrade | None, is_short: bool, wave_ms: int, level: int) -> bool:
    """:return: whether a trade is of this wave, and its signal not surer since"""
    return (
        trade is not None
        and trade.is_short == is_short
        and trade.opened_ms >= wave_ms
        and level <= trade.level
    )
