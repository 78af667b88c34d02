"""A circuit breaker: a model that keeps failing is left alone for a while."""

from collections.abc import Callable

from liq_provider.errors import ModelFailure


class Breaker:
    """
    :param failures: so many in a row open the circuit
    :param open_s: for so long; then a single call tries whether it works again
    :param now_ms: any clock
    """

    def __init__(self, failures: int, open_s: float, now_ms: Callable[[], int]) -> None:
        self._limit = failures
        self._open_ms = round(open_s * 1000)
        self._now_ms = now_ms
        self._failed = 0
        self._until_ms: int | None = None
        self._trying = False

    @property
    def state(self) -> str:
        """``closed`` (works), ``open``, or ``trying``."""
        if self._until_ms is None:
            return "closed"
        return "trying" if self._trying or self._now_ms() >= self._until_ms else "open"

    def enter(self) -> None:
        """
        A call is about to be made.

        :raises ModelFailure: the circuit is open
        """
        if self._until_ms is None:
            return
        if self._trying or self._now_ms() < self._until_ms:
            raise ModelFailure("circuit open", f"{self._failed} failures in a row")
        self._trying = True

    def succeeded(self) -> None:
        """The call delivered."""
        self._failed, self._until_ms, self._trying = 0, None, False

    def failed(self) -> None:
        """The call did not deliver."""
        self._failed += 1
        if self._trying or self._failed >= self._limit:
            self._until_ms = self._now_ms() + self._open_ms
        self._trying = False

    def abandoned(self) -> None:
        """The call was not made after all, or was cancelled."""
        self._trying = False
