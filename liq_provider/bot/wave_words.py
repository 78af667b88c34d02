"""Waves and decisions in words, the same in messages, on charts and with trades."""

from liq_provider.judge.decisions import UNKNOWN_ALIGNMENT, Decisions
from liq_provider.judge.matrix import NEWS_CODES, Action, Confidence, News, decide
from liq_provider.measure.scales import score_words
from liq_provider.measure.waves import Strength, direction_word

# Of a wave that may be over: what it consists of came in minutes that nobody knew in time.
UNSEEN = "skip: its beginning was not seen"


def wave_words(found: Decisions, row: int) -> str:
    """:return: such as ``strong wave SHORT, z 9.0, purity 98%, $1,000,000``"""
    usd = found.long_usd[row] + found.short_usd[row]
    return (
        f"{Strength(int(found.strength[row])).word} wave {direction_word(int(found.sign[row]))}, "
        f"{score_words(found.zscore, found.z[row])}, purity {found.purity[row]:.0%}, ${usd:,.0f}"
    )


def decision_words_at(found: Decisions, row: int) -> str:
    """:return: see ``decision_words``"""
    return decision_words(
        judged=bool(found.judged[row]),
        strength=int(found.strength[row]),
        aligned=int(found.aligned[row]),
        news=int(found.news[row]),
        level=int(found.level[row]),
        candidate=bool(found.candidate[row]),
        seen=bool(found.seen[row]),
    )


def decision_words(
    *, judged: bool, strength: int, aligned: int, news: int, level: int, candidate: bool, seen: bool
) -> str:
    """
    What the bot makes of a wave's candle, from the numbers of ``Decisions``.

    :return: such as ``enter (medium)`` or ``skip: price does not follow``
    """
    if not seen:
        return UNSEEN
    if not judged:
        return "not judged"
    if candidate:
        return f"enter ({Confidence(level).word})"
    if level:
        return f"skip: {Confidence(level).word} confidence is too little"
    if aligned == UNKNOWN_ALIGNMENT:
        return "skip: no candles to compare with"
    said = NEWS_CODES[news]
    if said is News.CONTRADICTS:
        return "skip: the news is against it"
    action, _ = decide(Strength(strength), bool(aligned), said)
    if action is Action.ENTER:
        return "skip: the judge is not convinced"
    return f"{action.value}: {'no news supports it' if aligned else 'price does not follow'}"
