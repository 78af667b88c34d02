"""The market table: what was liquidated of each coin, and how unusual that is."""

from collections.abc import Callable, Mapping
from typing import Any

from liq_provider.config.measuring import feature_params_of
from liq_provider.config.settings import Settings
from liq_provider.core.durations import DAY_MIN, MINUTE_MS
from liq_provider.dashboard.queries import PageReader
from liq_provider.dashboard.recent_sums import RecentSums
from liq_provider.measure.feature_rows import State
from liq_provider.sidecar.pair_of_coin import pair_for_coin
from liq_provider.sidecar.running_minute import Running

WINDOWS_MIN = (10, 60, 240, DAY_MIN)
SEGMENT = 0  # stands for the running segment among the windows


class MarketRows:
    """
    One row per coin that had a liquidation within a day; read by one thread.

    :param names: gives the pair that stands for a coin on the bot's exchange
    """

    def __init__(
        self, reader: PageReader, settings: Settings, names: Callable[[], Mapping[str, str]]
    ) -> None:
        self._reader = reader
        self._names = names
        self._settings = settings
        self._params = feature_params_of(settings)
        self._windows = RecentSums(reader, (self._params.segment_min, *WINDOWS_MIN))
        self._settled_ms = 0
        self._settled: dict[str, dict[str, Any]] = {}
        self._readiness: dict[str, dict[str, Any]] = {}
        self._running: dict[str, Mapping[str, Any]] = {}
        self._running_ms = 0
        self._waves: dict[str, tuple[str, str, bool]] = {}

    def take(self, running: Running) -> None:
        """What the running minute shows so far."""
        if running.close_ms != self._running_ms:
            self._running, self._waves, self._running_ms = {}, {}, running.close_ms
        self._running |= running.rows
        for base in running.rows:
            self._waves.pop(base, None)
        for minute in running.anomalies:
            self._waves[minute.base_asset] = (minute.direction, minute.strength.word, minute.seen)

    def refresh(self, close_ms: int, computed_ms: int) -> None:
        """
        :param close_ms: close of the running minute
        :param computed_ms: close of the newest minute whose features are complete
        """
        if self._running_ms < close_ms - MINUTE_MS or computed_ms >= self._running_ms:
            # Settled meanwhile, or nothing large enough to be looked at since.
            self._running, self._waves = {}, {}
        if computed_ms != self._settled_ms:
            self._settled = self._reader.features_at(computed_ms)
            self._readiness = {row["base_asset"]: row for row in self._reader.readiness()}
            self._settled_ms = computed_ms
        self._windows.refresh(close_ms, computed_ms)

    def section(self, minutes: int) -> dict[str, Any]:
        """
        :param minutes: the window, ``SEGMENT`` for the running segment
        :return: its bounds, the share of it that is known by venue, and its rows, the largest
            first; None for rows while it is not read yet
        """
        length_min = minutes or self._params.segment_min
        window = self._windows.window(length_min)
        if window is None:
            return {"minutes": length_min, "rows": None}
        by_coin: dict[str, dict[str, tuple[float, float, int, str]]] = {}
        for (base, venue), sums in window.sums.items():
            by_coin.setdefault(base, {})[venue] = sums
        rows = [self._row(base, venues) for base, venues in by_coin.items()]
        # Of minutes that are not settled yet nobody claims to know all.
        known_ms = min(window.to_ms, self._settled_ms)
        shares = self._reader.known_shares(self._settings.venues.enabled, window.from_ms, known_ms)
        return {
            "minutes": length_min,
            "from_ms": window.from_ms,
            "to_ms": window.to_ms,
            "known": {venue: round(share, 4) for venue, share in shares.items()},
            "rows": sorted(rows, key=lambda row: (-(row["long"] + row["short"]), row["coin"])),
        }

    def _row(self, base: str, venues: dict[str, tuple[float, float, int, str]]) -> dict[str, Any]:
        running = self._running.get(base)
        shown: Mapping[str, Any] = running or self._settled.get(base) or {}
        ready = self._readiness.get(base, {})
        wave = self._waves.get(base)
        return {
            "coin": base,
            "pair": pair_for_coin(base, [sums[3] for sums in venues.values()], self._names()),
            "long": round(sum(sums[0] for sums in venues.values())),
            "short": round(sum(sums[1] for sums in venues.values())),
            "n": sum(sums[2] for sums in venues.values()),
            "venues": {
                name: [round(sums[0]), round(sums[1])] for name, sums in sorted(venues.items())
            },
            "left_out": self._left_out(shown),
            "z": _rounded(shown.get("z")),
            "robust_z": _rounded(shown.get("robust_z")),
            "percentile": _rounded(shown.get("percentile"), 4),
            "purity": _rounded(shown.get("purity"), 3),
            "count": shown.get("count"),
            "running": running is not None,
            "ready": self._ready(shown, ready),
            "wave": None
            if wave is None
            else {"direction": wave[0], "strength": wave[1], "seen": wave[2]},
        }

    def _left_out(self, shown: Mapping[str, Any]) -> list[str]:
        """:return: venues whose money is in the sums but not in what is measured"""
        if not shown.get("venues"):
            return []
        return sorted({*self._settings.venues.enabled} - {*shown["venues"].split(",")})

    def _ready(self, shown: Mapping[str, Any], ready: Mapping[str, Any]) -> str:
        state = shown.get("state", ready.get("state"))
        known = shown or ready
        if state is None:
            return "not known yet"
        if state == State.READY:
            return "ready"
        if state == State.WARMING_UP:
            return f"warming up {known['baseline_n']} of {self._params.min_baseline_segments}"
        if state == State.TOO_THIN:
            return f"too thin {known['active_n']} of {self._params.min_active_segments}"
        return "not covered"


def _rounded(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(value, digits)
