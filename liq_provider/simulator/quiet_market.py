"""Sparse liquidations of a quiet market: independent, small, on random sides."""

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from liq_provider.core.durations import HOUR_MS
from liq_provider.simulator.orders import Draft
from liq_provider.simulator.symbols import SymbolSpec
from liq_provider.venues import VENUES

VENUE_SHARES = {n: v.dialect.share for n, v in VENUES.items() if v.dialect.share > 0}
_ALL_SHARES = sum(VENUE_SHARES.values())

# Log-normal sizes with a cap: heavy-tailed, yet three of the largest on one side within five
# minutes, which would look like a wave, practically never happen.
SIZE_SIGMA = 1.0
SIZE_CAP = 8.0
SIZE_FLOOR_USD = 20.0


class QuietMarket:
    """Background orders by hour; an hour's orders depend only on seed, symbol and hour."""

    def __init__(self, seed: int, symbols: Sequence[SymbolSpec], scale: float = 1.0) -> None:
        """
        :param scale: factor on the number of orders; 0 for none
        """
        self._seed = seed
        self._symbols = symbols
        self._scale = scale
        self._hours: dict[int, list[Draft]] = {}

    def drafts(self, from_ms: int, to_ms: int) -> list[Draft]:
        """:return: orders with ``from_ms <= event_ms < to_ms``"""
        hours = range(from_ms // HOUR_MS, (to_ms - 1) // HOUR_MS + 1)
        return [d for hour in hours for d in between(self._hour(hour), from_ms, to_ms)]

    def _hour(self, hour: int) -> list[Draft]:
        known = self._hours.get(hour)
        if known is None:
            known = [
                draft
                for index, spec in enumerate(self._symbols)
                for draft in self._symbol_hour(hour, index, spec)
            ]
            known.sort(key=lambda draft: draft.event_ms)
            self._hours[hour] = known
        return known

    def _symbol_hour(self, hour: int, index: int, spec: SymbolSpec) -> list[Draft]:
        rng = np.random.default_rng((self._seed, 7_001 + index, hour))
        count = int(rng.poisson(spec.liquidations_day / 24 * self._scale))
        times = rng.integers(0, HOUR_MS, count)
        sizes = np.clip(
            spec.median_usd * np.exp(rng.standard_normal(count) * SIZE_SIGMA),
            SIZE_FLOOR_USD,
            spec.median_usd * SIZE_CAP,
        )
        longs = rng.random(count) < 0.5
        venues = rng.choice(
            list(VENUE_SHARES), count, p=[share / _ALL_SHARES for share in VENUE_SHARES.values()]
        )
        return [
            Draft(
                hour * HOUR_MS + int(times[i]),
                spec.symbol,
                str(venues[i]),
                "long" if longs[i] else "short",
                float(sizes[i]),
            )
            for i in range(count)
        ]


def between(drafts: Sequence[Draft], from_ms: int, to_ms: int) -> Sequence[Draft]:
    """
    :param drafts: by time; every venue asks several times a second, so not all are looked at
    :return: those with ``from_ms <= event_ms < to_ms``
    """
    begin = bisect_left(drafts, from_ms, key=_event_ms)
    return drafts[begin : bisect_left(drafts, to_ms, begin, key=_event_ms)]


def _event_ms(draft: Draft) -> int:
    return draft.event_ms


def burst_sizes(rng: np.random.Generator, count: int, total_usd: float) -> list[float]:
    """:return: heavy-tailed sizes that add up to ``total_usd``"""
    raw = np.exp(rng.standard_normal(count) * math.sqrt(1.2))
    return [float(size) for size in raw / raw.sum() * total_usd]
