"""The synthetic market: seeded noise, sparse background liquidations, a script on top."""

import math
from collections.abc import Sequence

from liq_provider.core.durations import HOUR_MS, MINUTE_MS
from liq_provider.core.liquidation import minute_of
from liq_provider.simulator.market import SimulatedMarket
from liq_provider.simulator.orders import Draft, Order
from liq_provider.simulator.prices import NoisePath
from liq_provider.simulator.quiet_market import QuietMarket, between
from liq_provider.simulator.scenario import CASCADE_FROM_S, Scenario, ScriptedWave
from liq_provider.simulator.symbols import DEMO_SYMBOLS, SymbolSpec

# The longest lead of a wave's price moves before its burst, with some room.
PLAN_AHEAD_MS = 20 * MINUTE_MS
SHOWN_AHEAD_MS = 2 * MINUTE_MS

# Between the order to begin and the first move of a price.
LEAD_MS = 2_000


class World(SimulatedMarket):
    """A market that is reproducible from its seed and its start."""

    def __init__(
        self,
        start_ms: int,
        seed: int = 1,
        symbols: Sequence[SymbolSpec] = DEMO_SYMBOLS,
        history_h: float = 26.0,
        scenario: Scenario | None = None,
        volatility: float = 1.0,
        background: float = 1.0,
        throttle: bool = True,
        hold: bool = False,
    ) -> None:
        """
        :param start_ms: when the simulator starts; history lies before, live time after
        :param history_h: hours of candles and liquidations before the start
        :param volatility: factor on every symbol's noise; 0 for flat prices
        :param background: factor on the number of background liquidations; 0 for none
        :param throttle: as the sampled venues do, see ``framing.frame_orders``
        :param hold: the scenario's waves wait for ``begin``
        """
        first_ms = math.floor((start_ms - history_h * HOUR_MS) / HOUR_MS) * HOUR_MS
        paths = {
            spec.symbol: NoisePath(
                seed, index, spec.price, spec.volatility * volatility, first_ms // 1000
            )
            for index, spec in enumerate(symbols)
        }
        super().__init__(symbols, paths, first_ms, throttle)
        self.start_ms = start_ms
        self.seed = seed
        self.waves: list[ScriptedWave] = []
        self._background = QuietMarket(seed, symbols, background)
        self._bursts: list[Draft] = []
        self._scenario = scenario or Scenario()
        self._planned_ms = 0
        self._held: tuple[ScriptedWave, ...] = self._scenario.waves if hold else ()
        if hold:
            self.add_legs([leg for wave in self._held for leg in wave.approach])
        else:
            self._add_waves(self._scenario.waves)

    def begin(self, now_ms: int) -> int:
        """
        Let the waves that are held come, in the next minute of which enough is left.

        :return: the close of that minute; 0 if none are held
        """
        if not self._held:
            return 0
        held, self._held = self._held, ()
        earliest_ms = now_ms + LEAD_MS - CASCADE_FROM_S * 1000
        close_ms = minute_of(earliest_ms) + MINUTE_MS
        self._add_waves([wave.put_off(close_ms - wave.close_ms) for wave in held])
        return close_ms

    def _add_waves(self, waves: Sequence[ScriptedWave]) -> None:
        for wave in waves:
            self.waves.append(wave)
            self.add_legs(wave.legs)
            self._bursts += [d for burst in wave.bursts for d in burst.drafts(self.seed)]
        if waves:
            self._bursts.sort(key=lambda draft: draft.event_ms)

    def prepare(self, until_ms: int) -> None:
        """Bring in the waves of the plan whose price moves begin before ``until_ms``."""
        if self._scenario.plan is None or until_ms <= self._planned_ms:
            return
        self._planned_ms = until_ms + MINUTE_MS
        self._add_waves(self._scenario.plan.until(self._planned_ms + PLAN_AHEAD_MS))

    def scheduled(self, from_ms: int, to_ms: int) -> list[Order]:
        """:return: background and script between the history's beginning and ``to_ms``"""
        from_ms = max(from_ms, self.first_ms)
        if to_ms <= from_ms:
            return []
        drafts = self._background.drafts(from_ms, to_ms)
        drafts += between(self._bursts, from_ms, to_ms)
        return [self.priced(draft) for draft in drafts]

    def describe(self, now_ms: int) -> dict[str, object]:
        """:return: label, seed, and the script up to two minutes ahead with its outcome"""
        script = [
            {
                "name": wave.name,
                "kind": wave.kind,
                "symbol": wave.symbol,
                "wiped_out": wave.position_side,
                "close_ms": wave.close_ms,
                "expect": wave.expect,
            }
            for wave in self.waves
            if wave.begins_ms <= now_ms + SHOWN_AHEAD_MS
        ]
        return {
            **super().describe(now_ms),
            "seed": self.seed,
            "start_ms": self.start_ms,
            "first_ms": self.first_ms,
            "symbols": list(self.symbols),
            "waves": script,
        }
