"""How much of a backtest's candles is known at all, said before and after its result."""

import atexit
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from freqtrade.configuration import TimeRange

from liq_provider.core.arrays import IntArray
from liq_provider.measure.feature_rows import FeatureRows, State

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KnownCandles:
    """
    :param candles: that are tested
    :param known: whose segment at least one venue covered
    :param ready: of those, with a baseline long enough for a z
    """

    candles: int
    known: int
    ready: int

    @classmethod
    def of(cls, close_ms: IntArray, rows: FeatureRows) -> "KnownCandles":
        """
        :param close_ms: closes of the tested candles
        :param rows: features; a close that is missing is unknown
        """
        state = np.full(len(close_ms), int(State.UNCOVERED))
        if len(rows):
            at = np.minimum(np.searchsorted(rows.close_ms, close_ms), len(rows) - 1)
            there = rows.close_ms[at] == close_ms
            state[there] = rows.state[at[there]]
        known = state != State.UNCOVERED
        ready = known & (state != State.WARMING_UP)
        return cls(len(close_ms), int(known.sum()), int(ready.sum()))


@dataclass(slots=True)
class CoverageReport:
    """
    Collects the shares of all pairs, and warns in large letters where the whole is too little.

    :param min_coverage: share of known candles below which a result says little
    :param first_word: warn before the result, too; hyperopt's epochs would repeat that
    :param tested: of the closes of all candles of a pair, those that are tested
    """

    min_coverage: float
    first_word: bool
    tested: Callable[[IntArray], IntArray]
    pairs: dict[str, KnownCandles] = field(default_factory=dict)

    def count(self, pair: str, close_ms: IntArray, rows: FeatureRows) -> None:
        """
        :param close_ms: closes of all its candles
        :param rows: its features
        """
        candles = KnownCandles.of(self.tested(close_ms), rows)
        # A strategy may add one pair's columns beside the candles of each of the others.
        if self.pairs.get(pair) != candles:
            self.take(pair, candles)

    def take(self, pair: str, candles: KnownCandles) -> None:
        """Count a pair, log its share, and see to it that the last word is a warning if due."""
        if not self.pairs:
            atexit.register(self._last_word)
        self.pairs[pair] = candles
        logger.info(
            "%s: liquidations known for %s of %s candles (%s), a baseline for %s (%s)",
            pair,
            f"{candles.known:,}",
            f"{candles.candles:,}",
            _percent(candles.known, candles.candles),
            f"{candles.ready:,}",
            _percent(candles.ready, candles.candles),
        )

    def warning(self) -> str | None:
        """:return: large letters, None if enough is known"""
        candles = sum(pair.candles for pair in self.pairs.values())
        known = sum(pair.known for pair in self.pairs.values())
        if not candles or known >= self.min_coverage * candles:
            return None
        mark = "!" * 78
        return (
            f"\n{mark}\n"
            f"!!! ONLY {_percent(known, candles)} OF THE CANDLES HAVE KNOWN LIQUIDATIONS "
            f"(min_coverage {self.min_coverage:.0%}).\n"
            "!!! UNKNOWN CANDLES CANNOT TRADE: THIS RESULT SAYS LITTLE ABOUT THE WHOLE SPAN.\n"
            "!!! Narrow --timerange to what was recorded (liq-provider status), or record more.\n"
            f"{mark}"
        )

    def warn_first(self) -> None:
        """Before the result; does nothing when called again."""
        text = self.warning()
        if self.first_word and text is not None:
            logger.warning(text)
        self.first_word = False

    def _last_word(self) -> None:
        """After the result, when the program ends."""
        text = self.warning()
        if text is not None:
            print(text, flush=True)


def candles_tested(close_ms: IntArray, config: Mapping[str, Any], startup_candles: int) -> IntArray:
    """
    :param close_ms: closes of all candles that were loaded
    :param config: Freqtrade's; its time range begins after the startup candles
    :return: closes of the candles that signals are taken from
    """
    span = TimeRange.parse_timerange(config.get("timerange") or None)
    first_ms = int(close_ms[0]) if len(close_ms) else 0
    if span.starttype == "date" and span.startts * 1000 > first_ms:
        later: IntArray = close_ms[close_ms > span.startts * 1000]
        return later
    return close_ms[startup_candles:]


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "none"
