"""Whose signal is out: ranking over the loops of one candle, and reopening after an upgrade."""

from collections.abc import Collection, Iterable

from liq_provider.bot.ranking import Candidate, rank


class Offers:
    """Who may enter at the newest candle, and what became of those who might have."""

    def __init__(self) -> None:
        self.chosen: dict[str, int] = {}
        self._signalled: dict[str, int] = {}
        self._failed: dict[str, int] = {}
        self._upgraded: dict[str, tuple[int, bool]] = {}

    def choose(
        self,
        found: Iterable[Candidate],
        close_ms: int,
        pairs: Iterable[str],
        free_slots: float,
        blocked: Collection[str],
    ) -> list[str]:
        """
        Rank a candle's candidates. A pair whose signal was out in an earlier loop of the same
        candle and that is still not open has failed and no longer takes a slot.

        :param blocked: pairs that cannot enter now: open, locked, or traded in this wave
        :return: those of ``pairs`` whose signal must be written anew, because it came or went
        """
        for pair, offered_ms in self.chosen.items():
            if offered_ms == close_ms == self._signalled.get(pair) and pair not in blocked:
                self._failed[pair] = close_ms
        self._failed = {pair: ms for pair, ms in self._failed.items() if ms == close_ms}
        chosen = rank(found, free_slots, set(blocked) | self._failed.keys())
        self.chosen = {candidate.pair: close_ms for candidate in chosen}
        return [
            pair
            for pair in pairs
            if (pair in self.chosen) != (self._signalled.get(pair) == close_ms)
        ]

    def signal(self, pair: str, close_ms: int, wanted: bool) -> bool:
        """
        A frame is being written.

        :param wanted: its newest candle has an entry
        :return: True if that entry goes out
        """
        out = wanted and self.chosen.get(pair) == close_ms
        self._signalled[pair] = close_ms if out else 0
        return out

    def failed(self, pair: str, close_ms: int) -> bool:
        """:return: whether no order came of a signal that was out at this candle"""
        return self._failed.get(pair) == close_ms

    def withdraw(self) -> list[str]:
        """
        Let nobody enter in this loop.

        :return: pairs whose signal is out and must be written anew
        """
        self.chosen = {}
        return [pair for pair, close_ms in self._signalled.items() if close_ms]

    def note_upgrade(self, pair: str, close_ms: int, is_short: bool) -> None:
        """A position is closed to be opened again, if the signal holds, at the next candle."""
        self._upgraded[pair] = (close_ms, is_short)

    def reopens(self, pair: str, previous_ms: int, is_short: bool) -> bool:
        """
        Was a position closed by an upgrade in the candle before? The decisions alone do not
        tell: a verdict that came in the middle of a candle looks, a candle later, as if it had
        been there from the start.
        """
        return self._upgraded.get(pair) == (previous_ms, is_short)
