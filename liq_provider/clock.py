"""A clock corrected to the exchange's, because minutes are settled by the exchange's time."""

import time
from collections.abc import Callable
from dataclasses import dataclass

# A slow answer says little about the time at which the exchange read its clock.
_MAX_ROUND_TRIP_MS = 2_000


@dataclass(frozen=True, slots=True)
class _Sample:
    offset_ms: int
    round_trip_ms: int


class ExchangeClock:
    """
    :param wall_ms: the machine's clock, milliseconds since the epoch
    """

    def __init__(self, wall_ms: Callable[[], int] | None = None) -> None:
        self._wall_ms = wall_ms or (lambda: time.time_ns() // 1_000_000)
        self._sample: _Sample | None = None

    def now_ms(self) -> int:
        """Exchange time as far as it is known, else the machine's."""
        return self._wall_ms() + (self._sample.offset_ms if self._sample else 0)

    @property
    def skew_ms(self) -> int | None:
        """Exchange clock minus machine clock; None before the first measurement."""
        return self._sample.offset_ms if self._sample else None

    def measure(self, fetch_time_ms: Callable[[], int | None], tries: int = 3) -> None:
        """
        Compare with the exchange; the answer with the shortest round trip counts.

        :param fetch_time_ms: asks the exchange for its time; blocks; may raise
        """
        best: _Sample | None = None
        for _ in range(tries):
            sent = self._wall_ms()
            exchange_ms = fetch_time_ms()
            received = self._wall_ms()
            if exchange_ms is None:
                continue
            trip = received - sent
            sample = _Sample(int(exchange_ms) - (sent + received) // 2, trip)
            if trip <= _MAX_ROUND_TRIP_MS and (best is None or trip < best.round_trip_ms):
                best = sample
        if best is not None:
            self._sample = best
