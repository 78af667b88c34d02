"""What a feed tells about itself."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

FeedState = Literal["connecting", "live", "silent", "refused", "down"]

_SAMPLES = 5
_SAMPLE_CHARS = 300


# What is worse than what, for a venue with several lines.
_FROM_THE_WORST: tuple[FeedState, ...] = ("refused", "silent", "down", "connecting", "live")


@dataclass(frozen=True, slots=True)
class LineStatus:
    """
    Of one connection of a feed, see ``FeedStatus``.
    """

    url: str
    state: FeedState
    detail: str
    since_ms: int
    connected_ms: int | None


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """
    A snapshot for the status page. Times are exchange-corrected milliseconds, None before
    the first such event.

    :param state: ``live`` means connected, subscribed and believed
    :param detail: the state in words
    :param since_ms: when the state began
    :param connected_ms: start of the unbroken connection, None while there is none
    :param proven_ms: newest time up to which everything has surely arrived
    :param frames: messages received
    :param liquidations: liquidations delivered, repeats after a rollover included
    :param dropped: records left out, by reason
    :param not_understood: frames that fit no known shape
    :param samples: the newest of those, cut to a readable length
    :param venue_errors: error messages of the venue
    :param failures: exceptions of our own code, by place and kind
    :param rejected: market ids that the venue does not let us subscribe to
    :param reconnects: connections after the first, rollovers not counted
    :param rollovers: connections replaced in time without a hole
    :param last_error: the newest error of any kind
    :param latency_ms: how long the last ping took
    :param hole: begin and end of the newest time in which it was no longer live, and why
    :param connections: each by itself; it is live if all of them are
    """

    venue: str
    url: str
    state: FeedState
    detail: str
    since_ms: int
    connected_ms: int | None
    last_frame_ms: int | None
    last_liquidation_ms: int | None
    proven_ms: int | None
    frames: int
    liquidations: int
    dropped: Mapping[str, int]
    not_understood: int
    samples: tuple[str, ...]
    venue_errors: int
    failures: Mapping[str, int]
    rejected: tuple[str, ...]
    reconnects: int
    rollovers: int
    last_error: str | None
    latency_ms: float | None
    hole: tuple[int, int, str] | None = None
    connections: tuple[LineStatus, ...] = ()


def joint_state(states: Mapping[str, tuple[FeedState, str]]) -> tuple[FeedState, str]:
    """
    :param states: of each line its state, and that in words
    :return: of all lines together, which is that of the worst, naming those that are not live

    >>> joint_state({"/a": ("live", "subscribed"), "/b": ("down", "no answer")})
    ('down', '/b: no answer')
    """
    worst = min((state for state, _ in states.values()), key=_FROM_THE_WORST.index)
    words = {
        name: said for name, (state, said) in states.items() if state == worst or state != "live"
    }
    if len(words) == len(states) and len(set(words.values())) == 1:
        return worst, next(iter(words.values()))
    return worst, "; ".join(f"{name}: {said}" for name, said in words.items())


class FeedRecord:
    """The running counts of one feed, and its state."""

    def __init__(self, venue: str, url: str, now_ms: int) -> None:
        self.venue = venue
        self.url = url
        self.state: FeedState = "down"
        self.detail = "not started"
        self.state_since_ms = now_ms
        self.connected_ms: int | None = None
        self.last_frame_ms: int | None = None
        self.last_liquidation_ms: int | None = None
        self.frames = 0
        self.liquidations = 0
        self.dropped: Counter[str] = Counter()
        self.not_understood = 0
        self.samples: deque[str] = deque(maxlen=_SAMPLES)
        self.venue_errors = 0
        self.failures: Counter[str] = Counter()
        self.reconnects = 0
        self.rollovers = 0
        self.last_error: str | None = None
        self.latency_ms: float | None = None
        self.hole: tuple[int, int, str] | None = None
        self._left: tuple[int, str] | None = None

    def enter(self, state: FeedState, detail: str, now_ms: int) -> None:
        """Change the state, or only its words."""
        if state != self.state:
            self.state_since_ms = now_ms
            if self.state == "live":
                self._left = (now_ms, detail)
            elif state == "live" and self._left is not None:
                self.hole = (self._left[0], now_ms, self._left[1])
        self.state = state
        self.detail = detail

    def sample(self, frame: str | bytes) -> None:
        """Count a frame that was not understood and keep its beginning."""
        self.not_understood += 1
        head = frame[:_SAMPLE_CHARS]
        self.samples.append(head.decode(errors="replace") if isinstance(head, bytes) else head)

    def venue_error(self, text: str) -> None:
        """Count an error message of the venue."""
        self.venue_errors += 1
        self.last_error = text[:_SAMPLE_CHARS]

    def snapshot(
        self, proven_ms: int, rejected: tuple[str, ...], connections: tuple[LineStatus, ...]
    ) -> FeedStatus:
        """:return: an unchanging copy"""
        return FeedStatus(
            venue=self.venue,
            url=self.url,
            state=self.state,
            detail=self.detail,
            since_ms=self.state_since_ms,
            connected_ms=self.connected_ms,
            last_frame_ms=self.last_frame_ms,
            last_liquidation_ms=self.last_liquidation_ms,
            proven_ms=proven_ms or None,
            frames=self.frames,
            liquidations=self.liquidations,
            dropped=MappingProxyType(dict(self.dropped)),
            not_understood=self.not_understood,
            samples=tuple(self.samples),
            venue_errors=self.venue_errors,
            failures=MappingProxyType(dict(self.failures)),
            rejected=rejected,
            reconnects=self.reconnects,
            rollovers=self.rollovers,
            last_error=self.last_error,
            latency_ms=self.latency_ms,
            hole=self.hole,
            connections=connections,
        )
