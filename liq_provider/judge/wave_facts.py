"""The facts of a wave that any judge starts from, and the notes that say them in a line each."""

import numpy as np

from liq_provider.core.arrays import FloatArray
from liq_provider.judge.matrix import News
from liq_provider.judge.verdict import Facts
from liq_provider.measure.minute_results import Anomaly
from liq_provider.measure.scales import score_words
from liq_provider.measure.trend import trend_inputs, trend_signs, trend_word
from liq_provider.measure.waves import Strength

REASONS = {
    (Strength.STRONG, True): "a strong one-sided wave that price follows",
    (Strength.STRONG, False): "a strong wave, but price does not follow; it may only be a clearing",
    (Strength.MEDIUM, True): "a moderate wave that price follows",
    (Strength.MEDIUM, False): "a moderate wave that price does not follow",
}


def make_facts(
    anomaly: Anomaly, pair: str, closes: FloatArray, trend_candles: int, trend_k: float
) -> Facts:
    """
    :param closes: closed candles of ``pair``, oldest first; too few make alignment unknown
    """
    change, noise = trend_inputs(closes, trend_candles)
    known = len(change) > 0 and bool(np.isfinite(change[-1]))
    trend = int(trend_signs(change[-1:], noise[-1:], trend_k)[0]) if known else 0
    wanted = 1 if anomaly.direction == "LONG" else -1
    return Facts(
        symbol=pair,
        base_asset=anomaly.base_asset,
        direction=anomaly.direction,
        strength=anomaly.strength,
        aligned=trend == wanted if known else None,
        wave_start_ms=anomaly.wave_start_ms,
        close_ms=anomaly.close_ms,
        details={
            "z": anomaly.z,
            **({} if anomaly.zscore == "classic" else {"zscore": anomaly.zscore}),
            "purity": anomaly.purity,
            "notional_usd": anomaly.notional_usd,
            "long_usd": anomaly.long_usd,
            "short_usd": anomaly.short_usd,
            "count": anomaly.count,
            "trend": trend_word(trend) if known else "unknown",
            "trend_change": float(change[-1]) if known else None,
            "trend_noise": float(noise[-1]) if known else None,
        },
    )


def liq_note(facts: Facts) -> str:
    """:return: the wave in one line"""
    details = facts.details
    score = score_words(details.get("zscore", "classic"), details["z"])
    return (
        f"{facts.strength.word}: {score}, purity {details['purity']:.0%}, "
        f"${details['notional_usd']:,.0f} in {details['count']} liquidations"
    )


def trend_note(facts: Facts) -> str:
    """:return: the candles in one line"""
    wanted = "up" if facts.direction == "LONG" else "down"
    return f"candles {facts.details['trend']}, wanted {wanted}"


def news_note(headlines: int | None) -> str:
    """
    :param headlines: that the judge was given; None: news was not asked
    :return: the news in one line
    """
    if headlines is None:
        return "news was not asked"
    return f"{headlines} headline(s) were read" if headlines else "no news was found"


def reason_note(facts: Facts, news: News) -> str:
    """:return: what was measured, in one line, with what the judge says of the news"""
    if facts.aligned is None:
        return "no candles to compare with"
    wave = REASONS.get((facts.strength, facts.aligned), "a wave below the thresholds")
    return f"{wave}; news: {news.value.replace('_', ' ')}"
