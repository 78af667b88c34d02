"""Several ways to one result, timed in turns: what else the machine does then meets all of them."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles

Way = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Times:
    """
    CPU time of one way.

    :param seconds: of each round that counts, in their order
    """

    seconds: tuple[float, ...]

    @property
    def median_ms(self) -> float:
        """In milliseconds."""
        return median(self.seconds) * 1e3

    @property
    def spread(self) -> float:
        """What lies between the quartiles, as a share of the median."""
        low, _, high = quantiles(self.seconds, n=4)
        return (high - low) / median(self.seconds)

    def over(self, other: "Times") -> float:
        """:return: how many times as long it took, the median of the rounds"""
        return median(one / peer for one, peer in zip(self.seconds, other.seconds, strict=True))


@dataclass(frozen=True, slots=True)
class Row:
    """
    One work, and who did it.

    :param ways: LiqTrend's own first
    """

    work: str
    ways: Mapping[str, Times]

    def lines(self) -> list[str]:
        """:return: as a table prints it"""
        own = next(iter(self.ways.values()))
        lines = [self.work]
        for name, times in self.ways.items():
            ratio = "" if times is own else f"{own.over(times):>9.2f} of it"
            lines.append(f"  {name:30}{times.median_ms:>10.2f} ms {times.spread:>6.0%}{ratio}")
        return lines


def in_turns(ways: Mapping[str, Way], rounds: int) -> dict[str, Times]:
    """
    :param rounds: that count; one goes before them
    :return: CPU times. Each round begins with another way, so that none always follows the same
    """
    names, took = list(ways), {name: [0.0] * rounds for name in ways}
    for number in range(-1, rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            began = time.process_time()
            ways[name]()
            if number >= 0:
                took[name][number] = time.process_time() - began
    return {name: Times(tuple(seconds)) for name, seconds in took.items()}


def growth(sizes: Sequence[float], times: Sequence[Times]) -> float:
    """
    :return: the power of the size by which the time grows: 1 for in proportion, 0 for not at all

    >>> round(growth([1, 4, 16], [Times((s,)) for s in (0.5, 2.0, 8.0)]), 3)
    1.0
    """
    logs = [
        (math.log(size), math.log(time.median_ms)) for size, time in zip(sizes, times, strict=True)
    ]
    x, y = (fmean(part) for part in zip(*logs, strict=True))
    return math.fsum((a - x) * (b - y) for a, b in logs) / math.fsum((a - x) ** 2 for a, _ in logs)
