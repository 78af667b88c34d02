"""Scripted market events as data: bursts of liquidations and the price moves around them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from liq_provider.core.liquidation import PositionSide
from liq_provider.simulator.orders import Draft
from liq_provider.simulator.prices import PriceLeg
from liq_provider.simulator.quiet_market import VENUE_SHARES, burst_sizes

# Seconds after the close of its minute in which a wave's price and its orders begin to move.
CASCADE_FROM_S = -26
BURST_FROM_S = -24
BURST_TO_S = -3

WaveKind = Literal["runs_on", "reverts", "mixed", "not_aligned"]


@dataclass(frozen=True, slots=True)
class Burst:
    """
    Many liquidations of one symbol within seconds, on all venues that have a share.

    :param at_ms: when the first may happen
    :param over_ms: how long it lasts
    :param position_side: the side that is mostly wiped out
    :param purity: share of the money that is on this side
    :param notional_usd: money over all venues, before any of them samples
    :param count: number of orders over all venues
    """

    symbol: str
    at_ms: int
    over_ms: int
    position_side: PositionSide
    purity: float
    notional_usd: float
    count: int

    def drafts(self, seed: int) -> Iterator[Draft]:
        """
        Spread the burst over time, sizes and venues.

        :param seed: the world's; the burst's own data are added to it
        """
        rng = np.random.default_rng((seed, self.at_ms, self.count, *self.symbol.encode()))
        times = np.sort(rng.integers(0, self.over_ms, self.count))
        # In turns by share, so that every venue takes part in every burst.
        venues = rng.permutation(_venue_turns(self.count))
        minor = max(1, round(self.count * (1 - self.purity))) if self.purity < 1 else 0
        opposite = set(rng.choice(self.count, minor, replace=False).tolist())
        major_usd = burst_sizes(rng, self.count - minor, self.notional_usd * self.purity)
        minor_usd = burst_sizes(rng, minor, self.notional_usd * (1 - self.purity))
        other: PositionSide = "short" if self.position_side == "long" else "long"
        for i in range(self.count):
            side, sizes = (other, minor_usd) if i in opposite else (self.position_side, major_usd)
            at_ms = self.at_ms + int(times[i])
            yield Draft(at_ms, self.symbol, str(venues[i]), side, sizes.pop())


def _venue_turns(count: int) -> list[str]:
    turns = [v for v, share in VENUE_SHARES.items() for _ in range(round(share * 10))]
    return [turns[i % len(turns)] for i in range(count)]


@dataclass(frozen=True, slots=True)
class ScriptedWave:
    """
    One scripted event.

    :param name: ``A``, ``B``, ... in the demo, numbers afterwards
    :param close_ms: close of the minute that holds the burst
    :param expect: what a follower of liquidations should make of it, in words
    """

    name: str
    kind: WaveKind
    symbol: str
    position_side: PositionSide
    close_ms: int
    expect: str
    bursts: tuple[Burst, ...]
    legs: tuple[PriceLeg, ...]

    @property
    def begins_ms(self) -> int:
        """:return: when its first price move begins"""
        return min(leg.at_ms for leg in self.legs)

    @property
    def approach(self) -> tuple[PriceLeg, ...]:
        """:return: price moves that begin before the cascade"""
        return tuple(leg for leg in self.legs if leg.at_ms < self._cascade_ms)

    @property
    def _cascade_ms(self) -> int:
        return self.close_ms + CASCADE_FROM_S * 1000

    def put_off(self, by_ms: int) -> "ScriptedWave":
        """
        :param by_ms: so much later, in whole minutes
        :return: this wave without its approach, which is over
        """
        legs = [leg for leg in self.legs if leg.at_ms >= self._cascade_ms]
        return replace(
            self,
            close_ms=self.close_ms + by_ms,
            bursts=tuple(replace(burst, at_ms=burst.at_ms + by_ms) for burst in self.bursts),
            legs=tuple(replace(leg, at_ms=leg.at_ms + by_ms) for leg in legs),
        )


class Plan(Protocol):
    """An endless, reproducible sequence of waves."""

    def until(self, ms: int) -> Sequence[ScriptedWave]:
        """:return: further waves that begin before ``ms``, each returned only once"""
        ...


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    :param waves: scripted events
    :param plan: what follows them, without end; None for nothing
    """

    waves: tuple[ScriptedWave, ...] = ()
    plan: Plan | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """
    One move of a wave's price, relative to the minute's close and to the wave's direction.

    :param from_s: begin in seconds after the close; negative before
    :param to_s: end in seconds after the close
    :param change: change of the log price in the direction of the wave
    """

    from_s: float
    to_s: float
    change: float


SHAPES: dict[WaveKind, tuple[Shape, ...]] = {
    # A drift, the cascade, two seconds to enter, a run, and a pull-back of more than 1 %.
    "runs_on": (
        Shape(-480, -26, 0.007),
        Shape(CASCADE_FROM_S, -2, 0.011),
        Shape(5, 35, 0.022),
        Shape(37, 55, -0.016),
    ),
    "reverts": (
        Shape(-480, -26, 0.007),
        Shape(CASCADE_FROM_S, -2, 0.010),
        Shape(5, 45, -0.028),
    ),
    # Both sides are hit while price whips and ends where it was.
    "mixed": (
        Shape(CASCADE_FROM_S, -18, 0.005),
        Shape(-18, -8, -0.010),
        Shape(-8, -2, 0.005),
    ),
    # A dip in a rise: the liquidations point one way, fifteen candles the other.
    "not_aligned": (
        Shape(-720, -30, -0.024),
        Shape(CASCADE_FROM_S, -2, 0.006),
        Shape(5, 60, -0.004),
    ),
}


def make_wave(
    name: str,
    kind: WaveKind,
    symbol: str,
    position_side: PositionSide,
    close_ms: int,
    notional_usd: float,
    count: int = 60,
) -> ScriptedWave:
    """
    Put a wave of a known shape before a minute's close.

    :param position_side: the side that is wiped out; longs fall, shorts rise
    :param close_ms: close of the minute in whose last 24 seconds the burst happens
    :param notional_usd: money of the burst over all venues
    """
    sign = -1 if position_side == "long" else 1
    legs = tuple(
        PriceLeg(symbol, close_ms + int(s.from_s * 1000), s.to_s - s.from_s, s.change * sign)
        for s in SHAPES[kind]
    )
    burst = Burst(
        symbol,
        close_ms + BURST_FROM_S * 1000,
        (BURST_TO_S - BURST_FROM_S) * 1000,
        position_side,
        0.5 if kind == "mixed" else 0.98,
        notional_usd,
        count,
    )
    return ScriptedWave(
        name, kind, symbol, position_side, close_ms, _expect(kind, position_side), (burst,), legs
    )


def _expect(kind: WaveKind, side: PositionSide) -> str:
    direction = "SHORT" if side == "long" else "LONG"
    return {
        "runs_on": f"{direction}, price runs on, trailing exit",
        "reverts": f"{direction}, price reverts, fallback exit",
        "mixed": "refused: both sides are hit",
        "not_aligned": f"refused: {direction} against the candles",
    }[kind]
