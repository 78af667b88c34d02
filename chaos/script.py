"""The market of a run: quiet background, and waves in turns on a few coins."""

import numpy as np

from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import PositionSide
from liq_provider.simulator.demo_script import wave_usd
from liq_provider.simulator.scenario import Scenario, ScriptedWave, WaveKind, make_wave
from liq_provider.simulator.symbols import DEMO_SYMBOLS, SymbolSpec
from liq_provider.simulator.world import World

SYMBOLS: tuple[SymbolSpec, ...] = DEMO_SYMBOLS[:8]
HISTORY_H = 8.0
_BACKGROUND = 8.0
_VOLATILITY = 0.3
_KINDS: tuple[WaveKind, ...] = ("runs_on", "reverts", "runs_on", "not_aligned")
_KIND_SHARES = (0.45, 0.3, 0.15, 0.1)

_WAVES_A_MINUTE = 2


def market(start_ms: int, seed: int, minutes: float, kind: type[World] = World) -> World:
    """
    :param minutes: how long waves are scripted
    """
    # One second's orders of a coin on Binance all go out: the truth is what happened.
    return kind(
        start_ms,
        seed,
        SYMBOLS,
        history_h=HISTORY_H,
        scenario=Scenario(waves(start_ms, seed, minutes)),
        volatility=_VOLATILITY,
        background=_BACKGROUND,
        throttle=False,
    )


def waves(start_ms: int, seed: int, minutes: float) -> tuple[ScriptedWave, ...]:
    """
    :return: two waves a minute, on all coins in turns; a coin's go one way, or the candles of its
        last one would speak against the next
    """
    rng = np.random.default_rng((seed, 4_711))
    first_close_ms = start_ms - start_ms % MINUTE_MS + 2 * MINUTE_MS
    order = [SYMBOLS[index] for index in rng.permutation(len(SYMBOLS))]
    falls = {spec.symbol: bool(rng.random() < 0.5) for spec in SYMBOLS}
    made = []
    for number in range(max(0, int(minutes)) * _WAVES_A_MINUTE):
        spec = order[number % len(order)]
        kind = _KINDS[int(rng.choice(len(_KINDS), p=_KIND_SHARES))]
        side: PositionSide = "long" if falls[spec.symbol] else "short"
        money = wave_usd(spec) * float(rng.uniform(0.8, 1.6))
        close_ms = first_close_ms + number // _WAVES_A_MINUTE * MINUTE_MS
        made.append(make_wave(str(number + 1), kind, spec.symbol, side, close_ms, money))
    return tuple(made)
