"""A clock corrected to the exchange's, because minutes are settled by the exchange's time."""

import time
from collections.abc import Callable
from dataclasses import dataclass

# A slow answer says little about the time at which the exchange read its clock.
_MAX_ROUND_TRIP_MS = 2_000

# A clock that nobody has compared for longer may be anywhere.
_MAX_AGE_MS = 900_000


def machine_ms() -> int:
    """:return: this machine's time, which is not the exchange's and which anybody can set"""
    return time.time_ns() // 1_000_000


def steady_clock_ms() -> int:
    """
    :return: milliseconds since some moment; nobody can set this clock, and where the system
        has such a one, it goes on while the machine sleeps
    """
    which = getattr(time, "CLOCK_BOOTTIME", None)
    steady_ns = time.monotonic_ns() if which is None else time.clock_gettime_ns(which)
    return steady_ns // 1_000_000


def clock_off_words(skew_ms: float | None, max_skew_ms: float) -> str | None:
    """
    >>> clock_off_words(-1_200, 500)
    "clock is -1.2 s off the exchange's (max_skew_ms)"

    :param skew_ms: see ``ExchangeClock``; None: nobody knows
    :return: None if it is known to be off by no more than it may be, or not known at all
    """
    if skew_ms is None or abs(skew_ms) <= max_skew_ms:
        return None
    return f"clock is {skew_ms / 1000:+.1f} s off the exchange's (max_skew_ms)"


@dataclass(frozen=True, slots=True)
class _Sample:
    offset_ms: int
    round_trip_ms: int
    steady_ms: int


class ExchangeClock:
    """
    Once compared, it goes by a clock that nobody can set: a jump of the machine's own moves no
    liquidation into another minute, and shows at once in ``skew_ms``.

    :param wall_ms: the machine's clock, milliseconds since the epoch
    :param steady_ms: a clock that only goes forward; if only ``wall_ms`` is given, that
    """

    def __init__(
        self,
        wall_ms: Callable[[], int] | None = None,
        steady_ms: Callable[[], int] | None = None,
    ) -> None:
        self._wall_ms = wall_ms or machine_ms
        self._steady_ms = steady_ms or wall_ms or steady_clock_ms
        self._sample: _Sample | None = None

    def now_ms(self) -> int:
        """Exchange time as far as it is known, else the machine's."""
        if self._sample is None:
            return self._wall_ms()
        return self._steady_ms() + self._sample.offset_ms

    @property
    def skew_ms(self) -> int | None:
        """
        Exchange clock minus machine clock, as both are now; None if not compared in the last
        15 minutes.
        """
        if self._sample is None:
            return None
        # Both ways: a clock that went back makes the comparison as worthless.
        age_ms = abs(self._steady_ms() - self._sample.steady_ms)
        return self.now_ms() - self._wall_ms() if age_ms < _MAX_AGE_MS else None

    @property
    def measured_ms(self) -> int | None:
        """Exchange time of the newest measurement; None before the first."""
        return self._sample.steady_ms + self._sample.offset_ms if self._sample else None

    def measure(self, fetch_time_ms: Callable[[], int | None], tries: int = 3) -> None:
        """
        Compare with the exchange; the answer with the shortest round trip counts.

        :param fetch_time_ms: asks the exchange for its time; blocks; may raise, which matters
            only if no try was answered
        """
        best: _Sample | None = None
        for _ in range(tries):
            try:
                sample = self._ask(fetch_time_ms)
            except Exception:
                if best is None:
                    raise
                break
            if sample is not None and (best is None or sample.round_trip_ms < best.round_trip_ms):
                best = sample
        if best is not None:
            self._sample = best

    def _ask(self, fetch_time_ms: Callable[[], int | None]) -> _Sample | None:
        sent_s, sent_ms = time.monotonic(), self._steady_ms()
        exchange_ms = fetch_time_ms()
        trip_ms = round((time.monotonic() - sent_s) * 1000)
        if exchange_ms is None or trip_ms > _MAX_ROUND_TRIP_MS:
            return None
        return _Sample(int(exchange_ms) - sent_ms - trip_ms // 2, trip_ms, sent_ms)
