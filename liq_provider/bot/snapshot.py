"""What the bot knows of the store at one moment, and why no entry may be based on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from liq_provider.config.settings import Settings
from liq_provider.core.clock import clock_off_words
from liq_provider.measure.feature_rows import FeatureRows
from liq_provider.measure.readiness import NOT_SETTLED

# Before the first answer; until it is late, that is no news for anybody.
READING = "the store is being read"

# The reader asks five times a second.
_SILENT_S = 5.0


def not_understood(error: Exception) -> str:
    """:return: why no entry may be based on a store whose content made something fail"""
    return f"the store's content was not understood ({error!r})"


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """
    Whole and never changed: a newer one takes its place.

    :param computed_ms: close of the newest minute whose features are complete
    :param sidecar: the sidecar's own status, empty if none ever ran
    :param error: why the store could not be read
    :param readiness: the sidecar's report of the newest settled minute, see ``readiness``
    :param rows: recent features by coin; a coin without liquidations has none
    :param verdicts: recent verdicts by coin, each coin's by ``available_at``
    :param coins: that an enabled venue lists, None while not all lists are known
    :param loaded_ms: the features are complete up to here
    :param again: the verdicts are to be read once more
    :param listed: what the market lists were read for
    :param heard: of the sidecar's last statuses its time, less the bot's monotonic clock
    :param unanswered_s: for how long the store has not answered
    :param clock: what is wrong with this machine's clock
    """

    computed_ms: int = 0
    verdict_ms: int = 0
    sidecar: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    readiness: Mapping[str, Any] | None = None
    rows: Mapping[str, FeatureRows] = field(default_factory=dict)
    verdicts: Mapping[str, Sequence[dict[str, Any]]] = field(default_factory=dict)
    coins: frozenset[str] | None = None
    loaded_ms: int = 0
    again: bool = False
    listed: tuple[Any, ...] = ()
    heard: tuple[float, ...] = ()
    unanswered_s: float = 0.0
    clock: str | None = None

    def problem(self, now_ms: int, settings: Settings) -> str | None:
        """:return: why no entry may be based on this snapshot, None if one may"""
        return next(filter(None, self.troubles(now_ms, settings).values()), None)

    def troubles(self, now_ms: int, settings: Settings) -> dict[str, str | None]:
        """:return: the same by gate, see ``bot_gates.TROUBLES``"""
        return {
            "store": self._store_problem(),
            "clock": self.clock or self._skew_problem(settings),
            "data": self._age_problem(now_ms, settings),
            "feeds": self._feed_problem(),
        }

    def _store_problem(self) -> str | None:
        """What the store said beats that it says nothing now."""
        if self.error not in (None, READING):
            return self.error
        if self.unanswered_s > _SILENT_S:
            return f"the store does not answer (for {self.unanswered_s:.0f} s)"
        return self.error

    def _skew_problem(self, settings: Settings) -> str | None:
        off = clock_off_words(self.sidecar.get("skew_ms"), settings.max_skew_ms)
        return None if off is None else f"the {off}"

    def _age_problem(self, now_ms: int, settings: Settings) -> str | None:
        if not self.computed_ms:
            return NOT_SETTLED
        age_s = (now_ms - self.computed_ms) / 1000
        if age_s > settings.max_staleness_s:
            return f"liquidation data is {age_s:.0f} s old (max_staleness_s)"
        if self.sidecar.get("skew_ms") is None:
            return "the clock could not be compared with the exchange's lately"
        return None

    def _feed_problem(self) -> str | None:
        """One live feed is enough; its minutes are known whatever the others do."""
        states = {name: feed["state"] for name, feed in self.sidecar.get("feeds", {}).items()}
        if not states or "live" in states.values():
            return None
        return "no feed is live: " + ", ".join(f"{n} {s}" for n, s in sorted(states.items()))

    def changed_since(self, before: "Snapshot") -> set[str]:
        """:return: coins whose features or verdicts are others than they were"""
        return _others(before.rows, self.rows) | _others(before.verdicts, self.verdicts)


def _others(before: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    """What did not change is the same object."""
    if before is now:
        return set()
    return {base for base in before.keys() | now.keys() if before.get(base) is not now.get(base)}
