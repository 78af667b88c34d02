"""
Which coins are worth a bot's look at the next close: those in a wave, those that may be in one by
then, and how they are ranked and kept.

A bot asks for the candles of each pair on its list at each close, one after the other, so a list
must be short to be quick. What is on it decides nothing: every gate is asked as without it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from liq_provider.core.durations import MINUTE_MS

# A segment that is worth this share of the least that counts may be large enough by the close.
GROWING_SHARE = 0.3

# What is not in a wave stays for so long, or a list would change with every order.
_OTHERS_KEEP_MS = 2 * MINUTE_MS

# A coin that is only there to fill the list must be this much livelier than one on it.
_STAYING = 1.25


class Tier(IntEnum):
    """How near a coin is to a wave, the nearest first."""

    WAVE = 1
    LARGE = 2
    GROWING = 3


@dataclass(frozen=True, slots=True)
class Prospect:
    """
    What a coin showed.

    :param tier: above the judge's floor, large enough for that, or growing
    :param close_ms: of the minute, which may still run
    :param strength: of the wave, 0 if it is in none
    :param score: the one that is thresholded; 0 where it is not known
    """

    base_asset: str
    tier: Tier
    close_ms: int
    strength: int = 0
    score: float = 0.0
    notional_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Prospects:
    """
    What coins showed of late, each kept for as long as its tier is.

    :param wave_ms: a coin stays for so long after it was last in a wave
    :param close_ms: of the newest minute that was looked at
    :param latest: by coin and tier
    """

    wave_ms: int
    close_ms: int = 0
    latest: Mapping[tuple[str, Tier], Prospect] = field(default_factory=dict)

    def after(self, seen: Iterable[Prospect], close_ms: int) -> "Prospects":
        """
        :param seen: in that minute, or one before it
        :param close_ms: of the newest minute, settled or running
        """
        latest = dict(self.latest)
        for prospect in seen:
            known = latest.get((prospect.base_asset, prospect.tier))
            if known is None or known.close_ms <= prospect.close_ms:
                latest[prospect.base_asset, prospect.tier] = prospect
        alive = {key: one for key, one in latest.items() if self._stays(one, close_ms)}
        return Prospects(self.wave_ms, close_ms, alive)

    def ranked(self) -> list[Prospect]:
        """:return: each coin once, by the best that it showed of late, the best first"""
        best: dict[str, Prospect] = {}
        for prospect in sorted(self.latest.values(), key=self._rank):
            best.setdefault(prospect.base_asset, prospect)
        return list(best.values())

    def _stays(self, prospect: Prospect, close_ms: int) -> bool:
        keep_ms = self.wave_ms if prospect.tier is Tier.WAVE else _OTHERS_KEEP_MS
        # What is of a later minute was seen before the clock was set back.
        return prospect.close_ms <= close_ms and close_ms - prospect.close_ms <= keep_ms

    def _rank(self, prospect: Prospect) -> tuple[object, ...]:
        # While a minute runs, what is not looked at again stands as it was settled.
        is_over = prospect.close_ms < self.close_ms - MINUTE_MS
        return (
            *(prospect.tier, is_over, -prospect.strength, -prospect.score),
            *(-prospect.notional_usd, prospect.base_asset),
        )


def liveliest(counts: Mapping[str, int], listed: Collection[str]) -> list[str]:
    """
    :param counts: segments of the baseline that are not empty, by coin
    :param listed: coins that stay unless others are clearly livelier
    :return: coins, the liveliest first
    """

    def rank(coin: str) -> tuple[float, str]:
        return (-counts[coin] * (_STAYING if coin in listed else 1.0), coin)

    return sorted(counts, key=rank)


@dataclass(frozen=True, slots=True)
class Cut:
    """
    :param taken: for the list, the best first
    :param left_out: for which there was no room
    """

    taken: tuple[str, ...]
    left_out: tuple[str, ...]


def cut(open_pairs: Iterable[str], ranked: Sequence[str], filling: Iterable[str], most: int) -> Cut:
    """
    :param open_pairs: of open positions, which take no place
    :param ranked: pairs that there is a reason for, the best first
    :param filling: that are taken where there is room; nobody misses them
    :param most: places
    """
    held = tuple(dict.fromkeys(open_pairs))
    wanted = [pair for pair in dict.fromkeys(ranked) if pair not in held]
    taken = dict.fromkeys(wanted[:most])
    for pair in filling:
        if len(taken) >= most:
            break
        if pair not in held:
            taken.setdefault(pair)
    return Cut((*held, *taken), tuple(wanted[most:]))
