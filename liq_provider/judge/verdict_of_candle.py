"""Which verdict a candle's decision is told with: the one behind it, or the one that came late."""

from collections.abc import Mapping, Sequence
from typing import Any

from liq_provider.judge.decisions import Decisions, Rules
from liq_provider.measure.waves import direction_word
from liq_provider.store.verdict_minutes import spans_of


def verdict_of_candle(
    decisions: Decisions, row: int, verdicts: Sequence[Mapping[str, Any]], rules: Rules
) -> Mapping[str, Any] | None:
    """
    :param verdicts: that the decisions were made with
    :return: the verdict behind a decision; of those that came too late for it the first
    """
    at = int(decisions.verdict[row])
    if at >= 0:
        return verdicts[at]
    if decisions.judged[row] or not decisions.wave_ms[row]:
        return None
    close_ms, direction = int(decisions.close_ms[row]), direction_word(int(decisions.sign[row]))
    late = (
        said
        for said in verdicts
        if said["direction"] == direction
        and said["available_at"] > close_ms + rules.delay_ms
        and any(
            first_ms <= close_ms <= last_ms
            for first_ms, last_ms in spans_of(said, rules.verdict_life_ms)
        )
    )
    return min(late, key=lambda said: int(said["available_at"]), default=None)
