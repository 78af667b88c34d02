"""What the stand-in of a model answers."""

from dataclasses import replace
from typing import Any

import pytest

from liq_provider.judge.prompt import data
from liq_provider.news.desk import NOT_ASKED
from liq_provider.simulator.stand_in_model import verdict
from tests.judge.facts import CANDLES, NOW, facts


@pytest.mark.parametrize(
    ("score", "words"),
    [
        ({"z": 9.04}, "z 9.0"),
        ({"z": 2.41, "zscore": "robust"}, "robust z 2.4"),
        ({"z": 0.985, "zscore": "percentile"}, "larger than 98.5% of its baseline"),
    ],
)
def test_it_answers_whichever_score_it_is_told(score: dict[str, Any], words: str) -> None:
    about = facts()
    about = replace(about, details=dict(about.details) | score)
    asked = data(about, CANDLES, "1m", NOT_ASKED, NOW)
    assert verdict(asked)["liq_note"].startswith(f"strong: {words}, purity")
