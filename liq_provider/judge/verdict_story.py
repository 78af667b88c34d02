"""
The story of a verdict: what became of it by the rules in force, for page and narrator.

A verdict was made for one state of a wave, with the sidecar's own thresholds. What a bot made of
it follows from the candles that closed in the minutes that it holds for: from their features, by
the same arrays as the bot's own decision. It is told of the candle that came farthest.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from liq_provider.core.arrays import IntArray
from liq_provider.judge.bot_gates import Standing
from liq_provider.judge.decisions import CandleTrend, decide
from liq_provider.judge.gate_list import NAMES, DecisionStory
from liq_provider.judge.gates import NOT_KEPT, tell
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.judge.wave_context import context_of
from liq_provider.measure.feature_rows import COLUMNS, FeatureRows, State, states
from liq_provider.measure.minute_grid import FeatureParams
from liq_provider.store.kept_features import features_of
from liq_provider.store.reader import Reader
from liq_provider.store.verdict_minutes import Span, spans_of

_MOST_CANDLES = 60


def read_story(
    reader: Reader,
    verdict: Mapping[str, Any],
    in_force: RulesInForce,
    listed: bool | None = None,
    computed: FeatureRows | None = None,
) -> DecisionStory:
    """
    :param verdict: a row of the table ``verdicts``
    :param listed: whether its pair is in the whitelist, None if that is not known
    :param computed: stands in where no features of its minutes are stored; without it they are
        computed
    """
    coin, begin_ms = verdict["base_asset"], int(verdict["wave_start_ms"])
    last_ms = _spans(verdict, in_force)[-1][1]
    rows = features_of(reader, coin, begin_ms, last_ms, computed)
    others = reader.verdicts(begin_ms, int(verdict["available_at"]), [coin])
    return story_of_verdict(verdict, rows, in_force, others, listed)


def story_of_verdict(
    verdict: Mapping[str, Any],
    rows: FeatureRows,
    in_force: RulesInForce,
    others: Sequence[Mapping[str, Any]] = (),
    listed: bool | None = None,
) -> DecisionStory:
    """
    :param rows: features of the wave's minutes; where there are none, what the verdict keeps of
        its own minute stands in
    :param others: verdicts of the same coin that were there by then
    """
    rules, spans = in_force.rules, _spans(verdict, in_force)
    rows = _held_to(rows, in_force.windows) if len(rows) else _kept(verdict)
    said = [*(other for other in others if not _same(other, verdict)), verdict]
    said.sort(key=lambda one: int(one["available_at"]))
    candle_ms = _candles(int(verdict["wave_start_ms"]), spans, in_force.timeframe_ms)
    own = _within(candle_ms, spans)
    if not len(own):
        candle_ms, own = np.array([int(verdict["close_ms"])]), np.array([0])
    trend = _trend(candle_ms, said, in_force)
    decisions = decide(candle_ms, rows, trend, said, rules, "live")
    decided = own[[said[at] is verdict if at >= 0 else False for at in decisions.verdict[own]]]
    stories = []
    for row in (decided if len(decided) else own)[:_MOST_CANDLES]:
        at = int(decisions.verdict[row])
        evidence = context_of(decisions, int(row), rows, rules)
        known = verdict if at < 0 else said[at]
        stories.append(
            tell(decisions, int(row), in_force, "live", known, evidence, Standing(listed=listed))
        )
    return max(stories, key=_farthest)


def _spans(verdict: Mapping[str, Any], in_force: RulesInForce) -> list[Span]:
    return spans_of(verdict, in_force.rules.verdict_life_ms)


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    keys = ("direction", "wave_start_ms", "strength", "aligned", "news_key", "judge")
    return all(one.get(key) == other.get(key) for key in keys)


def _candles(begin_ms: int, spans: list[Span], timeframe_ms: int) -> IntArray:
    """From the wave's first candle on, as an entry is one if none was before it."""
    first_ms = -(-begin_ms // timeframe_ms) * timeframe_ms
    return np.arange(first_ms, spans[-1][1] + 1, timeframe_ms, dtype=np.int64)


def _within(candle_ms: IntArray, spans: list[Span]) -> IntArray:
    inside = [(candle_ms >= first_ms) & (candle_ms <= last_ms) for first_ms, last_ms in spans]
    return np.flatnonzero(np.any(inside, axis=0))


def _trend(
    candle_ms: IntArray, said: Sequence[Mapping[str, Any]], in_force: RulesInForce
) -> CandleTrend:
    """As the sidecar measured it for each verdict; its minutes had the same."""
    change, noise = np.full(len(candle_ms), np.nan), np.full(len(candle_ms), np.nan)
    for one in said:
        inputs = json.loads(one["inputs"])
        spans = [*_spans(one, in_force), (int(one["close_ms"]), int(one["close_ms"]))]
        if inputs.get("trend_change") is not None:
            rows = _within(candle_ms, spans)
            change[rows], noise[rows] = inputs["trend_change"], inputs["trend_noise"]
    return CandleTrend(change, noise)


def _held_to(rows: FeatureRows, windows: FeatureParams) -> FeatureRows:
    """A bot that asks for more of a baseline than the sidecar has no score where that has one."""
    known = rows.state > State.UNCOVERED
    state = np.minimum(rows.state, states(known, rows.baseline_n, rows.active_n, windows))
    scores: Any = {
        name: np.where(state == State.READY, getattr(rows, name), np.nan)
        for name in ("z", "robust_z", "percentile")
    }
    return replace(rows, state=state, **scores)


def _kept(verdict: Mapping[str, Any]) -> FeatureRows:
    """The minute that it was made for; how the wave began is not on record there."""
    inputs = json.loads(verdict["inputs"])
    if inputs.get("long_usd") is None or inputs.get("z") is None:
        return FeatureRows.empty()
    score = {"classic": "z", "robust": "robust_z"}.get(
        inputs.get("zscore", "classic"), "percentile"
    )
    values: dict[str, Any] = {
        "close_ms": verdict["close_ms"],
        "long_usd": inputs["long_usd"],
        "short_usd": inputs["short_usd"],
        "count": inputs["count"],
        "state": int(State.READY),
        "baseline_n": NOT_KEPT,
        "active_n": NOT_KEPT,
        "steady": True,
        "before_count": 0,
        score: inputs["z"],
    }
    columns: Any = {
        name: np.array([values.get(name, np.nan)], dtype=kind) for name, kind in COLUMNS.items()
    }
    return FeatureRows(**columns)


def _farthest(story: DecisionStory) -> int:
    """How many gates lie before the one that failed."""
    return len(NAMES) if story.failed is None else NAMES.index(story.failed.name)
