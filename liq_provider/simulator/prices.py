"""Price paths at one-second resolution: seeded noise plus scripted moves."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from liq_provider.core.durations import HOUR_S

Floats = npt.NDArray[np.float64]

CHUNK_S = HOUR_S


@dataclass(frozen=True, slots=True)
class PriceLeg:
    """
    A scripted move that stays: the log price changes by ``change`` evenly over ``over_s``.

    :param symbol: the market's name inside the simulator
    :param at_ms: when it begins
    :param over_s: how long it takes, in seconds; 0 is a gap between two seconds
    :param change: change of the log price (0.01 is about one percent)
    """

    symbol: str
    at_ms: int
    over_s: float
    change: float


class Displacement:
    """The sum of all scripted moves of one symbol, piecewise linear in time."""

    def __init__(self) -> None:
        self._legs: list[tuple[float, float, float]] = []
        self._times = np.zeros(1)
        self._values = np.zeros(1)

    def add(self, legs: Iterable[PriceLeg]) -> None:
        """
        :param legs: moves to add; their symbol is not looked at
        """
        for leg in legs:
            at_s = leg.at_ms / 1000
            if leg.over_s <= 0:
                # The whole second in which a gap begins shows the new price.
                at_s = math.floor(at_s)
                self._legs.append((at_s - 1, at_s, leg.change))
            else:
                self._legs.append((at_s, at_s + max(leg.over_s, 1.0), leg.change))
        if self._legs:
            self._rebuild()

    def _rebuild(self) -> None:
        times = np.unique([t for begin, end, _ in self._legs for t in (begin, end)])
        values = np.zeros(len(times))
        for begin, end, change in self._legs:
            values += change * np.clip((times - begin) / (end - begin), 0.0, 1.0)
        self._times, self._values = times, values

    def at(self, seconds: Floats) -> Floats:
        """
        :param seconds: epoch seconds
        :return: change of the log price against the undisturbed path
        """
        return np.interp(seconds, self._times, self._values)


class NoisePath:
    """
    A seeded random walk of the log price, generated in chunks of an hour as they are needed.

    A chunk's randomness depends only on seed, symbol and hour, so a path does not depend on
    the order in which it is asked for.
    """

    def __init__(
        self, seed: int, index: int, start_price: float, sigma_minute: float, first_s: int
    ) -> None:
        """
        :param index: number of the symbol, so that each has its own noise
        :param sigma_minute: standard deviation of one minute's log return; 0 for a flat line
        :param first_s: first second of the path
        """
        self._seed = seed
        self._index = index
        self._sigma_s = sigma_minute / math.sqrt(60)
        self._first_chunk = first_s // CHUNK_S
        self._chunks: list[Floats] = []
        self._level = math.log(start_price)

    def log_prices(self, from_s: int, to_s: int) -> Floats:
        """
        :return: log price for every second in ``[from_s, to_s)``; before the path's beginning
            its first value
        """
        first = self._first_chunk * CHUNK_S
        while first + len(self._chunks) * CHUNK_S < to_s:
            self._extend()
        low = max(from_s, first)
        parts = []
        for number in range((low - first) // CHUNK_S, (to_s - 1 - first) // CHUNK_S + 1):
            base = first + number * CHUNK_S
            parts.append(self._chunks[number][max(low - base, 0) : to_s - base])
        return np.concatenate(parts) if len(parts) != 1 else parts[0]

    def _extend(self) -> None:
        if self._sigma_s == 0:
            # One for all hours: hundreds of flat lines need no memory for each second.
            flat = self._chunks[:1] or [np.full(CHUNK_S, self._level)]
            self._chunks += flat
            return
        hour = self._first_chunk + len(self._chunks)
        rng = np.random.default_rng((self._seed, self._index, hour))
        steps = rng.standard_normal(CHUNK_S) * self._sigma_s
        chunk = self._level + np.cumsum(steps)
        self._level = float(chunk[-1])
        self._chunks.append(chunk)


class FillPath:
    """A recorded price: the last fill's, carried forward; before the first fill the first."""

    def __init__(self, times_s: Iterable[float], prices: Iterable[float]) -> None:
        self._times = np.fromiter(times_s, dtype=np.float64)
        self._logs = np.log(np.fromiter(prices, dtype=np.float64))

    def log_prices(self, from_s: int, to_s: int) -> Floats:
        """:return: log price at the end of every second in ``[from_s, to_s)``"""
        ends = np.arange(from_s + 1, to_s + 1, dtype=np.float64)
        places = np.searchsorted(self._times, ends, side="left") - 1
        return np.asarray(self._logs[np.maximum(places, 0)], dtype=np.float64)
