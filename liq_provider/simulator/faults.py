"""Faults on request: what an exchange does to its clients on a bad day."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from liq_provider.venues import VENUES

FaultKind = Literal["disconnect", "silence", "garbage", "duplicate", "late", "http_error", "refuse"]
FAULT_KINDS: tuple[str, ...] = get_args(FaultKind)

GARBAGE = (
    '{"e":"forceOrder","o":{"s":"BTCUSDT"',  # cut off
    "<html><body>502 Bad Gateway</body></html>",
    '{"e":"forceOrder","E":0,"o":{"s":"BTCUSDT","S":"SELL","z":"NaN","ap":"-","T":"soon"}}',
    '{"topic":"allLiquidation.BTCUSDT","data":{"S":null}}',
    '{"arg":{"channel":"liquidation-orders"},"data":[{"instId":7,"details":"none"}]}',
    "[]",
    "null",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """
    :param kind: ``disconnect`` drops connections and refuses new ones with 503,
        ``silence`` keeps them open and sends no liquidations (pings are answered),
        ``garbage`` sends nonsense between frames, ``duplicate`` sends every frame twice,
        ``late`` holds frames back by ``delay_s``, ``http_error`` answers REST with ``status``,
        ``refuse`` drops websockets and answers handshakes with ``status``
    :param until_ms: when it is over
    :param status: HTTP status for ``http_error`` and ``refuse``
    :param delay_s: for ``late``
    """

    venue: str
    kind: FaultKind
    until_ms: int
    status: int = 451
    delay_s: float = 0.0


class Faults:
    """The faults that are on at the moment."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """
        :param fault: replaces one of the same venue and kind
        :raises ValueError: if venue, kind, status or delay are impossible
        """
        if fault.venue not in VENUES:
            raise ValueError(f"venue: {fault.venue!r} is none of {', '.join(VENUES)}")
        if fault.kind not in FAULT_KINDS:
            raise ValueError(f"kind: {fault.kind!r} is none of {', '.join(FAULT_KINDS)}")
        if not 400 <= fault.status <= 599:
            raise ValueError(f"status: {fault.status} is no HTTP error")
        if fault.delay_s < 0:
            raise ValueError("delay_s: must not be negative")
        self._faults = [
            old for old in self._faults if (old.venue, old.kind) != (fault.venue, fault.kind)
        ]
        self._faults.append(fault)

    def clear(self) -> None:
        """End all faults."""
        self._faults.clear()

    def get(self, venue: str, kind: FaultKind) -> Fault | None:
        """:return: the fault if it is on now"""
        now = self._now_ms()
        for fault in self._faults:
            if (fault.venue, fault.kind) == (venue, kind) and now < fault.until_ms:
                return fault
        return None

    def refusal(self, venue: str) -> int | None:
        """:return: the HTTP status that a websocket handshake gets now, or None"""
        refused = self.get(venue, "refuse")
        if refused is not None:
            return refused.status
        return 503 if self.get(venue, "disconnect") is not None else None

    def active(self) -> list[Fault]:
        """:return: all faults that are on now"""
        now = self._now_ms()
        return [fault for fault in self._faults if now < fault.until_ms]
