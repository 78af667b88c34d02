"""Which verdict a candle's decision is told with: the one behind it, or the one that came late."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import islice, takewhile
from typing import Any

from liq_provider.core.durations import DAY_MS
from liq_provider.judge.decisions import Decisions, Rules
from liq_provider.measure.waves import direction_word
from liq_provider.store.verdict_minutes import spans_of


def verdict_of_candle(
    decisions: Decisions, row: int, verdicts: Sequence[Mapping[str, Any]], rules: Rules
) -> Mapping[str, Any] | None:
    """
    :param verdicts: that the decisions were made with, by ``available_at``
    :return: the verdict behind a decision; of those that came too late for it the first
    """
    at = int(decisions.verdict[row])
    if at >= 0:
        return verdicts[at]
    if decisions.judged[row] or not decisions.wave_ms[row]:
        return None
    close_ms, direction = int(decisions.close_ms[row]), direction_word(int(decisions.sign[row]))
    first = bisect_right(verdicts, close_ms + rules.delay_ms, key=_available_at)
    late = takewhile(
        lambda said: _available_at(said) <= close_ms + DAY_MS, islice(verdicts, first, None)
    )
    return next((said for said in late if _is_of(said, close_ms, direction, rules)), None)


def _is_of(said: Mapping[str, Any], close_ms: int, direction: str, rules: Rules) -> bool:
    spans = spans_of(said, rules.verdict_life_ms)
    within = any(first_ms <= close_ms <= last_ms for first_ms, last_ms in spans)
    return within and said["direction"] == direction


def _available_at(said: Mapping[str, Any]) -> int:
    return int(said["available_at"])
