"""The verdict: a judge's answer about one wave, with everything it was made from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from liq_provider.judge.matrix import Action, Confidence, News
from liq_provider.measure.waves import Direction, Strength
from liq_provider.store.verdict_minutes import first_span
from liq_provider.store.vetoes import UNKNOWN


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What was measured about a wave; no opinion changes it.

    :param symbol: Freqtrade's pair
    :param base_asset: the coin
    :param direction: of the trade that the wave suggests
    :param wave_start_ms: close of the wave's first minute
    :param close_ms: close of the minute these facts are about
    :param aligned: does the trend equal the direction; None if candles are unknown
    :param details: the numbers behind it, for the record (z, purity, sums, trend)
    """

    symbol: str
    base_asset: str
    direction: Direction
    strength: Strength
    aligned: bool | None
    wave_start_ms: int
    close_ms: int
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    :param judge: ``matrix``, or a model's name and prompt version
    :param downgrade: how many confidence steps the judge stayed below its matrix row; a
        strategy with other thresholds subtracts the same from its own row
    :param available_at: when the verdict existed, milliseconds
    :param expires_at: close of the last minute that confirms it, plus ``settle_s`` and
        ``max_entry_delay_s``, see ``Settings.verdict_life_ms``
    :param news_key: identifies the set of news that was looked at
    :param guard: what the guard changed, in words
    """

    facts: Facts
    judge: str
    news: News
    action: Action
    confidence: Confidence
    liq_note: str
    trend_note: str
    news_note: str
    action_reason: str
    available_at: int
    expires_at: int
    news_key: str = ""
    downgrade: int = 0
    guard: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """:return: the columns of the table ``verdicts``"""
        facts = self.facts
        return {
            "base_asset": facts.base_asset,
            "direction": facts.direction,
            "wave_start_ms": facts.wave_start_ms,
            "strength": facts.strength.word,
            "aligned": aligned_word(facts.aligned),
            "news_key": self.news_key,
            "judge": self.judge,
            "symbol": facts.symbol,
            "news": self.news.value,
            "action": self.action.value,
            "confidence": self.confidence.word,
            "downgrade": self.downgrade,
            "liq_note": self.liq_note,
            "trend_note": self.trend_note,
            "news_note": self.news_note,
            "action_reason": self.action_reason,
            "close_ms": facts.close_ms,
            "available_at": self.available_at,
            "expires_at": self.expires_at,
            "inputs": json.dumps(dict(facts.details)),
            "guard": json.dumps(self.guard),
            "confirmed": first_span(facts.close_ms),
        }


def aligned_word(aligned: bool | None) -> str:
    """:return: yes, no or unknown"""
    return UNKNOWN if aligned is None else "yes" if aligned else "no"


def aligned_of(word: str) -> bool | None:
    """:return: what ``aligned_word`` made a word of"""
    return {"yes": True, "no": False}.get(word)
