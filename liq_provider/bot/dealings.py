"""
What this bot did about each wave, in one record: whether it was offered an entry, whether its
signal was out and came to nothing, whether its position was closed for a surer one, what was said.

- A wave is **offered** at a candle if it is among the best that there are slots for. Only then does
  its signal go out.
- A signal that was out in an earlier loop of the same candle, and whose pair is still not open, has
  **failed**: it takes no slot any more in this candle.
- A position that an **upgrade** closed is opened again at the next candle, if its wave still may
  enter.
- Each state of a wave is **said** once.

Whether a wave was **entered** is not written down here: Freqtrade's own records say so
(``book.LastTrade.entered``), and they outlive the bot. It is entered once, unless its signal is
surer since, or an upgrade closed what was entered.

A record is forgotten a day after its newest candle, all of it at once.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from liq_provider.bot.ranking import Candidate, Wave, rank
from liq_provider.core.durations import DAY_MS


@dataclass(slots=True)
class Dealing:
    """
    With one wave. Times are closes of candles, 0 for none.

    :param newest_ms: at which anything was done about it
    :param offered_ms: at which it may enter
    :param signal_ms: at which its signal is out
    :param failed_ms: at which no order came of its signal
    :param upgraded_ms: at which its position was closed, to be opened again at the next
    :param said: its states that were put into words
    :param told: one of them had a message of its own
    """

    newest_ms: int = 0
    offered_ms: int = 0
    signal_ms: int = 0
    failed_ms: int = 0
    upgraded_ms: int = 0
    said: set[tuple[Any, ...]] = field(default_factory=set)
    told: bool = False


class Dealings:
    """What was done about the waves of the last day, and who may enter at the newest candle."""

    def __init__(self) -> None:
        self._pairs: dict[str, dict[Wave, Dealing]] = {}

    def of(self, wave: Wave, close_ms: int) -> Dealing:
        """
        :param close_ms: of the candle at which something is done about it
        :return: its record, which begins empty
        """
        dealing = self._pairs.setdefault(wave[0], {}).setdefault(wave, Dealing())
        dealing.newest_ms = max(dealing.newest_ms, close_ms)
        return dealing

    # -- who may enter --------------------------------------------------------------------

    def choose(
        self,
        candidates: Iterable[Candidate],
        close_ms: int,
        pairs: Iterable[str],
        free_slots: float,
        blocked: Collection[str],
    ) -> list[str]:
        """
        Rank a candle's candidates, and offer the best what there is.

        :param blocked: pairs that cannot enter now: open, locked, or traded in this wave
        :return: those of ``pairs`` whose signal must be written anew, because it came or went
        """
        self._forget(close_ms)
        for wave, dealing in self._all():
            if dealing.offered_ms == close_ms == dealing.signal_ms and wave[0] not in blocked:
                dealing.failed_ms = close_ms
        failed = {wave[0] for wave, dealing in self._all() if dealing.failed_ms == close_ms}
        best = rank(candidates, free_slots, set(blocked) | failed)
        self._offer_nothing()
        for candidate in best:
            self.of(candidate.wave, close_ms).offered_ms = close_ms
        return [pair for pair in pairs if self._is_wrong(pair, close_ms)]

    def offered(self, pair: str, close_ms: int) -> bool:
        """:return: whether a wave of this pair may enter at this candle"""
        return any(dealing.offered_ms == close_ms for dealing in self._of_pair(pair))

    def signal(self, pair: str, close_ms: int, wave: Wave | None) -> bool:
        """
        A frame is being written.

        :param wave: that its newest candle enters, if there is one
        :return: True if that entry goes out
        """
        for dealing in self._of_pair(pair):
            dealing.signal_ms = 0
        if wave is None or self.of(wave, close_ms).offered_ms != close_ms:
            return False
        self.of(wave, close_ms).signal_ms = close_ms
        return True

    def failed(self, pair: str, close_ms: int) -> bool:
        """:return: whether no order came of a signal that was out at this candle"""
        return any(dealing.failed_ms == close_ms for dealing in self._of_pair(pair))

    def withdraw(self) -> list[str]:
        """
        Let nobody enter in this loop.

        :return: pairs whose signal is out and must be written anew
        """
        self._offer_nothing()
        return [wave[0] for wave, dealing in self._all() if dealing.signal_ms]

    def upgrade(self, wave: Wave, close_ms: int) -> None:
        """Its position is closed to be opened again, if the signal holds, at the next candle."""
        self.of(wave, close_ms).upgraded_ms = close_ms

    def reopens(self, wave: Wave, previous_ms: int) -> bool:
        """
        Was its position closed by an upgrade in the candle before? The decisions alone do not
        tell: a verdict that came in the middle of a candle looks, a candle later, as if it had
        been there from the start.
        """
        dealing = self._pairs.get(wave[0], {}).get(wave)
        return dealing is not None and dealing.upgraded_ms == previous_ms

    # -- what is said ---------------------------------------------------------------------

    def say(self, wave: Wave, close_ms: int, state: tuple[Any, ...]) -> bool:
        """:return: whether this state of the wave is to be put into words: it is the first time"""
        said = self.of(wave, close_ms).said
        if state in said:
            return False
        said.add(state)
        return True

    def told(self, wave: Wave) -> bool:
        """:return: whether this wave had a message of its own"""
        dealing = self._pairs.get(wave[0], {}).get(wave)
        return dealing is not None and dealing.told

    # -- all of them ----------------------------------------------------------------------

    def _is_wrong(self, pair: str, close_ms: int) -> bool:
        """A signal is out that must not be, or is not that may."""
        out = any(dealing.signal_ms == close_ms for dealing in self._of_pair(pair))
        return out != self.offered(pair, close_ms)

    def _offer_nothing(self) -> None:
        for _, dealing in self._all():
            dealing.offered_ms = 0

    def _forget(self, close_ms: int) -> None:
        oldest_ms = close_ms - DAY_MS
        for pair, dealings in list(self._pairs.items()):
            kept = {wave: known for wave, known in dealings.items() if known.newest_ms >= oldest_ms}
            if kept:
                self._pairs[pair] = kept
            else:
                del self._pairs[pair]

    def _of_pair(self, pair: str) -> Iterable[Dealing]:
        return self._pairs.get(pair, {}).values()

    def _all(self) -> Iterator[tuple[Wave, Dealing]]:
        for dealings in self._pairs.values():
            yield from dealings.items()
