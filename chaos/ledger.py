"""
Does the store say what happened? What was sent against what is stored, counted and called known.

The exchange's own log is the measure, never a sidecar's: an order that nobody received is
missing, too, if its minute is called known.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from chaos.books import Books, Cell
from chaos.records import Delivery, Order, Row, Span, Truth
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import minute_of

# A received order is in the store or in the spool within this time, or it dies with its reader.
IN_MEMORY_MS = 7_000
# What a connection was sent in its last moments may never have left the exchange.
LAST_WORDS_MS = 1_500
# An order that was sent so long before its minute was settled cannot have come too late.
IN_TIME_MS = 1_000
_EXAMPLES = 8
_TOLERANCE = 1e-6
_NOTHING = (0.0, 0.0, 0)


@dataclass(frozen=True, slots=True)
class Line:
    """
    A line of the report.

    :param ok: None where the figure is only told
    """

    name: str
    value: str
    ok: bool | None = None
    examples: tuple[str, ...] = ()


@dataclass(slots=True)
class Complaints:
    """Counts of something that must not be, with the first ones in words."""

    name: str
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """One more."""
        self.count += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(text)

    def line(self) -> Line:
        """:return: a line that is well only with none"""
        return Line(self.name, str(self.count), self.count == 0, tuple(self.examples))


def storage(truth: Truth, books: Books, faults: Sequence[Span], lost: int) -> list[Line]:
    """
    Every order that reached somebody is stored once, or there is a reason.

    :param lost: what the sidecars counted as lost
    """
    rows = books.by_key()
    doubled, strangers = Complaints("stored more than once"), Complaints("never sent")
    for key, own in rows.items():
        order = truth.orders.get(key)
        if order is None:
            if own[0].key[3] >= max(books.from_ms, truth.from_ms):
                strangers.add(_said(own[0]))
        elif len(own) > order.count:
            doubled.add(_said(own[0]))
    missing = Complaints("missing without a reason")
    reasons: Counter[str] = Counter()
    sent = stored = 0
    for key, order in truth.orders.items():
        if order.event_ms < books.from_ms:
            continue
        sent += order.count
        here = min(order.count, len(rows.get(key, ())))
        stored += here
        if here < order.count:
            reason = _reason(order, faults)
            reasons[reason or "no reason"] += order.count - here
            if reason is None:
                missing.add(_told(order))
    unexplained = reasons.pop("no reason", 0)
    return [
        Line("orders that happened", f"{sent:,}"),
        Line("stored", f"{stored:,}"),
        *(Line(f"not stored: {reason}", f"{n:,}") for reason, n in sorted(reasons.items())),
        Line("counted as lost by a sidecar", f"{lost:,}"),
        Line(
            "missing beyond the counted losses",
            f"{max(0, unexplained - lost):,}",
            unexplained <= lost,
            tuple(missing.examples),
        ),
        doubled.line(),
        strangers.line(),
    ]


def _reason(order: Order, faults: Sequence[Span]) -> str | None:
    """:return: why nobody has it, None if somebody should"""
    if not order.deliveries:
        return "nobody was connected"
    reasons = [_lost_on_the_way(way, faults) for way in order.deliveries]
    return None if None in reasons else next(reason for reason in reasons if reason)


def _lost_on_the_way(way: Delivery, faults: Sequence[Span]) -> str | None:
    if not way.whole:
        return "the frame was damaged"
    mine = [fault for fault in faults if fault.target == way.who]
    frozen_ms = {fault.from_ms: fault for fault in mine if fault.kind == "freeze"}
    for begin_ms, fault in frozen_ms.items():
        if begin_ms - LAST_WORDS_MS <= way.at_ms <= fault.to_ms:
            # It reads on when it continues, unless its connection or its life ended.
            if way.ended_ms is not None and way.ended_ms <= fault.to_ms + LAST_WORDS_MS * 4:
                return "sent to a frozen sidecar that never read it"
    if way.ended_ms is None:
        return None
    for fault in mine:
        if fault.kind == "kill" and abs(fault.from_ms - way.ended_ms) < LAST_WORDS_MS:
            if way.at_ms >= fault.from_ms - IN_MEMORY_MS:
                return "died with its sidecar"
    if way.ended_ms - way.at_ms <= LAST_WORDS_MS:
        return "sent as the connection ended"
    return None


def minutes(truth: Truth, books: Books, settle_ms: int) -> list[Line]:
    """What the store calls known is all that happened."""
    absent = Complaints("known, but an order is not stored")
    elsewhere = Complaints("known, but an order counts elsewhere or nowhere")
    rows = books.by_key()
    for key, order in truth.orders.items():
        minute_ms = minute_of(order.event_ms)
        if (order.venue, order.coin, minute_ms) not in books.known:
            continue
        own = rows.get(key, [])
        if len(own) < order.count:
            absent.add(_told(order))
        for row in own:
            if row.minute_ms != minute_ms and not _came_late(order, settle_ms, row):
                elsewhere.add(f"{_told(order)}, counted in {clock_text(row.minute_ms)}")
    return [
        Line("coin-minutes that are known", f"{len(books.known):,}"),
        absent.line(),
        elsewhere.line(),
        _sums(books),
    ]


def _came_late(order: Order, settle_ms: int, row: Row) -> bool:
    """The venue itself sent it when its minute was nearly settled, or later."""
    close_ms = minute_of(order.event_ms) + MINUTE_MS
    sent_ms = order.first_sent_ms
    late = sent_ms is not None and sent_ms > close_ms + settle_ms - IN_TIME_MS
    return late and row.minute_ms is not None and row.minute_ms > minute_of(order.event_ms)


def _sums(books: Books) -> Line:
    counted: dict[Cell, tuple[float, float, int]] = {}
    for row in books.rows:
        if row.minute_ms is not None:
            cell = row.key[0], row.coin, row.minute_ms
            longs, shorts, count = counted.get(cell, _NOTHING)
            is_long = row.key[2] == "long"
            longs, shorts = longs + row.usd * is_long, shorts + row.usd * (not is_long)
            counted[cell] = longs, shorts, count + 1
    wrong = Complaints("minutes whose sums are not those of their orders")
    for cell in sorted(counted.keys() | books.sums.keys()):
        if not books.from_ms <= cell[2] < books.to_ms:
            continue
        have, want = books.sums.get(cell, _NOTHING), counted.get(cell, _NOTHING)
        pairs = zip(have, want, strict=True)
        if not all(abs(h - w) <= _TOLERANCE * max(1.0, abs(w)) for h, w in pairs):
            wrong.add(f"{cell[0]} {cell[1]} {clock_text(cell[2])}: {have} instead of {want}")
    return wrong.line()


def unknown(
    books: Books, venues: Sequence[str], coins: Sequence[str], causes: Iterable[Span]
) -> list[Line]:
    """
    Minutes that are unknown although nothing of them can be missing.

    :param causes: what explains an unknown minute, target a venue or empty for all
    """
    spans = list(causes)
    total = 0
    idle: dict[tuple[str, int], list[str]] = {}
    for minute_ms in range(books.from_ms, books.to_ms, MINUTE_MS):
        for venue in venues:
            gone = [coin for coin in coins if (venue, coin, minute_ms) not in books.known]
            total += len(gone)
            if gone and not any(_explains(span, venue, minute_ms) for span in spans):
                idle[venue, minute_ms] = gone
    texts = [
        f"{venue} {clock_text(ms)}: {'all coins' if len(gone) == len(coins) else ', '.join(gone)}"
        for (venue, ms), gone in idle.items()
    ]
    count = sum(map(len, idle.values()))
    return [
        Line("coin-minutes that are unknown", f"{total:,}"),
        Line("unknown without a cause", f"{count:,}", None, tuple(texts[:_EXAMPLES])),
    ]


def _explains(span: Span, venue: str, minute_ms: int) -> bool:
    return (
        span.target in ("", venue)
        and span.from_ms < minute_ms + MINUTE_MS
        and span.to_ms > minute_ms
    )


def causes_of(
    faults: Sequence[Span], venues: Sequence[str], sidecars: Sequence[str], settle_ms: int
) -> list[Span]:
    """
    What may explain an unknown minute. One sidecar of several that is well explains nothing away
    here: the other's hole is no cause.

    :return: spans with a venue or nothing as their target
    """
    after_ms = settle_ms + 10_000
    causes = []
    for fault in faults:
        if fault.why_not:
            continue
        if fault.target in venues or fault.target == "store":
            target = fault.target if fault.target in venues else ""
            # What waits for a store takes a while, and a reconnection, too.
            causes.append(
                Span(fault.kind, target, fault.from_ms - after_ms, fault.to_ms + 3 * after_ms)
            )
    holes: Mapping[str, list[Span]] = {
        name: [
            Span(f.kind, "", f.from_ms - after_ms, f.to_ms + 3 * after_ms)
            for f in faults
            if f.target == name and not f.why_not
        ]
        for name in sidecars
    }
    first, *others = sidecars
    for span in holes[first]:
        for other in others:
            overlaps = [
                Span("both", "", max(span.from_ms, o.from_ms), min(span.to_ms, o.to_ms))
                for o in holes[other]
            ]
            causes += [both for both in overlaps if both.to_ms > both.from_ms]
        if not others:
            causes.append(span)
    return causes


def clock_text(ms: int | None) -> str:
    """:return: the time of day in UTC"""
    if ms is None:
        return "no minute"
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%H:%M:%S")


def _told(order: Order) -> str:
    ways = ", ".join(f"{w.who} at {clock_text(w.at_ms)}" for w in order.deliveries) or "nobody"
    return (
        f"{order.venue} {order.coin} ${order.usd:,.0f} of {clock_text(order.event_ms)} (to {ways})"
    )


def _said(row: Row) -> str:
    return (
        f"{row.key[0]} {row.coin} ${row.usd:,.0f} of {clock_text(row.key[3])}, received "
        f"{clock_text(row.received_ms)}"
    )
