"""
Every candle's decision, from features, trend and verdicts to an entry, for arrays of candles.

Live and backtests call ``decide`` with the same rows. What is told of a decision follows from its
results, see ``gates``. A candle that closes at T knows minutes up to T and verdicts that existed by
T + ``max_entry_delay_s`` (design: decision time).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from liq_provider.config.measuring import thresholds_of
from liq_provider.config.settings import Settings
from liq_provider.core.arrays import BoolArray, FloatArray, IntArray
from liq_provider.judge.matrix import (
    ACTIONS,
    NEWS_CODES,
    Action,
    Confidence,
    News,
    actions,
    entry_levels,
)
from liq_provider.measure.feature_rows import FeatureRows, State, purity
from liq_provider.measure.scales import Score
from liq_provider.measure.trend import trend_signs
from liq_provider.measure.waves import Passes, Strength, Thresholds, Waves, score, waves_of
from liq_provider.store.verdict_minutes import spans_of
from liq_provider.store.vetoes import MATRIX, UNKNOWN

VerdictMode = Literal["live", "recorded", "matrix", "both"]

UNKNOWN_ALIGNMENT = 2
SKIP, ENTER = ACTIONS.index(Action.SKIP), ACTIONS.index(Action.ENTER)


@dataclass(frozen=True, slots=True)
class Rules:
    """
    What turns features into entries; every number may come from hyperopt.

    :param verdict_life_ms: see ``Settings``
    :param delay_ms: verdicts count that existed this long after the candle's close
    """

    thresholds: Thresholds
    segment_min: int
    trend_k: float
    min_confidence: Confidence
    verdict_life_ms: int
    delay_ms: int

    @classmethod
    def of(cls, settings: Settings) -> "Rules":
        """:return: the rules that the settings ask for"""
        return cls(
            thresholds_of(settings),
            settings.segment_min,
            settings.trend_k,
            Confidence.of(settings.min_confidence),
            settings.verdict_life_ms,
            settings.max_entry_delay_ms,
        )


@dataclass(frozen=True, slots=True)
class CandleTrend:
    """c and v of ``trend.trend_inputs`` per candle; NaN where unknown."""

    change: FloatArray
    noise: FloatArray


@dataclass(frozen=True, slots=True)
class Decisions:
    """
    One value per candle.

    :param measured: there are features of the candle's minute
    :param z: the score that is thresholded, see ``zscore``
    :param passes: which thresholds the minute passes
    :param sign: +1 LONG, -1 SHORT, 0 no direction
    :param wave_ms: close of the wave's first minute, 0 if the candle's minute is not anomalous
    :param seen: the wave's beginning was, see ``wave``; False if there is no wave
    :param change: c of the candles, see ``CandleTrend``; ``noise`` is v
    :param aligned: 1 yes, 0 no, 2 unknown
    :param judged: there is a verdict (always, where the matrix stands in for it)
    :param news: position in ``NEWS_CODES``
    :param action: position in ``ACTIONS``: what judge and matrix come to, whichever says less
    :param level: 0 for no entry, else a ``Confidence``, whatever ``min_confidence`` says
    :param sure: ``level`` reaches ``min_confidence``; that closes a position of the other side
    :param candidate: sure, and of a wave whose beginning was seen
    :param entry: the candidate is its wave's first, or surer than every one before, or
        confirms such an upgrade one candle later
    """

    close_ms: IntArray
    measured: BoolArray
    state: IntArray
    baseline_n: IntArray
    active_n: IntArray
    long_usd: FloatArray
    short_usd: FloatArray
    count: IntArray
    z: FloatArray
    purity: FloatArray
    passes: Passes
    strength: IntArray
    sign: IntArray
    wave_ms: IntArray
    seen: BoolArray
    change: FloatArray
    noise: FloatArray
    trend: IntArray
    aligned: IntArray
    judged: BoolArray
    verdict: IntArray
    news: IntArray
    action: IntArray
    level: IntArray
    sure: BoolArray
    candidate: BoolArray
    entry: BoolArray
    zscore: Score = "classic"
    has_counts: bool = True


def decide(
    close_ms: IntArray,
    rows: FeatureRows,
    trend: CandleTrend,
    verdicts: Sequence[Mapping[str, Any]],
    rules: Rules,
    mode: VerdictMode,
    waves: Waves | None = None,
) -> Decisions:
    """
    :param close_ms: closes of the candles, ascending
    :param rows: the coin's features by minute; rows between candles matter for waves
    :param trend: of the candles
    :param verdicts: rows of the table ``verdicts`` of this coin, by ``available_at``
    :param mode: ``live`` and ``recorded`` need a verdict, ``matrix`` uses none, ``both`` falls
        back to the matrix without news in waves of which nothing was recorded
    :param waves: of these rows by these rules, if they are known
    """
    thresholds = rules.thresholds
    if waves is None:
        waves = waves_of(rows, thresholds, rules.segment_min)
    at, there = _rows_at(rows.close_ms, close_ms)

    known, of_known = np.flatnonzero(there), at[there]

    def pick(values: Any, missing: Any) -> Any:
        picked = np.full(len(at), missing, dtype=values.dtype)
        picked[known] = values[of_known]
        return picked

    strength, sign = pick(waves.strength, 0), pick(waves.sign, 0)
    trend_sign = trend_signs(trend.change, trend.noise, rules.trend_k)
    aligned = (trend_sign == sign).astype(np.int64)
    aligned[~np.isfinite(trend.change)] = UNKNOWN_ALIGNMENT

    anomalous = strength > Strength.NONE
    verdict = _verdict_of(close_ms, sign, anomalous, verdicts, rules)
    news, downgrade = _opinions(verdict, verdicts)
    if mode == "matrix":
        judged = anomalous.copy()
        verdict[:] = -1
        news[:], downgrade[:] = NEWS_CODES.index(News.NOT_ASKED), 0
    else:
        judged = verdict >= 0
        if mode == "both":
            judged |= anomalous & ~_recorded(close_ms, sign, verdicts)
    level = np.where(judged, entry_levels(strength, aligned, news) - downgrade, 0)
    level = np.maximum(level, 0)
    wave_ms, seen = pick(waves.start_ms, 0), pick(waves.seen, False)
    sure = _sure(level, rules)
    candidate = sure & seen
    long_usd, short_usd = pick(rows.long_usd, 0.0), pick(rows.short_usd, 0.0)
    return Decisions(
        close_ms=close_ms,
        measured=there,
        state=pick(rows.state, int(State.UNCOVERED)),
        baseline_n=pick(rows.baseline_n, 0),
        active_n=pick(rows.active_n, 0),
        long_usd=long_usd,
        short_usd=short_usd,
        count=pick(rows.count, 0),
        z=pick(score(rows, thresholds), np.nan),
        purity=purity(long_usd, short_usd),
        passes=Passes(*(pick(getattr(waves.passes, one.name), False) for one in fields(Passes))),
        strength=strength,
        sign=sign,
        wave_ms=wave_ms,
        seen=seen,
        change=trend.change,
        noise=trend.noise,
        trend=trend_sign,
        aligned=aligned,
        judged=judged,
        verdict=verdict,
        news=news,
        action=_actions(level, actions(strength, aligned, news), verdict, verdicts),
        level=level,
        sure=sure,
        candidate=candidate,
        entry=_entries(candidate, level, sign, wave_ms),
        zscore=thresholds.zscore,
        has_counts=rows.has_counts,
    )


def sure_by_matrix(decisions: Decisions, rules: Rules) -> BoolArray:
    """:return: where the matrix, without news and verdict, would be sure enough of the wave"""
    news = np.full(len(decisions.close_ms), NEWS_CODES.index(News.NOT_ASKED))
    return _sure(entry_levels(decisions.strength, decisions.aligned, news), rules)


def _sure(level: IntArray, rules: Rules) -> BoolArray:
    return level >= rules.min_confidence


def _rows_at(minute_close_ms: IntArray, close_ms: IntArray) -> tuple[IntArray, BoolArray]:
    if not len(minute_close_ms):
        return np.zeros(len(close_ms), dtype=np.int64), np.zeros(len(close_ms), dtype=bool)
    at = np.minimum(np.searchsorted(minute_close_ms, close_ms), len(minute_close_ms) - 1)
    return at, minute_close_ms[at] == close_ms


def _verdict_of(
    close_ms: IntArray,
    sign: IntArray,
    anomalous: BoolArray,
    verdicts: Sequence[Mapping[str, Any]],
    rules: Rules,
) -> IntArray:
    """
    Position of the newest verdict that was alive and known at each candle, or -1. One of the
    matrix that stands in for a model counts only where no other is: with two sidecars the model
    of one may have been heard.
    """
    positions = np.full(len(close_ms), -1, dtype=np.int64)
    for position, verdict in sorted(
        enumerate(verdicts), key=lambda numbered: not _stands_in(numbered[1])
    ):
        # It was made without candles, and so is no judgement.
        if verdict["aligned"] == UNKNOWN:
            continue
        known_ms = verdict["available_at"] - rules.delay_ms
        for first_ms, last_ms in spans_of(verdict, rules.verdict_life_ms):
            first, last = np.searchsorted(close_ms, [max(first_ms, known_ms), last_ms + 1])
            span = slice(int(first), int(last))
            positions[span][anomalous[span] & (sign[span] == _sign_of(verdict))] = position
    return positions


def _stands_in(verdict: Mapping[str, Any]) -> bool:
    return verdict["judge"] == MATRIX and "failure" in json.loads(verdict["inputs"])


def _recorded(
    close_ms: IntArray, sign: IntArray, verdicts: Sequence[Mapping[str, Any]]
) -> BoolArray:
    """Candles within a wave that was judged, even if too late or to no avail."""
    recorded = np.zeros(len(close_ms), dtype=bool)
    for verdict in verdicts:
        first, last = np.searchsorted(
            close_ms, [verdict["wave_start_ms"], verdict["expires_at"] + 1]
        )
        span = slice(int(first), int(last))
        recorded[span] |= sign[span] == _sign_of(verdict)
    return recorded


def _sign_of(verdict: Mapping[str, Any]) -> int:
    return 1 if verdict["direction"] == "LONG" else -1


def _opinions(
    verdict: IntArray, verdicts: Sequence[Mapping[str, Any]]
) -> tuple[IntArray, IntArray]:
    """News and downgrade per candle; no verdict means that news was not asked."""
    news = np.full(len(verdict), NEWS_CODES.index(News.NOT_ASKED), dtype=np.int64)
    downgrade = np.zeros(len(verdict), dtype=np.int64)
    for row in np.flatnonzero(verdict >= 0):
        said = verdicts[verdict[row]]
        news[row] = NEWS_CODES.index(News(said["news"]))
        downgrade[row] = said["downgrade"]
    return news, downgrade


def _actions(
    level: IntArray, by_matrix: IntArray, verdict: IntArray, verdicts: Sequence[Mapping[str, Any]]
) -> IntArray:
    """A judge that says less than the matrix means it; what was taken off may leave no entry."""
    action = by_matrix.copy()
    for row in np.flatnonzero(verdict >= 0):
        said = ACTIONS.index(Action(verdicts[verdict[row]]["action"]))
        action[row] = min(action[row], said)
    action[(level == 0) & (action == ENTER)] = SKIP
    action[level > 0] = ENTER
    return action


def _entries(candidate: BoolArray, level: IntArray, sign: IntArray, wave_ms: IntArray) -> BoolArray:
    entry = np.zeros(len(candidate), dtype=bool)
    best: dict[tuple[int, int], tuple[int, int]] = {}
    for row in np.flatnonzero(candidate):
        wave = (int(sign[row]), int(wave_ms[row]))
        so_far, raised_at = best.get(wave, (0, -2))
        if level[row] > so_far:
            best[wave] = (int(level[row]), int(row) if so_far else -2)
            entry[row] = True
        elif level[row] == so_far and raised_at == row - 1:
            # An upgrade closes the position at once; this is the candle to reopen it.
            entry[row] = True
    return entry
