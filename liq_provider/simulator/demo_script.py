"""The demo's script, and the endless sequence of waves after it."""

from collections.abc import Sequence

import numpy as np

from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import PositionSide, minute_of
from liq_provider.simulator.scenario import Scenario, ScriptedWave, WaveKind, make_wave
from liq_provider.simulator.symbols import DEMO_SYMBOLS, SymbolSpec

# A simulator that starts later than this into a minute waits for the next one: the cascades
# take 24 seconds, and the recorder has to be there for them.
LATEST_START_S = 40
FIRST_RANDOM_S = 180
GAP_S = (120, 240)
REST_S = 1_500

_KINDS: tuple[WaveKind, ...] = ("runs_on", "reverts", "mixed", "not_aligned")
_KIND_SHARES = (0.45, 0.2, 0.15, 0.2)


def first_close_ms(start_ms: int) -> int:
    """
    :param start_ms: when the simulator starts
    :return: close of the minute in which the demo's cascades happen (M1)
    """
    into_ms = start_ms % MINUTE_MS
    wait = into_ms > LATEST_START_S * 1000
    return start_ms - into_ms + MINUTE_MS * (2 if wait else 1)


class RandomWaves:
    """Waves every two to four minutes, each symbol resting 25 minutes between its own."""

    def __init__(
        self,
        seed: int,
        from_ms: int,
        symbols: Sequence[SymbolSpec],
        after: Sequence[ScriptedWave] = (),
    ) -> None:
        """
        :param from_ms: close of the minute of the first wave
        :param after: scripted waves before it; their symbols rest first
        """
        self._rng = np.random.default_rng((seed, 9_001))
        self._symbols = {spec.symbol: spec for spec in symbols}
        self._free_ms = dict.fromkeys(self._symbols, from_ms)
        for wave in after:
            self._free_ms[wave.symbol] = wave.close_ms + REST_S * 1000
        self._next = self._make(1, from_ms)

    def until(self, ms: int) -> Sequence[ScriptedWave]:
        """:return: further waves that begin before ``ms``, each returned only once"""
        waves = []
        while self._next.begins_ms < ms:
            waves.append(self._next)
            gap_ms = int(self._rng.integers(*GAP_S)) * 1000
            close_ms = self._next.close_ms + gap_ms
            number = int(self._next.name) + 1
            self._next = self._make(number, minute_of(close_ms) + MINUTE_MS)
        return waves

    def _make(self, number: int, close_ms: int) -> ScriptedWave:
        rested = [s for s, free in self._free_ms.items() if free <= close_ms]
        # With few symbols all may be resting: then the one that has rested longest.
        symbol = str(
            self._rng.choice(rested or [min(self._free_ms, key=self._free_ms.__getitem__)])
        )
        self._free_ms[symbol] = close_ms + REST_S * 1000
        kind = _KINDS[int(self._rng.choice(len(_KINDS), p=_KIND_SHARES))]
        side: PositionSide = "long" if self._rng.random() < 0.5 else "short"
        money = wave_usd(self._symbols[symbol]) * float(self._rng.uniform(0.8, 1.6))
        return make_wave(str(number), kind, symbol, side, close_ms, money)


def wave_usd(spec: SymbolSpec) -> float:
    """:return: money in a wave of this symbol that stands far above its background"""
    return spec.median_usd * spec.liquidations_day * 0.8


def demo_scenario(start_ms: int, seed: int = 1) -> Scenario:
    """
    Five waves before the first minute's close, then random ones for as long as it runs.

    :param start_ms: when the simulator starts
    """
    close_ms = first_close_ms(start_ms)
    by_base = {spec.base: spec for spec in DEMO_SYMBOLS}
    cast: tuple[tuple[str, WaveKind, str, PositionSide], ...] = (
        ("A", "runs_on", "BTC", "long"),
        ("B", "runs_on", "SOL", "short"),
        ("C", "reverts", "ETH", "short"),
        ("D", "mixed", "XRP", "short"),
        ("E", "not_aligned", "DOGE", "long"),
    )
    waves = tuple(
        make_wave(name, kind, by_base[base].symbol, side, close_ms, wave_usd(by_base[base]))
        for name, kind, base, side in cast
    )
    plan = RandomWaves(seed, close_ms + FIRST_RANDOM_S * 1000, DEMO_SYMBOLS, waves)
    return Scenario(waves, plan)
