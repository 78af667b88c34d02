"""Which orders go into one frame, and when it is sent. How it is worded, each venue's file says."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from liq_provider.simulator.orders import Order
from liq_provider.simulator.symbols import SymbolSpec
from liq_provider.venues import VENUES
from liq_provider.venues.frame import Frame


@dataclass(frozen=True, slots=True)
class SentFrame:
    """
    One websocket message.

    :param emit_ms: when the venue sends it
    :param topic: what a client must have subscribed to
    """

    venue: str
    emit_ms: int
    topic: str
    payload: Frame


def emit_ms_of(venue: str, bucket: int) -> int:
    """
    :param bucket: number of the venue's publishing interval since the epoch
    :return: when what was collected in it is sent
    """
    dialect = VENUES[venue].dialect
    return (bucket + 1) * dialect.bucket_ms + dialect.delay_ms


def bucket_frames(
    venue: str,
    bucket: int,
    orders: Sequence[Order],
    symbols: Mapping[str, SymbolSpec],
    throttle: bool,
) -> list[SentFrame]:
    """
    Word the orders that a venue collected in one interval.

    :param bucket: number of the interval since the epoch
    :param orders: the venue's orders in it, by time
    :param throttle: of orders that have a frame each, only the largest of a symbol is sent
    """
    dialect, emit_ms = VENUES[venue].dialect, emit_ms_of(venue, bucket)
    frames = []
    for group in frame_orders(venue, orders, throttle):
        spec = symbols[group[0].symbol]
        market_id = spec.id_on(venue)
        payload = dialect.encode(emit_ms, market_id, spec, group)
        frames.append(SentFrame(venue, emit_ms, dialect.topic(market_id), payload))
    return frames


def frame_orders(venue: str, orders: Sequence[Order], throttle: bool) -> Iterator[list[Order]]:
    """:return: the orders of one frame each, all of one symbol"""
    one_each = VENUES[venue].dialect.one_each
    by_symbol: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        by_symbol[order.symbol].append(order)
    for own in by_symbol.values():
        if not one_each:
            yield own
        elif throttle:
            yield [max(own, key=lambda order: order.notional_usd)]
        else:
            yield from ([order] for order in own)
