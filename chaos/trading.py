"""Did the bot enter only what it may, and was every position protected? From its loops."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from chaos.books import Books
from chaos.ledger import Complaints, Line, clock_text
from chaos.records import Loop, Order, Position, Span, Truth, symbol_of
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.core.coverage import Interval, merge
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import minute_of

# Between the close of a candle and an entry that took its last allowed second.
_ORDER_MS = 2_000
# A stop may be anywhere between its distance and nothing; rounding to ticks comes on top.
_STOP_SLACK = 0.002
# The exchange's price is that of the whole second.
_PRICE_MS = 1_100


@dataclass(frozen=True, slots=True)
class Rules:
    """
    :param loop_ms: no loop may take longer
    """

    segment_min: int = 2
    max_entry_delay_ms: int = 30_000
    fallback_pct: float = 0.02
    loop_ms: int = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A position that was opened.

    :param from_ms: the entry happened after this
    :param to_ms: and before this
    """

    position: Position
    from_ms: int
    to_ms: int


def entries(loops: Sequence[Loop]) -> list[Entry]:
    """:return: each position with the loop in which it was first there"""
    seen: set[int] = set()
    made = []
    for loop in loops:
        for position in loop.positions:
            if position.trade_id not in seen:
                seen.add(position.trade_id)
                made.append(Entry(position, loop.begin_ms, loop.end_ms))
    return made


def check_entries(
    loops: Sequence[Loop], truth: Truth, books: Books, venues: Sequence[str], rules: Rules
) -> list[Line]:
    """No entry on stale data, nor on a wave whose beginning nobody saw."""
    stale = Complaints("entries on stale data")
    unseen = Complaints("entries on a wave whose beginning was not seen")
    by_coin: dict[str, list[Order]] = defaultdict(list)
    for order in truth.orders.values():
        by_coin[order.coin].append(order)
    made = entries(loops)
    for entry in made:
        coin = base_asset_of_pair(entry.position.pair)
        close_ms = minute_of(entry.to_ms)
        said = f"{entry.position.pair} #{entry.position.trade_id} {entry.position.tag}"
        said += f" at {clock_text(entry.to_ms)}"
        # A loop that spans a candle's close acted on the one or the other.
        delay_ms = min(entry.from_ms - minute_of(entry.from_ms), entry.to_ms - close_ms)
        if delay_ms > rules.max_entry_delay_ms + _ORDER_MS:
            stale.add(f"{said}: {delay_ms / 1000:.0f} s after the candle")
        side = "long" if entry.position.short else "short"
        wave = [order for order in by_coin[coin] if order.side == side]
        closes = {minute_of(entry.from_ms), close_ms}
        verdicts = [_judge(wave, close, books, venues, coin, rules) for close in closes]
        if None not in verdicts:
            (stale if "no liquidation" in str(verdicts[0]) else unseen).add(
                f"{said}: {verdicts[0]}"
            )
    return [Line("entries", str(len(made))), stale.line(), unseen.line()]


def _judge(
    wave: Sequence[Order],
    close_ms: int,
    books: Books,
    venues: Sequence[str],
    coin: str,
    rules: Rules,
) -> str | None:
    """:return: what is wrong with an entry at a candle's close, None if nothing is"""
    segment_ms = rules.segment_min * MINUTE_MS
    usd: dict[int, float] = defaultdict(float)
    where: dict[int, set[str]] = defaultdict(set)
    for order in wave:
        if close_ms - segment_ms <= order.event_ms < close_ms:
            minute_ms = minute_of(order.event_ms)
            usd[minute_ms] += order.usd
            where[minute_ms].add(order.venue)
    if not usd:
        return "no liquidation of that side in the segment"
    burst_ms = max(usd, key=usd.__getitem__)
    if burst_ms == close_ms - MINUTE_MS:
        return None
    # The money came in an earlier minute: it could be seen at that minute's close if a venue
    # that carried it was known through a whole segment.
    first_close_ms = burst_ms + MINUTE_MS
    whole = range(first_close_ms - segment_ms, first_close_ms, MINUTE_MS)
    if whole.start < books.from_ms:
        return None
    for venue in where[burst_ms] & set(venues):
        if all((venue, coin, minute_ms) in books.known for minute_ms in whole):
            return None
    return "the minutes before the wave were not known where it came from"


def check_stops(loops: Sequence[Loop], truth: Truth, rules: Rules) -> list[Line]:
    """Every position has a stop after its first loop, and a price beyond it ends it."""
    bare = Complaints("positions without a stop after one loop")
    held = Complaints("positions held beyond their stop for more than two loops")
    beyond: dict[int, int] = defaultdict(int)
    for before, loop in pairwise(loops):
        stops = {position.trade_id: position for position in before.positions}
        for position in loop.positions:
            known = stops.get(position.trade_id)
            if known is None:
                continue
            if not _protected(position, rules):
                bare.add(f"{position.pair} #{position.trade_id}: stop {position.stop:g}")
            # Beyond the stop that was in force when the loop began, all the time until it ended.
            if _crossed(known, truth.prices.get(symbol_of(position.pair), ()), loop):
                beyond[position.trade_id] += 1
                if beyond[position.trade_id] == 3:
                    held.add(f"{position.pair} #{position.trade_id} at {clock_text(loop.begin_ms)}")
            else:
                beyond[position.trade_id] = 0
    return [bare.line(), held.line()]


def _protected(position: Position, rules: Rules) -> bool:
    sign = 1 if position.short else -1
    furthest = position.open_rate * (1 + sign * (rules.fallback_pct + _STOP_SLACK))
    return position.stop <= furthest if position.short else position.stop >= furthest


def _crossed(position: Position, prices: Sequence[tuple[int, float]], loop: Loop) -> bool:
    since = bisect_right(prices, (loop.begin_ms - _PRICE_MS, 0.0))
    until = bisect_right(prices, (loop.end_ms, float("inf")))
    seen = [price for _, price in prices[since:until]]
    if not seen:
        return False
    # With half a tick of the book between.
    if position.short:
        return min(seen) > position.stop * 1.001
    return max(seen) < position.stop * 0.999


def check_loops(
    loops: Sequence[Loop], faults: Sequence[Span], stalls: Sequence[Span], rules: Rules
) -> list[Line]:
    """
    No loop takes long, the time not counted in which the bot was frozen by the plan, others had
    the machine, or the exchange was asked, which is the same without LiqTrend.
    """
    slow = Complaints(f"loops longer than {rules.loop_ms / 1000:g} s")
    away = [f for f in faults if f.target == "bot" and f.kind == "freeze"]
    lengths = []
    for loop in loops:
        taken_ms = loop.end_ms - loop.begin_ms - _overlap(loop, [*away, *stalls])
        taken_ms -= loop.exchange_ms + loop.starved_ms
        lengths.append(taken_ms)
        if taken_ms > rules.loop_ms:
            slow.add(f"{taken_ms / 1000:.2f} s at {clock_text(loop.begin_ms)}")
    lengths.sort()
    median = lengths[len(lengths) // 2] if lengths else 0
    return [
        Line("loops of the bot", f"{len(loops):,}", bool(loops)),
        Line("median and longest loop", f"{median} ms, {lengths[-1] if lengths else 0} ms"),
        slow.line(),
    ]


def _overlap(loop: Loop, spans: Sequence[Span]) -> int:
    whole = merge(Interval(span.from_ms, span.to_ms) for span in spans)
    return sum(
        max(0, min(loop.end_ms, span.end_ms) - max(loop.begin_ms, span.start_ms)) for span in whole
    )
