"""
When a connected feed that says nothing is not to be believed.

An address that was switched off may go on accepting connections, acknowledging subscriptions
and answering pings. Only liquidations themselves show that a feed works, and their absence
means something only beside the other venues: markets fall together.
"""

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Voice:
    """
    :param heard_ms: time of the last liquidation, or of connecting if that was later
    :param beside_after_ms: no liquidation for so long is suspicious if others are busy
    :param alone_after_ms: no liquidation for so long is implausible for a whole exchange, even
        if nobody is there to compare with, or all others are as quiet
    :param counts: (second, liquidations in it), the oldest first
    """

    heard_ms: int | None = None
    beside_after_ms: int = 0
    alone_after_ms: int = 0
    counts: deque[list[int]] = field(default_factory=deque)


class SilenceJudge:
    """
    Shared by all feeds. Pure: time comes in with each call.

    A venue that streams at several addresses has a name for each: its own, a blank, and what
    tells the address apart. They do not vouch against each other, as money may be at one of them.

    :param silent_after_s: no liquidation for so long is suspicious if others are busy, of venues
        that do not say how long
    :param busy_count: liquidations of all other venues within that time
    """

    def __init__(self, silent_after_s: float = 180.0, busy_count: int = 20) -> None:
        self._silent_after_ms = round(silent_after_s * 1000)
        self._busy_count = busy_count
        self._voices: dict[str, _Voice] = {}

    def connected(
        self, venue: str, now_ms: int, alone_after_s: float, beside_after_s: float = 0.0
    ) -> None:
        """
        A feed is connected and subscribed: its patience starts anew.

        :param alone_after_s: no liquidation for so long is implausible for this exchange, even if
            nobody is there to compare with, or all others are as quiet
        :param beside_after_s: no liquidation for so long is suspicious if others are busy; 0 for
            as long as of any
        """
        voice = self._voices.setdefault(venue, _Voice())
        voice.heard_ms, voice.alone_after_ms = now_ms, round(alone_after_s * 1000)
        voice.beside_after_ms = round(beside_after_s * 1000) or self._silent_after_ms

    def lost(self, venue: str) -> None:
        """A feed is not connected, so it cannot be silent. What it said still counts."""
        self._voices.setdefault(venue, _Voice()).heard_ms = None

    def heard(self, venue: str, now_ms: int, count: int) -> None:
        """
        A feed delivered liquidations, or something else that a dead address does not.

        :param count: how many liquidations
        """
        voice = self._voices.setdefault(venue, _Voice())
        if voice.heard_ms is not None:
            voice.heard_ms = max(voice.heard_ms, now_ms)
        second = now_ms // 1000
        if voice.counts and voice.counts[-1][0] >= second:
            voice.counts[-1][1] += count
        else:
            voice.counts.append([second, count])
            self._forget(voice, now_ms)

    def silent(self, venue: str, now_ms: int) -> bool:
        """:return: whether a connected feed has been quiet for an implausibly long time"""
        voice = self._voices.get(venue)
        if voice is None or voice.heard_ms is None:
            return False
        quiet_ms = now_ms - voice.heard_ms
        if quiet_ms < voice.beside_after_ms:
            return False
        if quiet_ms >= voice.alone_after_ms:
            return True
        return self._others(venue, now_ms) >= self._busy_count

    def quiet_since_ms(self, venue: str) -> int | None:
        """:return: when a connected feed last spoke, or was connected; None if it is not"""
        voice = self._voices.get(venue)
        return None if voice is None else voice.heard_ms

    def _others(self, venue: str, now_ms: int) -> int:
        total = 0
        for name, voice in self._voices.items():
            if name.partition(" ")[0] != venue.partition(" ")[0]:
                self._forget(voice, now_ms)
                total += sum(count for _, count in voice.counts)
        return total

    def _forget(self, voice: _Voice, now_ms: int) -> None:
        oldest = (now_ms - self._silent_after_ms) // 1000
        while voice.counts and voice.counts[0][0] < oldest:
            voice.counts.popleft()
