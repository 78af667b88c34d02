"""The facts a judge starts from, and the matrix judge's verdict about them."""

import json
from typing import Any

import numpy as np
import pytest

from liq_provider.judge.matrix import Action, Confidence, News, decide
from liq_provider.judge.matrix_judge import matrix_answer
from liq_provider.judge.verdict import Facts, Verdict, aligned_word
from liq_provider.judge.wave_facts import make_facts
from liq_provider.measure.minute_results import Anomaly
from liq_provider.measure.trend import trend_inputs
from liq_provider.measure.waves import Direction, Strength
from liq_provider.store import schema
from liq_provider.store.vetoes import MATRIX

PAIR = "BTC/USDT:USDT"
RISING = 100 * 1.002 ** np.arange(40.0)
FALLING = RISING[::-1]
FLAT = np.full(40, 100.0)


def anomaly(direction: Direction = "LONG", strength: Strength = Strength.STRONG) -> Anomaly:
    """One anomalous minute."""
    return Anomaly("BTC", 600_000, direction, strength, 6.1, 0.97, 5e5, 1.5e4, 4.85e5, 9, 540_000)


def verdict(known: Facts) -> Verdict:
    """The matrix judge's answer."""
    return matrix_answer(known).verdict(known, MATRIX, 602_500, 632_000)


@pytest.mark.parametrize(
    ("direction", "closes", "aligned", "trend"),
    [
        ("LONG", RISING, True, "up"),
        ("LONG", FALLING, False, "down"),
        ("LONG", FLAT, False, "flat"),
        ("SHORT", RISING, False, "up"),
        ("SHORT", FALLING, True, "down"),
        ("SHORT", FLAT, False, "flat"),
        ("SHORT", FALLING[:15], None, "unknown"),
        ("LONG", np.array([]), None, "unknown"),
    ],
)
def test_alignment_is_trend_equals_direction_and_unknown_without_candles(
    direction: Direction, closes: Any, aligned: bool | None, trend: str
) -> None:
    known = make_facts(anomaly(direction), PAIR, closes, 15, 0.5)
    assert known.aligned is aligned
    assert known.details["trend"] == trend
    assert (known.symbol, known.base_asset, known.direction) == (PAIR, "BTC", direction)
    assert (known.wave_start_ms, known.close_ms) == (540_000, 600_000)


def test_facts_carry_the_numbers_of_the_newest_candle() -> None:
    change, noise = trend_inputs(RISING, 15)
    details = make_facts(anomaly(), PAIR, RISING, 15, 0.5).details
    assert (details["trend_change"], details["trend_noise"]) == (change[-1], noise[-1])
    assert (details["z"], details["purity"], details["count"]) == (6.1, 0.97, 9)
    assert details["long_usd"] + details["short_usd"] == details["notional_usd"]


@pytest.mark.parametrize("strength", [Strength.STRONG, Strength.MEDIUM])
@pytest.mark.parametrize("closes", [RISING, FALLING, RISING[:5]])
def test_the_matrix_judge_answers_with_the_row_for_news_not_asked(
    strength: Strength, closes: Any
) -> None:
    known = make_facts(anomaly(strength=strength), PAIR, closes, 15, 0.5)
    answer = verdict(known)
    assert (answer.action, answer.confidence) == decide(strength, known.aligned, News.NOT_ASKED)
    assert (answer.judge, answer.news, answer.downgrade) == ("matrix", News.NOT_ASKED, 0)
    assert (answer.available_at, answer.expires_at) == (602_500, 632_000)


def test_a_verdict_gives_its_reasons_in_words() -> None:
    answer = verdict(make_facts(anomaly(), PAIR, RISING, 15, 0.5))
    assert answer.liq_note == "strong: z 6.1, purity 97%, $500,000 in 9 liquidations"
    assert answer.trend_note == "candles up, wanted up"
    assert answer.action_reason.endswith("news was not asked")
    blind = verdict(make_facts(anomaly(), PAIR, np.array([]), 15, 0.5))
    assert "no candles" in blind.action_reason
    opposed = verdict(make_facts(anomaly(), PAIR, FALLING, 15, 0.5))
    assert "price does not follow" in opposed.action_reason


def test_a_verdict_fills_every_column_of_its_table() -> None:
    row = verdict(make_facts(anomaly(), PAIR, RISING, 15, 0.5)).row()
    assert set(row) == {column.name for column in schema.verdicts.columns}
    assert (row["action"], row["confidence"], row["aligned"]) == ("enter", "medium", "yes")
    assert json.loads(row["inputs"])["z"] == 6.1
    assert json.loads(row["guard"]) == []


def test_a_verdict_without_candles_is_valid_json() -> None:
    row = verdict(make_facts(anomaly(), PAIR, np.array([]), 15, 0.5)).row()
    assert json.loads(row["inputs"])["trend_change"] is None
    assert (row["action"], row["confidence"]) == (Action.SKIP.value, Confidence.LOW.word)


def test_words_for_alignment() -> None:
    assert [aligned_word(x) for x in (True, False, None)] == ["yes", "no", "unknown"]
