"""What only the bot knows of a pair: who may enter now, and the last look before an order."""

from dataclasses import replace

from liq_provider.bot.book import Book
from liq_provider.bot.columns import UPGRADE
from liq_provider.bot.engine import Engine
from liq_provider.bot.ranking import Candidate, rank, wave_of
from liq_provider.bot.source import LiveSource
from liq_provider.bot.story_from_bot import story_of
from liq_provider.judge.bot_gates import TROUBLES, Standing
from liq_provider.judge.gate_list import OF_JUDGEMENT, DecisionStory


def deny_live(engine: Engine, book: Book, pair: str, is_short: bool, now_ms: int) -> str | None:
    """
    :return: why a live entry must not happen, None if it may
    """
    close_ms = engine.signal_close_ms(now_ms)
    standing = live_standing(engine, book, pair, close_ms, now_ms, is_short)
    return story_of(engine, pair, close_ms, standing).refused_by


def live_standing(
    engine: Engine,
    book: Book,
    pair: str,
    close_ms: int,
    now_ms: int,
    is_short: bool | None = None,
) -> Standing:
    """
    :param close_ms: of the candle that is decided on, after it was ranked
    :param is_short: direction of an order; None: that of the wave
    """
    assert isinstance(engine.source, LiveSource)
    sign = _sign(engine, pair, close_ms)
    short = sign < 0 if is_short is None else is_short
    supported = None if is_short is None else sign == (-1 if is_short else 1)
    return replace(
        _of_trades(engine, book, pair, short, close_ms, now_ms),
        listed=None if engine.whitelist is None else pair in engine.whitelist,
        unlocked=not book.locked(pair, short, close_ms),
        ordered=not engine.dealings.failed(pair, close_ms),
        chosen=engine.dealings.offered(pair, close_ms),
        supported=supported,
        decided=engine.decision(pair, close_ms) is not None,
        troubles=troubles(engine, now_ms),
        why=_reasons(engine, close_ms),
        **of_time(engine, pair, close_ms, now_ms),
    )


def of_time(engine: Engine, pair: str, close_ms: int, now_ms: int) -> dict[str, bool | None]:
    """:return: the gates that fail of themselves as time goes on, see ``Standing``"""
    assert isinstance(engine.source, LiveSource)
    verdict = engine.verdict(pair, close_ms)
    return {
        "settled": engine.source.snapshot.computed_ms >= close_ms,
        "timely": now_ms <= close_ms + engine.settings.max_entry_delay_ms,
        "alive": None if verdict is None else verdict["expires_at"] >= now_ms,
    }


def _reasons(engine: Engine, close_ms: int) -> dict[str, str]:
    """What is known of why a gate fails, see ``Standing``."""
    late = None if engine.candles is None else engine.candles.why_late(close_ms)
    return {} if late is None else {"lateness": late}


def troubles(engine: Engine, now_ms: int) -> dict[str, str | None]:
    """:return: what keeps all entries back, by gate, see ``bot_gates.TROUBLES``"""
    assert isinstance(engine.source, LiveSource)
    # The loop's own snapshot is what was decided on; a newer one may know better.
    newest = engine.source.look().troubles(now_ms, engine.settings)
    return newest | {"bot": None if engine.problem in newest.values() else engine.problem}


def announced(engine: Engine, book: Book, pair: str, close_ms: int, now_ms: int) -> DecisionStory:
    """
    For who is told of a wave, after the candle was ranked.

    :return: its story; a wave that was entered is not told as one that is refused, and a position
        that a reversal or an upgrade closes first does not stand in its way
    """
    standing = live_standing(engine, book, pair, close_ms, now_ms)
    story = story_of(engine, pair, close_ms, standing)
    decided = engine.decision(pair, close_ms)
    if decided is None or story.as_judged.failed is not None:
        return story
    decisions, row = decided
    is_short, level = bool(decisions.sign[row] < 0), int(decisions.level[row])
    position, last = book.position(pair), book.last(pair)
    if position is not None and (position.is_short != is_short or level > position.level > 0):
        return story.only(*OF_JUDGEMENT, *TROUBLES)
    wave = wave_of(pair, decisions, row)
    entered = any(trade.entered(wave, level) for trade in (position, last) if trade is not None)
    # Opened again at the next candle, if it holds.
    upgraded = last is not None and last.exit_reason == UPGRADE and last.closed_ms >= close_ms
    return story.as_judged if entered or upgraded else story


def deny_backtest(engine: Engine, book: Book, pair: str, is_short: bool, now_ms: int) -> str | None:
    """
    Ranking in backtests: every pair's candle at the same time, so no pair sees another's
    future, and none its past instead of its present.
    """
    close_ms = engine.signal_close_ms(now_ms)
    candidates = [
        candidate
        for other in engine.pairs
        if (candidate := engine.candidate(other, close_ms)) is not None
    ]
    out = blocked(engine, book, [one.pair for one in candidates], close_ms, now_ms)
    standing = replace(
        _of_trades(engine, book, pair, is_short, close_ms, now_ms),
        chosen=pair in {one.pair for one in rank(candidates, book.free_slots(), out)},
        supported=_sign(engine, pair, close_ms) == (-1 if is_short else 1),
    )
    return story_of(engine, pair, close_ms, standing).refused_by


def blocked(engine: Engine, book: Book, pairs: list[str], close_ms: int, now_ms: int) -> set[str]:
    """
    :param close_ms: close of the candle whose signals are ranked
    :return: those of the pairs that could not enter, and must take no slot from one that can:
        open, locked, closed in this very candle (backtests), or traded in this wave
    """
    out = book.open_pairs() & set(pairs)
    for pair in set(pairs) - out:
        candidate: Candidate | None = engine.candidate(pair, close_ms)
        if candidate is None:
            continue
        is_short = candidate.sign < 0
        at_ms = close_ms if engine.live else now_ms
        known = _of_trades(engine, book, pair, is_short, close_ms, now_ms)
        if book.locked(pair, is_short, at_ms) or not (known.rested and known.untraded):
            out.add(pair)
    return out


def _of_trades(
    engine: Engine, book: Book, pair: str, is_short: bool, close_ms: int, now_ms: int
) -> Standing:
    """What the pair's trades say: an open position, and one that was closed before."""
    flat = book.position(pair) is None
    decided, last = engine.decision(pair, close_ms), book.last(pair)
    if last is None or decided is None:
        return Standing(flat=flat, rested=True, untraded=True)
    decisions, row = decided
    rested = engine.live or last.closed_ms < now_ms - now_ms % engine.timeframe_ms
    wave = (pair, -1 if is_short else 1, int(decisions.wave_ms[row]))
    traded = last.exit_reason != UPGRADE and last.entered(wave, int(decisions.level[row]))
    return Standing(flat=flat, rested=rested, untraded=not traded)


def _sign(engine: Engine, pair: str, close_ms: int) -> int:
    decided = engine.decision(pair, close_ms)
    return 0 if decided is None else int(decided[0].sign[decided[1]])
