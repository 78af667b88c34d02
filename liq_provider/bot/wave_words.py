"""Waves in words, the same in messages and with trades; what becomes of them tells ``gates``."""

from liq_provider.judge.decisions import Decisions
from liq_provider.measure.scales import score_words
from liq_provider.measure.waves import Strength, direction_word


def wave_words(decisions: Decisions, row: int) -> str:
    """:return: such as ``strong wave SHORT, z 9.0, purity 98%, $1,000,000``"""
    usd = decisions.long_usd[row] + decisions.short_usd[row]
    return (
        f"{Strength(int(decisions.strength[row])).word} wave "
        f"{direction_word(int(decisions.sign[row]))}, "
        f"{score_words(decisions.zscore, decisions.z[row])}, "
        f"purity {decisions.purity[row]:.0%}, ${usd:,.0f}"
    )
