"""A recording replayed as if it happened now, with prices built from its own fills."""

import logging
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from liq_provider.core.durations import HOUR_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.simulator.market import SimulatedMarket
from liq_provider.simulator.orders import Order
from liq_provider.simulator.prices import FillPath
from liq_provider.simulator.symbols import DEMO_SYMBOLS, SymbolSpec, tick_for
from liq_provider.venues import VENUES
from liq_provider.venues.dialect import plain

logger = logging.getLogger(__name__)


class Recording(SimulatedMarket):
    """
    Recorded liquidations at real or compressed speed.

    Prices are steps from fill to fill: good enough to trade against, not a real order flow.
    """

    kind = "recording"
    banner = "REPLAY: recorded liquidations at another time, prices built from their fills"

    def __init__(
        self,
        liquidations: Iterable[Liquidation],
        start_ms: int,
        speed: float = 1.0,
        lead_s: float = 5.0,
        align_s: int = 1,
        history_h: float = 26.0,
        throttle: bool = False,
    ) -> None:
        """
        :param start_ms: now
        :param speed: recorded seconds per second
        :param lead_s: the first order comes this long after ``start_ms``; negative to have
            served part of the recording as history
        :param align_s: shift times by a multiple of this at speed 1; 60 keeps every order's
            place in its minute
        :param history_h: hours of flat candles before the first order
        :param throttle: sample again as the venues do; recordings went through it already
        """
        records, self.left_out = _usable(liquidations)
        origin_ms = records[0].event_ms
        begin_ms = _aligned(origin_ms, start_ms + round(lead_s * 1000), align_s, speed)
        specs = _specs(records)
        symbol_of = {(record.venue, record.pair): specs[_key(record)] for record in records}
        self._orders = [
            _order(record, symbol_of, begin_ms + round((record.event_ms - origin_ms) / speed))
            for record in records
        ]
        self._times = [order.event_ms for order in self._orders]
        self.speed = speed
        self.begin_ms, self.end_ms = self._times[0], self._times[-1]
        super().__init__(
            list(specs.values()),
            _paths(self._orders),
            min(start_ms, begin_ms) - round(history_h * HOUR_MS),
            throttle,
        )

    def scheduled(self, from_ms: int, to_ms: int) -> list[Order]:
        """:return: recorded orders, at their new times"""
        return self._orders[bisect_left(self._times, from_ms) : bisect_left(self._times, to_ms)]

    def describe(self, now_ms: int) -> dict[str, object]:
        """:return: label, speed and progress of the replay"""
        return {
            **super().describe(now_ms),
            "speed": self.speed,
            "begin_ms": self.begin_ms,
            "end_ms": self.end_ms,
            "orders": len(self._orders),
            "played": bisect_left(self._times, now_ms),
            "left_out": dict(self.left_out),
            "symbols": list(self.symbols),
        }


def _usable(liquidations: Iterable[Liquidation]) -> tuple[list[Liquidation], Counter[str]]:
    left_out: Counter[str] = Counter()
    records = []
    for record in liquidations:
        if record.venue not in VENUES:
            left_out[f"venue {record.venue} has no simulated feed"] += 1
        elif _quote(record) not in ("USDT", "USDC") or not (
            record.price > 0 and record.quantity > 0
        ):
            left_out["inverse contracts, other quotes or empty orders"] += 1
        else:
            records.append(record)
    for reason, count in left_out.items():
        logger.warning("%d liquidations of the recording are not replayed: %s", count, reason)
    if not records:
        raise ValueError("the recording holds no liquidation of a venue that can be served")
    return sorted(records, key=lambda record: record.event_ms), left_out


def _quote(record: Liquidation) -> str:
    return record.pair.partition("/")[2].partition(":")[0]


def _aligned(origin_ms: int, begin_ms: int, align_s: int, speed: float) -> int:
    """Shift by whole steps, so that orders of one second stay in one second."""
    if speed != 1.0:
        return begin_ms
    step = align_s * 1000
    return origin_ms + -(-(begin_ms - origin_ms) // step) * step


def _key(record: Liquidation) -> str:
    return record.pair.partition(":")[0]


def _specs(records: Sequence[Liquidation]) -> dict[str, SymbolSpec]:
    """One market per pair; known ones with their real filters, others synthesised."""
    known = {f"{spec.base}/{spec.quote}": spec for spec in DEMO_SYMBOLS}
    prices: dict[str, list[float]] = defaultdict(list)
    quantities: dict[str, float] = {}
    ids: dict[str, dict[str, str]] = defaultdict(dict)
    for record in records:
        key = _key(record)
        prices[key].append(record.price)
        quantities[key] = min(quantities.get(key, record.quantity), record.quantity)
        ids[key][record.venue] = record.market_id
    specs = {}
    for key, own in prices.items():
        spec = known.get(key) or _synthesised(key, own[0], quantities[key])
        named = tuple((v, i) for v, i in ids[key].items() if spec.id_on(v) != i)
        specs[key] = replace(spec, price=own[0], volatility=0.0, ids=named)
    return specs


def _synthesised(key: str, price: float, smallest: float) -> SymbolSpec:
    base, _, quote = key.partition("/")
    step = "1" if smallest >= 1 else plain(10.0 ** -min(8, len(plain(smallest)) - 2))
    return SymbolSpec(base, price, tick_for(price), step, "1", quote=quote)


def _order(
    record: Liquidation, symbol_of: Mapping[tuple[str, str], SymbolSpec], at_ms: int
) -> Order:
    spec = symbol_of[(record.venue, record.pair)]
    return Order(
        record.venue, spec.symbol, record.position_side, record.quantity, record.price, at_ms, at_ms
    )


def _paths(orders: Sequence[Order]) -> dict[str, FillPath]:
    times: dict[str, list[float]] = defaultdict(list)
    prices: dict[str, list[float]] = defaultdict(list)
    for order in orders:
        times[order.symbol].append(order.event_ms / 1000)
        prices[order.symbol].append(order.price)
    return {symbol: FillPath(times[symbol], prices[symbol]) for symbol in times}
