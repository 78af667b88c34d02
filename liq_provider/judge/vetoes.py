"""
What was said against a wave, so that nobody who knows less takes it back.

A model that fails, or that is asked while the news source fails, knows less than the model
that said no before. Only one that has read news again may say something else.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from liq_provider.judge.matrix import Confidence, News
from liq_provider.judge.questions import Wave
from liq_provider.judge.rules import JUDGE, UNJUDGED
from liq_provider.judge.verdict import Verdict

_DAY_MS = 24 * 3_600_000
_CONTRADICTORY = "contradictory"


class Vetoes:
    """
    :param verdicts: rows of the table ``verdicts``, so that a restart forgets none
    """

    def __init__(self, verdicts: Iterable[Mapping[str, Any]] = ()) -> None:
        self._by_wave: dict[Wave, bool] = {}
        for row in verdicts:
            wave = (row["base_asset"], row["direction"], row["wave_start_ms"])
            failure = json.loads(row["inputs"]).get("failure")
            self._note(wave, row["judge"], row["news"], row["downgrade"], failure)

    def heard(self, verdict: Verdict) -> None:
        """Remember what a verdict says against its wave."""
        facts = verdict.facts
        wave = (facts.base_asset, facts.direction, facts.wave_start_ms)
        failure = facts.details.get("failure")
        self._note(wave, verdict.judge, verdict.news.value, verdict.downgrade, failure)

    def any(self, wave: Wave) -> bool:
        """:return: whether a model said no, or contradicted itself; the matrix may not say yes"""
        return wave in self._by_wave

    def by_news(self, wave: Wave) -> bool:
        """:return: whether news was against it; a model without news may not say yes"""
        return self._by_wave.get(wave, False)

    def forget(self, close_ms: int) -> None:
        """Let go of waves that are over for long."""
        oldest_ms = close_ms - _DAY_MS
        self._by_wave = {wave: v for wave, v in self._by_wave.items() if wave[2] >= oldest_ms}

    def _note(self, wave: Wave, judge: str, news: str, downgrade: int, failure: str | None) -> None:
        by_news = news == News.CONTRADICTS
        said_no = judge not in (JUDGE, UNJUDGED) and downgrade >= len(Confidence)
        if by_news or said_no or failure == _CONTRADICTORY:
            # One who says both "enter" and "the news is against it" has read news, too.
            against = by_news or failure == _CONTRADICTORY
            self._by_wave[wave] = self._by_wave.get(wave, False) or against
