"""Which states of which waves were judged, so that each is judged once, also after a restart."""

from collections.abc import Iterable, Mapping
from typing import Any

from liq_provider.core.durations import DAY_MS
from liq_provider.judge.questions import State, Wave
from liq_provider.judge.rules import JUDGE
from liq_provider.judge.verdict import aligned_of


class Judged:
    """
    :param judge: who judges
    :param verdicts: rows of the table ``verdicts``; those of other judges count only where
        every judge says the same
    """

    def __init__(self, judge: str, verdicts: Iterable[Mapping[str, Any]] = ()) -> None:
        self._states: dict[Wave, set[State]] = {}
        for row in verdicts:
            aligned = aligned_of(row["aligned"])
            if row["judge"] == judge or (aligned is None and row["judge"] == JUDGE):
                wave = (row["base_asset"], row["direction"], row["wave_start_ms"])
                self.enter(wave, (row["strength"], aligned, row["news_key"]))

    def knows(self, wave: Wave, state: State) -> bool:
        """:return: whether it was judged or is being judged"""
        return state in self._states.get(wave, ())

    def enter(self, wave: Wave, state: State) -> bool:
        """:return: False if it was entered before"""
        states = self._states.setdefault(wave, set())
        if state in states:
            return False
        states.add(state)
        return True

    def discard(self, wave: Wave, state: State) -> None:
        """It was not judged after all."""
        self._states.get(wave, set()).discard(state)

    def forget(self, close_ms: int) -> None:
        """Let go of waves that are over for long."""
        oldest_ms = close_ms - DAY_MS
        self._states = {wave: s for wave, s in self._states.items() if wave[2] >= oldest_ms}
