"""Waves of a generated market, and a store with what a judge said of them live."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from liq_provider.config.settings import Settings
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.errors import ModelFailure
from liq_provider.judge.decisions import CandleTrend, Rules, decide
from liq_provider.judge.guard import Opinion, guard
from liq_provider.judge.matrix import Action, Confidence, News
from liq_provider.judge.matrix_judge import matrix_answer, unjudged
from liq_provider.judge.verdict import Facts, Verdict
from liq_provider.measure.trend import trend_inputs
from liq_provider.measure.waves import Strength, direction_word
from liq_provider.store.reader import Reader
from liq_provider.store.vetoes import MATRIX
from liq_provider.study.event_study import Options
from liq_provider.study.judges import Judges, run_judges
from liq_provider.study.pair_past import PairPast
from liq_provider.study.recorded_verdicts import recorded
from tests.bot.helpers import Store
from tests.judge.facts import DETAILS

LATE = ModelFailure("timeout", "")
_SAID_MS = 3_000  # after the close
MODEL = "gpt-4.1-mini@v1"


@dataclass(frozen=True)
class Wave:
    """
    :param facts: at its first candle
    :param closes_ms: of all its candles
    :param returns: of each: what it will bring in an hour, in the direction of the trade
    :param states: of each: strength, and do the candles agree
    """

    facts: Facts
    closes_ms: list[int]
    returns: list[float]
    states: list[tuple[Strength, bool | None]]

    @property
    def gross(self) -> float:
        """From the first candle on."""
        return self.returns[0]

    @property
    def traded(self) -> bool:
        """The matrix alone enters it at its first candle."""
        return self.states[0] == (Strength.STRONG, True)

    def entry(self) -> float | None:
        """:return: what the matrix's entry brings, None if it never enters"""
        for state, gross in zip(self.states, self.returns, strict=True):
            if state == (Strength.STRONG, True):
                return gross
        return None


def waves_of(data: PairPast, settings: Settings) -> list[Wave]:
    change, noise = trend_inputs(data.close, settings.trend_candles)
    rules = Rules.of(settings)
    decisions = decide(data.close_ms, data.rows, CandleTrend(change, noise), (), rules, "matrix")
    gross = data.forward(60) * decisions.sign
    rows: dict[tuple[int, int], list[int]] = {}
    for row in np.flatnonzero(decisions.wave_ms):
        rows.setdefault((int(decisions.wave_ms[row]), int(decisions.sign[row])), []).append(
            int(row)
        )
    waves = []
    for (wave_ms, sign), candles in rows.items():
        closes_ms = [int(decisions.close_ms[row]) for row in candles]
        states = [
            (
                Strength(int(decisions.strength[row])),
                {0: False, 1: True}.get(int(decisions.aligned[row])),
            )
            for row in candles
        ]
        facts = Facts(
            symbol=data.pair,
            base_asset=base_asset_of_pair(data.pair),
            direction=direction_word(sign),
            strength=states[0][0],
            aligned=states[0][1],
            wave_start_ms=wave_ms,
            close_ms=closes_ms[0],
            details=DETAILS,
        )
        waves.append(Wave(facts, closes_ms, [float(gross[row]) for row in candles], states))
    return waves


@dataclass
class RecordedMarket:
    """A store, and the market that its verdicts are about."""

    path: Path
    data: Sequence[PairPast]
    settings: Settings
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        self.store = Store(self.path, self.settings)
        self.waves = [wave for data in self.data for wave in waves_of(data, self.settings)]

    def model(
        self,
        wave: Wave,
        action: Action = Action.ENTER,
        news: News = News.NOT_ASKED,
        *,
        judge: str = MODEL,
        confidence: Confidence = Confidence.HIGH,
        available_ms: int | None = None,
        **changes: Any,
    ) -> None:
        """What a model answered, through the guard."""
        facts = wave.facts
        opinion = Opinion(facts.symbol, facts.direction, news, action, confidence)
        asked = None if news is News.NOT_ASKED else True
        said = guard(opinion, facts, news_found=asked)
        verdict = Verdict(
            facts=facts,
            judge=judge,
            news=said.news,
            action=said.action,
            confidence=said.confidence,
            liq_note="",
            trend_note="",
            news_note="",
            action_reason="",
            available_at=facts.close_ms + 5_000 if available_ms is None else available_ms,
            expires_at=self.expires_ms(wave),
            downgrade=said.downgrade,
        )
        self._judge(wave, verdict.row() | changes)

    def matrix(self, wave: Wave) -> None:
        """The matrix judged."""
        facts = wave.facts
        times = facts.close_ms + _SAID_MS, self.expires_ms(wave)
        self._judge(wave, matrix_answer(facts).verdict(facts, MATRIX, *times).row())

    def unavailable(self, wave: Wave) -> None:
        """No model was heard."""
        facts, said_ms = wave.facts, wave.facts.close_ms + _SAID_MS
        expires_ms = self.expires_ms(wave)
        verdict = unjudged(facts, LATE, lambda: said_ms, expires_ms, "", "the model")
        self._judge(wave, verdict.row())

    def _judge(self, wave: Wave, row: dict[str, Any]) -> None:
        # Every minute of the wave confirms what was said of it.
        spans = [[wave.facts.close_ms, wave.closes_ms[-1]]]
        self.store.judge(row | {"confirmed": json.dumps(spans)})

    def expires_ms(self, wave: Wave) -> int:
        return wave.closes_ms[-1] + self.settings.settle_ms + self.settings.max_entry_delay_ms

    def call(self, wave: Wave, cost_usd: float | None, **changes: Any) -> None:
        """A question to the model was paid."""
        facts = wave.facts
        row = {
            "call_id": f"{facts.base_asset} {facts.direction} {facts.close_ms}",
            "base_asset": facts.base_asset,
            "symbol": facts.symbol,
            "direction": facts.direction,
            "wave_start_ms": facts.wave_start_ms,
            "close_ms": facts.close_ms,
            "judge": MODEL,
            "news_key": "",
            "asked_ms": facts.close_ms + 2_000,
            "latency_ms": 3_000,
            "requests": 1,
            "prompt": "[]",
            "answer": "{}",
            "prompt_tokens": 1_000,
            "answer_tokens": 100,
            "charged_tokens": 1_100,
            "cost_usd": cost_usd,
            "outcome": "ok",
            "detail": "",
        }
        self.store.writer.put_model_call(row | changes)

    def judges(self, settings: Settings | None = None, options: Options | None = None) -> Judges:
        """What the study says, from what the store holds."""
        used = settings or self.settings
        from_ms = min(int(data.close_ms[0]) for data in self.data)
        to_ms = max(int(data.close_ms[-1]) for data in self.data) + used.max_entry_delay_ms
        coins = [base_asset_of_pair(data.pair) for data in self.data]
        said = recorded(Reader(self.store.url), coins, from_ms, to_ms)
        return run_judges(self.data, said, used, options or self.options)
