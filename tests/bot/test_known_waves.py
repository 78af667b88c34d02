"""Waves are found once for rows and rules, and anew for others."""

import numpy as np

from liq_provider.bot.known_waves import KnownWaves
from liq_provider.measure.waves import waves_of
from tests.bot.helpers import feature_rows, rules


def test_the_same_rows_have_the_same_waves() -> None:
    known, rows = KnownWaves(), feature_rows({3: (9.0, 0.98)})
    first = known.of("BTC", rows, rules())
    assert known.of("BTC", rows, rules()) is first
    assert np.array_equal(first.strength, waves_of(rows, rules().thresholds, 5).strength)


def test_other_rows_rules_and_pairs_have_their_own() -> None:
    known, rows = KnownWaves(), feature_rows({3: (4.0, 0.98)})
    assert list(known.of("BTC", rows, rules()).strength) == [1]
    assert list(known.of("BTC", rows, rules(z_threshold=4.5)).strength) == [0]
    assert list(known.of("BTC", feature_rows({3: (9.0, 0.98)}), rules()).strength) == [2]
    assert list(known.of("ETH", rows, rules()).strength) == [1]
