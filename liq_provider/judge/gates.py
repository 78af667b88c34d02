"""Every gate of one decision, passed or failed, with its numbers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from liq_provider.config.settings import Settings
from liq_provider.core.arrays import FloatArray
from liq_provider.core.durations import DAY_MS, MINUTE_MS
from liq_provider.judge.decisions import CandleTrend, Decisions, Rules, VerdictMode, decide
from liq_provider.judge.matrix import NEWS_CODES, Confidence
from liq_provider.measure.feature_rows import FeatureRows, State
from liq_provider.measure.features import Features
from liq_provider.measure.scales import Score, score_words
from liq_provider.measure.trend import trend_inputs, trend_word
from liq_provider.measure.waves import Strength, begins_seen, direction_word, score, signs
from liq_provider.store.measured import history
from liq_provider.store.reader import Reader

# Enough candles before the asked one to know whether its wave began earlier.
HISTORY_CANDLES = 120

_NAMES: dict[Score, str] = {
    "classic": "classic z",
    "robust": "robust z",
    "percentile": "percentile",
}


@dataclass(frozen=True, slots=True)
class Gate:
    """
    :param passed: None if the gate was not reached, because it has nothing to look at
    :param found: the number, in words
    :param needed: what it takes
    """

    name: str
    passed: bool | None
    found: str
    needed: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    :param gates: in the order in which they are asked
    :param call_id: of the question to the model that the verdict came from
    """

    gates: list[Gate]
    call_id: str | None


def explain(
    reader: Reader,
    settings: Settings,
    base_asset: str,
    close_ms: int,
    timeframe_ms: int,
    closes: FloatArray,
    mode: VerdictMode,
) -> Explanation:
    """
    The decision at a candle's close.

    :param closes: closed candles up to ``close_ms``, oldest first; may be empty
    :param mode: as in ``decide``
    """
    candles = max(1, len(closes))
    candle_ms = close_ms - timeframe_ms * np.arange(candles - 1, -1, -1, dtype=np.int64)
    from_ms = int(candle_ms[0]) - timeframe_ms + MINUTE_MS
    timeframe_min = timeframe_ms // MINUTE_MS
    computed = history(reader, base_asset, settings, timeframe_min, from_ms, close_ms)
    rows = computed.rows((settings.zscore,))
    change, noise = trend_inputs(closes, settings.trend_candles)
    if not len(closes):
        change = noise = np.array([np.nan])
    verdicts = reader.verdicts(from_ms, close_ms + DAY_MS, [base_asset])
    rules = Rules.of(settings)
    found = decide(candle_ms, rows, CandleTrend(change, noise), verdicts, rules, mode)
    last = int(computed.wanted[-1])
    said = verdicts[int(found.verdict[-1])] if found.verdict[-1] >= 0 else None
    gates = [
        *_data_gates(computed.features, last, settings),
        *_wave_gates(found, settings),
        _beginning(found, rows, rules),
        *_judge_gates(found, change, noise, said, settings, mode),
    ]
    return Explanation(gates, None if said is None else json.loads(said["inputs"]).get("call_id"))


def _data_gates(features: Features, row: int, settings: Settings) -> list[Gate]:
    state = State(int(features.state[row]))
    covered = features.venues_at(row)
    params = features.params
    known = state is not State.UNCOVERED
    return [
        Gate(
            "coverage",
            known,
            f"covered by {', '.join(covered) or 'no venue'}",
            f"one venue for all of the last {params.segment_min} min",
        ),
        Gate(
            "baseline",
            state > State.WARMING_UP if known else None,
            f"{features.baseline_n[row]} of {params.baseline_segments} segments known",
            f"{params.min_baseline_segments}",
        ),
        Gate(
            "activity",
            state > State.TOO_THIN if state > State.WARMING_UP else None,
            f"{features.active_n[row]} segments with liquidations",
            f"{params.min_active_segments}",
        ),
        Gate(
            "count",
            bool(features.count[row] >= settings.min_count)
            if known and features.has_counts
            else None,
            _count(features, row) if known else "unknown",
            f"min_count {settings.min_count}",
        ),
        Gate(
            "size",
            bool(features.notional_usd[row] >= settings.min_segment_usd) if known else None,
            _money(features, row, settings.baseline_hours) if known else "unknown",
            f"min_segment_usd {settings.min_segment_usd:,.0f}",
        ),
    ]


def _count(features: Features, row: int) -> str:
    return f"{features.count[row]} liquidations" if features.has_counts else "bars without counts"


def _money(features: Features, row: int, hours: float) -> str:
    share = float(features.percentile(np.array([row]))[row])
    rank = f"; {score_words('percentile', share, hours=hours)}" if np.isfinite(share) else ""
    return (
        f"${features.notional_usd[row]:,.0f} (long ${features.long_usd[row]:,.0f}, "
        f"short ${features.short_usd[row]:,.0f}; baseline mean "
        f"${features.mean_usd[row]:,.0f}, std ${features.std_usd[row]:,.0f}{rank})"
    )


def _wave_gates(found: Decisions, settings: Settings) -> list[Gate]:
    z, pure = float(found.z[-1]), float(found.purity[-1])
    known = found.state[-1] > State.UNCOVERED
    strength = Strength(int(found.strength[-1]))
    side = direction_word(int(found.sign[-1])) if found.sign[-1] else "no direction"
    return [
        Gate(
            "z",
            bool(z >= settings.z_threshold) if np.isfinite(z) else None,
            _score(z, settings) if np.isfinite(z) else f"no {_NAMES[settings.zscore]}",
            f"z_threshold {settings.z_threshold:g}, strong from {settings.z_strong:g}",
        ),
        Gate(
            "purity",
            pure > settings.purity_threshold if known else None,
            f"{pure:.1%} on one side ({side})" if known else "unknown",
            f"above {settings.purity_threshold:.0%}, strong from {settings.purity_strong:.0%}",
        ),
        Gate("wave", strength > Strength.NONE, f"strength {strength.word}", "medium or strong"),
    ]


def _beginning(found: Decisions, rows: FeatureRows, rules: Rules) -> Gate:
    """A wave may be entered only if nobody missed how it began."""
    needed = "its beginning was seen"
    if not found.wave_ms[-1]:
        return Gate("beginning", None, "no wave", needed)
    first = int(np.searchsorted(rows.close_ms, found.wave_ms[-1]))
    began = f"its first minute, {_clock(int(found.wave_ms[-1]))} UTC, follows"
    if rows.steady[first]:
        words = f"{began} one that was known and quiet"
    else:
        words = f"{began} minutes that were not known for the same venues, and without its newest "
        words += f"minute the segment {_before(rows, first, rules)}"
    return Gate("beginning", bool(found.seen[-1]), words, needed)


def _before(rows: FeatureRows, row: int, rules: Rules) -> str:
    before = rows.before
    usd = float(before.long_usd[row] + before.short_usd[row])
    if not usd > 0:
        return "is empty"
    sign = signs(rows, rules.thresholds)
    own = rules.thresholds
    measured = f"({score_words(own.zscore, score(before, own)[row], 2)}, "
    measured += f"${usd:,.0f})"
    quiet = begins_seen(rows, rules.thresholds, sign)[row]
    return f"does not stand out {measured}" if quiet else f"already stands out {measured}"


def _clock(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%H:%M")


def _score(z: float, settings: Settings) -> str:
    words = score_words(settings.zscore, z, 2, settings.baseline_hours)
    return f"classic {words}" if settings.zscore == "classic" else words


def _judge_gates(
    found: Decisions,
    change: FloatArray,
    noise: FloatArray,
    said: Mapping[str, Any] | None,
    settings: Settings,
    mode: VerdictMode,
) -> list[Gate]:
    wave = found.strength[-1] > Strength.NONE
    known = bool(np.isfinite(change[-1]))
    level = int(found.level[-1])
    words = f"return {change[-1]:+.2%}, noise {noise[-1]:.2%}" if known else "no candles"
    if said is not None:
        answer = (
            f"{said['judge']}: {said['action']} ({said['confidence']}), {said['action_reason']}"
        )
        changes = json.loads(said["guard"])
        if changes:
            answer += f"; guard: {'; '.join(changes)}"
    else:
        answer = "the matrix without news" if found.judged[-1] else "no verdict in time"
    return [
        Gate(
            "trend",
            bool(found.aligned[-1] == 1) if wave else None,
            f"{trend_word(int(found.trend[-1])) if known else 'unknown'} ({words})",
            f"the wave's direction, beyond {settings.trend_k:g} x noise",
        ),
        Gate("verdict", bool(found.judged[-1]) if wave else None, answer, f"a verdict ({mode})"),
        Gate(
            "matrix",
            level > 0 if wave else None,
            f"{Confidence(level).word if level else 'no entry'} with news "
            f"{NEWS_CODES[int(found.news[-1])].value}",
            "enter",
        ),
        Gate(
            "confidence",
            bool(found.candidate[-1]) if level else None,
            Confidence(level).word if level else "none",
            f"min_confidence {settings.min_confidence}",
        ),
        Gate(
            "once per wave",
            bool(found.entry[-1]) if found.candidate[-1] else None,
            _offer(found),
            "first of its wave, or surer than before",
        ),
    ]


def _offer(found: Decisions) -> str:
    if not found.candidate[-1]:
        return "nothing to offer"
    return "first candle or upgrade" if found.entry[-1] else "the wave was offered before"
