"""
Coins that came into the list of the whole market when their wave was there already: how much later
than others Freqtrade had their candles.
"""

from collections import deque
from collections.abc import Iterable
from statistics import median

from liq_provider.bot.engine import Engine
from liq_provider.core.durations import DAY_MS
from liq_provider.measure.waves import Strength

# More in a day say nothing new.
_MOST = 1_000


class LateCoins:
    """Of the last day."""

    def __init__(self) -> None:
        # Close of the candle, and seconds after the minute was settled.
        self._delays: deque[tuple[int, float]] = deque(maxlen=_MOST)
        self._counted: set[tuple[str, int]] = set()

    def look(self, engine: Engine, pairs: Iterable[str], close_ms: int) -> None:
        """
        :param pairs: the whitelist
        :param close_ms: of the newest candle, which was decided on
        """
        self._counted = {key for key in self._counted if key[1] == close_ms}
        for pair in pairs:
            arrival = engine.arrivals.of(pair, close_ms)
            if arrival is None or not arrival.joined or (pair, close_ms) in self._counted:
                continue
            decided = engine.decision(pair, close_ms)
            if decided is not None and decided[0].strength[decided[1]] > Strength.NONE:
                self._counted.add((pair, close_ms))
                settled_ms = close_ms + engine.settings.settle_ms
                self._delays.append((close_ms, max(0, arrival.seen_ms - settled_ms) / 1000))
        while self._delays and self._delays[0][0] < close_ms - DAY_MS:
            self._delays.popleft()

    @property
    def words(self) -> str:
        """Empty if there was none."""
        delays = [delay_s for _, delay_s in self._delays]
        if not delays:
            return ""
        coins = "1 coin" if len(delays) == 1 else f"{len(delays)} coins"
        return (
            f"{coins} of today came into the list with a wave, their candles "
            f"{median(delays):.1f} s after the minute was settled (at worst {max(delays):.1f} s)"
        )
