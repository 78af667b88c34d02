"""The waves of rows that did not change: most coins have a new candle and no new liquidation."""

from liq_provider.judge.decisions import Rules
from liq_provider.measure.feature_rows import FeatureRows
from liq_provider.measure.waves import Waves, waves_of


class KnownWaves:
    """Of each pair the last ones. Rows are never changed: others are another object."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[FeatureRows, Rules, Waves]] = {}

    def of(self, pair: str, rows: FeatureRows, rules: Rules) -> Waves:
        """:return: the waves of a pair's rows by these rules"""
        known = self._known.get(pair)
        if known is not None and known[0] is rows and known[1] == rules:
            return known[2]
        waves = waves_of(rows, rules.thresholds, rules.segment_min)
        self._known[pair] = rows, rules, waves
        return waves

    def forget(self, pair: str) -> None:
        """It is traded no more."""
        self._known.pop(pair, None)
