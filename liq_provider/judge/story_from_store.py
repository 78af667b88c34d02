"""One decision of the store, with all its gates: of now, or of a moment of the past."""

import json
from dataclasses import dataclass

import numpy as np

from liq_provider.config.settings import Settings
from liq_provider.core.arrays import FloatArray
from liq_provider.core.durations import DAY_MS, MINUTE_MS
from liq_provider.judge.bot_gates import Standing
from liq_provider.judge.decisions import CandleTrend, VerdictMode, decide
from liq_provider.judge.gate_list import DecisionStory
from liq_provider.judge.gates import tell
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.judge.verdict_of_candle import verdict_of_candle
from liq_provider.judge.wave_context import context_of
from liq_provider.measure.trend import trend_inputs
from liq_provider.store.minute_features import history
from liq_provider.store.reader import Reader

# Enough candles before the asked one to know whether its wave began earlier.
HISTORY_CANDLES = 120


@dataclass(frozen=True, slots=True)
class StoryFromStore:
    """
    :param call_id: of the question to the model that the verdict came from
    """

    story: DecisionStory
    call_id: str | None


def explain(
    reader: Reader,
    settings: Settings,
    in_force: RulesInForce,
    base_asset: str,
    close_ms: int,
    closes: FloatArray,
    mode: VerdictMode,
    standing: Standing | None = None,
) -> StoryFromStore:
    """
    The decision at a candle's close.

    :param closes: closed candles up to ``close_ms``, oldest first; may be empty
    :param mode: as in ``decide``
    :param standing: what is known of what only a bot knows
    """
    timeframe_ms, rules = in_force.timeframe_ms, in_force.rules
    settings = in_force.applied_to(settings)
    # Whatever is known of prices, how the wave began is known of its minutes.
    unknown = np.full(max(0, HISTORY_CANDLES - len(closes)), np.nan)
    closes = np.concatenate([unknown, closes])
    candle_ms = close_ms - timeframe_ms * np.arange(len(closes) - 1, -1, -1, dtype=np.int64)
    from_ms = int(candle_ms[0]) - timeframe_ms + MINUTE_MS
    timeframe_min = timeframe_ms // MINUTE_MS
    computed = history(reader, base_asset, settings, timeframe_min, from_ms, close_ms)
    rows = computed.rows((rules.thresholds.zscore,))
    change, noise = trend_inputs(closes, settings.trend_candles)
    verdicts = reader.verdicts(from_ms, close_ms + DAY_MS, [base_asset])
    decisions = decide(candle_ms, rows, CandleTrend(change, noise), verdicts, rules, mode)
    last = len(candle_ms) - 1
    said = verdict_of_candle(decisions, last, verdicts, rules)
    evidence = context_of(
        decisions, last, rows, rules, (computed.features, int(computed.wanted[-1]))
    )
    story = tell(decisions, last, in_force, mode, said, evidence, standing)
    call_id = None if said is None else json.loads(said["inputs"]).get("call_id")
    return StoryFromStore(story, call_id)
