"""
What was said against a wave, so that nobody who knows less takes it back.

Once news was against a wave, or a model contradicted itself about it, it stays out: headlines
come and go in searches, what they said does not. Once a model said less of a wave than the matrix
allows, the matrix, which reads no news, does not stand in for it.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from liq_provider.core.durations import DAY_MS
from liq_provider.judge.matrix import Action, Confidence, News, decide
from liq_provider.judge.questions import State, Wave
from liq_provider.judge.rules import VETOED, is_model
from liq_provider.judge.verdict import Verdict, aligned_of
from liq_provider.measure.waves import Strength

_CONTRADICTORY = "contradictory"


class Vetoes:
    """
    :param verdicts: rows of the table ``verdicts``, so that a restart forgets none
    """

    def __init__(self, verdicts: Iterable[Mapping[str, Any]] = ()) -> None:
        self._refused: set[Wave] = set()
        self._by_news: dict[Wave, set[State]] = {}
        for row in verdicts:
            self._note(row, json.loads(row["inputs"]).get("failure"))

    def heard(self, verdict: Verdict) -> None:
        """Remember what a verdict says against its wave."""
        self._note(verdict.row(), verdict.facts.details.get("failure"))

    def against(self, wave: Wave) -> None:
        """Another sidecar heard that news was against it."""
        self._by_news.setdefault(wave, set())
        self._refused.add(wave)

    def any(self, wave: Wave) -> bool:
        """:return: whether a model said less than the matrix; the matrix may not stand in"""
        return wave in self._refused

    def by_news(self, wave: Wave) -> bool:
        """:return: whether news was against it; nobody may say yes"""
        return wave in self._by_news

    def is_its_own(self, wave: Wave, state: State) -> bool:
        """:return: whether it was this very state that news was against"""
        return state in self._by_news.get(wave, ())

    def forget(self, close_ms: int) -> None:
        """Let go of waves that are over for long."""
        oldest_ms = close_ms - DAY_MS
        self._refused = {wave for wave in self._refused if wave[2] >= oldest_ms}
        self._by_news = {wave: s for wave, s in self._by_news.items() if wave[2] >= oldest_ms}

    def _note(self, row: Mapping[str, Any], failure: str | None) -> None:
        wave = (row["base_asset"], row["direction"], row["wave_start_ms"])
        contradicted = row["news"] == News.CONTRADICTS
        # One who says both "enter" and "the news is against it" has read news, too.
        if contradicted or failure == _CONTRADICTORY:
            states = self._by_news.setdefault(wave, set())
            if contradicted:
                states.add((row["strength"], aligned_of(row["aligned"]), row["news_key"]))
        less = is_model(row["judge"]) and _said(row) < _allowed(row)
        if less or wave in self._by_news or row["judge"] == VETOED:
            self._refused.add(wave)


def _said(row: Mapping[str, Any]) -> int:
    """How sure an entry it is, 0 for none."""
    return Confidence.of(row["confidence"]) if row["action"] == Action.ENTER else 0


def _allowed(row: Mapping[str, Any]) -> int:
    """The same of the matrix."""
    strength = Strength[row["strength"].upper()]
    action, confidence = decide(strength, aligned_of(row["aligned"]), News(row["news"]))
    return confidence if action is Action.ENTER else 0
