"""
Which pair had which candle, and when: of a list that changes, each pair's candles come when it is
there. How long the candles of a whole list take knows ``candle_delay``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

# What is asked about is a candle of just now; pairs without trades may be some behind.
_CLOSES = 16


@dataclass(frozen=True, slots=True)
class Arrival:
    """
    :param close_ms: of a pair's newest candle
    :param seen_ms: the first loop that had it
    :param joined: the pair was not in the list of the loop before
    """

    close_ms: int
    seen_ms: int
    joined: bool


class CandleArrivals:
    """Of each pair of the list the newest candle."""

    def __init__(self) -> None:
        self._of: dict[str, Arrival] = {}
        self._begun = False
        # Pairs that had a candle as their newest one, by its close.
        self._had: dict[int, set[str]] = {}

    def take(self, newest_close_ms: Mapping[str, int], now_ms: int) -> None:
        """
        :param newest_close_ms: of each pair of the list that has candles
        :param now_ms: when Freqtrade had asked for all of them
        """
        before, self._of = self._of, {}
        for pair, close_ms in newest_close_ms.items():
            known = before.get(pair)
            if known is None or known.close_ms != close_ms:
                known = Arrival(close_ms, now_ms, self._begun and known is None)
                self._had.setdefault(close_ms, set()).add(pair)
            self._of[pair] = known
        self._begun = True
        for close_ms in sorted(self._had)[:-_CLOSES]:
            del self._had[close_ms]

    def of(self, pair: str, close_ms: int) -> Arrival | None:
        """:return: of the candle that closed at ``close_ms``, if that is the pair's newest"""
        arrival = self._of.get(pair)
        return arrival if arrival is not None and arrival.close_ms == close_ms else None

    def had(self, pair: str, close_ms: int) -> bool:
        """:return: whether that candle was the pair's newest in a loop of lately"""
        return pair in self._had.get(close_ms, ())
