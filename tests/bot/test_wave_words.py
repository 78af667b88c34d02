"""Waves in words."""

import numpy as np

from liq_provider.bot.wave_words import wave_words
from liq_provider.judge.decisions import decide
from tests.bot.helpers import at, feature_rows, rules, trend


def test_a_wave_is_told_with_its_numbers() -> None:
    close_ms = np.array([at(3)], dtype=np.int64)
    decisions = decide(close_ms, feature_rows({3: (9.0, 0.98)}), trend(-1, 1), [], rules(), "both")
    assert wave_words(decisions, 0) == "strong wave SHORT, z 9.0, purity 98%, $1,000,000"
