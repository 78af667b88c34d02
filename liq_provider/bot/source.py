"""Where the strategy gets its features and verdicts: a live snapshot, or the past as a whole."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from liq_provider.bot.windows import CONFIGURED, settings_with
from liq_provider.errors import StoreError
from liq_provider.features import FeatureParams, FeatureRows, windows_of
from liq_provider.liquidation import MINUTE_MS
from liq_provider.pipeline import Robust, compute, history
from liq_provider.settings import Settings
from liq_provider.store.reader import Reader

logger = logging.getLogger(__name__)

_LIVE_HISTORY_MS = 48 * 3_600_000
_OWN_HISTORY_MS = 2 * 3_600_000
_AHEAD_MS = 60_000  # the sidecar's clock is the exchange's, this one is the machine's
_SLOW_S = 1.0
_SHARE = 0.1  # of the time may be spent on waiting in vain
_LONGEST_S = 60.0
_STATE_KEYS = ("watermark_ms", "computed_ms", "verdict_ms", "sidecar", "readiness")


@dataclass(slots=True)
class Snapshot:
    """
    What the bot knows of the store at one moment.

    :param computed_ms: close of the newest minute whose features are complete
    :param sidecar: the sidecar's own status, empty if none ever ran
    :param error: why the store could not be read
    :param readiness: the sidecar's report of the newest settled minute, see ``readiness``
    """

    computed_ms: int = 0
    verdict_ms: int = 0
    sidecar: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    readiness: Mapping[str, Any] | None = None

    def problem(self, now_ms: int, settings: Settings) -> str | None:
        """:return: why no entry may be based on this snapshot, None if one may"""
        if self.error is not None:
            return self.error
        if not self.computed_ms:
            return "the sidecar has not settled a minute yet"
        age_s = (now_ms - self.computed_ms) / 1000
        if age_s > settings.max_staleness_s:
            return f"liquidation data is {age_s:.0f} s old (max_staleness_s)"
        return self._clock_problem(settings) or self._feed_problem()

    def _clock_problem(self, settings: Settings) -> str | None:
        skew_ms = self.sidecar.get("skew_ms")
        if skew_ms is None:
            return "the clock could not be compared with the exchange's lately"
        if abs(skew_ms) > settings.max_skew_ms:
            return f"the clock is {skew_ms / 1000:+.1f} s off the exchange's (max_skew_ms)"
        return None

    def _feed_problem(self) -> str | None:
        """One live feed is enough; its minutes are known whatever the others do."""
        states = {name: feed["state"] for name, feed in self.sidecar.get("feeds", {}).items()}
        if not states or "live" in states.values():
            return None
        return "no feed is live: " + ", ".join(f"{n} {s}" for n, s in sorted(states.items()))


class LiveSource:
    """
    The store as a live bot sees it. ``refresh`` once a loop; everything else is memory.

    Every store error ends in the snapshot's ``error``, never in an exception: the bot must go
    on and manage its exits.
    """

    def __init__(self, reader: Reader, settings: Settings) -> None:
        self.snapshot = Snapshot()
        self._reader = reader
        self._settings = settings
        self._rows: dict[str, FeatureRows] = {}
        self._verdicts: dict[str, list[dict[str, Any]]] = {}
        self._loaded_ms = 0
        self._verdicts_due = False
        self._changed: set[str] = set()
        self._own: bool | None = None
        self._patient_s = 0.0

    def refresh(self, now_ms: int) -> set[str]:
        """
        Read what is new. A store that takes long to fail, as a server that cannot be reached
        does, is asked seldom: the loop that waits for it also manages the exits.

        :return: coins whose features or verdicts changed
        """
        begun_s = time.monotonic()
        if begun_s < self._patient_s:
            return set()
        try:
            self._refresh(now_ms)
        except StoreError as error:
            self.snapshot = replace(self.snapshot, error=str(error))
            self._verdicts_due = True
            took_s = time.monotonic() - begun_s
            if took_s > _SLOW_S:
                self._patient_s = time.monotonic() + min(took_s / _SHARE, _LONGEST_S)
        # What was read before an error counts, too: it is not read again.
        changed, self._changed = self._changed, set()
        return changed

    def coins(self) -> set[str] | None:
        """
        :return: coins that an enabled venue lists, None while not all lists are known, or the
            store failed last
        :raises StoreError: the store does not answer
        """
        if self.snapshot.error is not None:
            return None
        venues = self._settings.venues.enabled
        feeds = self.snapshot.sidecar.get("feeds", {})
        if not all(feeds.get(venue, {}).get("markets") for venue in venues):
            return None
        return {market.base_asset for venue in venues for market in self._reader.markets(venue)}

    def rows(self, base_asset: str) -> FeatureRows | None:
        """:return: the coin's recent features, None if it had no liquidations"""
        return self._rows.get(base_asset)

    def verdicts(self, base_asset: str) -> list[dict[str, Any]]:
        """:return: the coin's recent verdicts, by ``available_at``"""
        return self._verdicts.get(base_asset, [])

    def _refresh(self, now_ms: int) -> None:
        found = self._reader.states(_STATE_KEYS)
        before = self.snapshot.verdict_ms
        self.snapshot = Snapshot(
            int(found.get("computed_ms") or 0),
            int(found.get("verdict_ms") or 0),
            found.get("sidecar") or {},
            readiness=found.get("readiness"),
        )
        if self.snapshot.computed_ms > self._loaded_ms:
            self._load_features(now_ms)
        news = self.snapshot.verdict_ms != before
        if news or self._verdicts_due:
            self._load_verdicts(now_ms)
            # Two verdicts of one millisecond look like one; a second look finds the other.
            self._verdicts_due = news

    def _load_features(self, now_ms: int) -> None:
        computed_ms = self.snapshot.computed_ms
        newer = self._computed_here() if self._has_other_windows() else self._stored(now_ms)
        oldest_ms = now_ms - _LIVE_HISTORY_MS
        for base, rows in newer.items():
            known = self._rows.get(base)
            self._rows[base] = rows if known is None else known.then(rows).since(oldest_ms)
        self._loaded_ms = computed_ms
        self._changed |= set(newer)

    def _stored(self, now_ms: int) -> dict[str, FeatureRows]:
        from_ms = max(self._loaded_ms + 1, now_ms - _LIVE_HISTORY_MS)
        return self._reader.features(None, from_ms, self.snapshot.computed_ms)

    def _computed_here(self) -> dict[str, FeatureRows]:
        computed_ms = self.snapshot.computed_ms
        from_ms = max(self._loaded_ms + MINUTE_MS, computed_ms - _OWN_HISTORY_MS)
        segment_ms = self._settings.segment_min * MINUTE_MS
        active = sorted(self._reader.active(from_ms - segment_ms, computed_ms))
        computed = compute(
            self._reader,
            active,
            self._settings.venues.enabled,
            FeatureParams.of(self._settings),
            from_ms,
            computed_ms,
        )
        robust = _robust(self._settings)
        return {
            item.base_asset: item.rows(robust, self._settings.min_segment_usd) for item in computed
        }

    def _has_other_windows(self) -> bool:
        theirs = self.snapshot.sidecar.get("windows")
        own = theirs is not None and theirs != windows_of(self._settings)
        if own and not self._own:
            logger.info(
                "The sidecar computes with other windows (%s); this bot computes its own.", theirs
            )
        self._own = own
        return own

    def _load_verdicts(self, now_ms: int) -> None:
        oldest_ms = now_ms - _LIVE_HISTORY_MS
        grouped: dict[str, list[dict[str, Any]]] = {}
        for verdict in self._reader.verdicts(oldest_ms, now_ms + _AHEAD_MS):
            grouped.setdefault(verdict["base_asset"], []).append(verdict)
        self._changed |= {
            base
            for base in grouped.keys() | self._verdicts.keys()
            if grouped.get(base) != self._verdicts.get(base)
        }
        self._verdicts = grouped


class HistorySource:
    """
    The store as a backtest sees it: computed for the whole span of a pair at once.

    :param reader: None where there is no store, and so no liquidations
    :param timeframe_min: length of a candle
    """

    def __init__(self, reader: Reader | None, settings: Settings, timeframe_min: int = 1) -> None:
        self._reader = reader
        self._settings = settings
        self._timeframe_min = timeframe_min

    def rows(
        self, base_asset: str, from_close_ms: int, to_close_ms: int, windows: str = CONFIGURED
    ) -> FeatureRows:
        """:return: features at every minute close of the span, or at every close of a bar"""
        if self._reader is None:
            return FeatureRows.empty()
        computed = history(
            self._reader,
            base_asset,
            settings_with(self._settings, windows),
            self._timeframe_min,
            from_close_ms,
            to_close_ms,
        )
        return computed.rows(_robust(self._settings), self._settings.min_segment_usd)

    def verdicts(self, base_asset: str, from_ms: int, to_ms: int) -> Sequence[dict[str, Any]]:
        """:return: recorded verdicts for candles that close in the span, by ``available_at``"""
        if self._reader is None:
            return ()
        # The last candle, too, may know what came up to max_entry_delay_s after its close.
        last_ms = to_ms + self._settings.max_entry_delay_ms
        return self._reader.verdicts(from_ms, last_ms, [base_asset])


def _robust(settings: Settings) -> Robust:
    return "all" if settings.zscore == "robust" else "none"
