"""A verdict that came too late is told of its candle, by everybody."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from liq_provider.judge.decisions import VerdictMode, decide
from liq_provider.judge.verdict_of_candle import verdict_of_candle
from tests.bot.helpers import feature_rows, rules, trend, verdict


def told(verdicts: Sequence[dict[str, Any]], mode: VerdictMode = "live", z: float = 9.0) -> Any:
    """What is told of minute 40, a wave of long liquidations unless ``z`` says otherwise."""
    rows, own = feature_rows({40: (z, 0.98)}), rules()
    decisions = decide(np.array(rows.close_ms), rows, trend(-1, 1), verdicts, own, mode)
    return verdict_of_candle(decisions, 0, verdicts, own)


def test_the_verdict_behind_a_decision_is_told_before_any_other() -> None:
    in_time, late = verdict(40), verdict(40, judge="m@1", after_s=60)
    assert told([in_time, late]) is in_time


def test_of_those_that_came_too_late_the_first_is_told() -> None:
    first, second = verdict(40, after_s=60), verdict(40, judge="m@1", after_s=90)
    assert told([first, second]) is first


@pytest.mark.parametrize(
    "other",
    [verdict(40, after_s=60, direction="LONG"), verdict(39, after_s=90, confirmed="[[1, 2]]")],
)
def test_one_of_another_direction_or_minute_is_none_of_it(other: dict[str, Any]) -> None:
    assert told([other]) is None


def test_where_there_is_no_wave_or_the_matrix_decides_a_late_verdict_says_nothing() -> None:
    late = [verdict(40, after_s=60)]
    assert told(late, z=2.0) is None
    assert told(late, mode="matrix") is None
