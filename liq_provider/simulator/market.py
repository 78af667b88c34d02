"""What the loopback exchange serves: prices, candles, forced orders, tape.

``World`` (synthetic) and ``Recording`` (replayed) differ only in where base prices and
scheduled orders come from; everything else is here.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from liq_provider.simulator.framing import SentFrame, bucket_frames, emit_ms_of
from liq_provider.simulator.orders import Draft, Order
from liq_provider.simulator.prices import Displacement, Floats, PriceLeg
from liq_provider.simulator.symbols import SymbolSpec
from liq_provider.venues import VENUES
from liq_provider.venues.frame import Frame

Candle = tuple[int, float, float, float, float, float]


class Path(Protocol):
    """A base price path at one-second resolution."""

    def log_prices(self, from_s: int, to_s: int) -> Floats:
        """:return: log price for every second in ``[from_s, to_s)``"""
        ...


@dataclass(frozen=True, slots=True)
class TapeRow:
    """
    One frame as a recorder would have kept it.

    :param received_ms: when a client had it
    :param frame: exactly the websocket message
    :param simulated: so that whoever reads the tape can tell it from an exchange's
    """

    venue: str
    received_ms: int
    frame: Frame
    simulated: bool = True


class SimulatedMarket:
    """
    A market on which time passes by itself: every method takes the time it is asked about.

    :param kind: what it is, for banners and ``/sim/state``
    """

    kind = "synthetic"
    banner = "SYNTHETIC market: seeded random prices and invented liquidations, no real data"

    def __init__(
        self,
        symbols: Sequence[SymbolSpec],
        paths: Mapping[str, Path],
        first_ms: int,
        throttle: bool = True,
    ) -> None:
        """
        :param paths: base price path by symbol
        :param first_ms: where the history begins
        :param throttle: as the sampled venues do, see ``framing.frame_orders``
        """
        self.symbols = {spec.symbol: spec for spec in symbols}
        self.first_ms = first_ms
        self.throttle = throttle
        self._by_id = {(venue, spec.id_on(venue)): spec for spec in symbols for venue in VENUES}
        self._paths = dict(paths)
        self._moves: dict[str, Displacement] = defaultdict(Displacement)
        self._revisions: Counter[str] = Counter()
        self._injected: list[Order] = []

    def prepare(self, until_ms: int) -> None:
        """Make sure that everything scripted up to ``until_ms`` is known."""

    def begin(self, now_ms: int) -> int:
        """
        Let what is held of the script come.

        :return: the close of its minute; 0 if nothing is held
        """
        return 0

    def scheduled(self, from_ms: int, to_ms: int) -> list[Order]:
        """:return: orders of background, script or recording published in that time"""
        raise NotImplementedError

    def describe(self, now_ms: int) -> dict[str, object]:
        """:return: what ``GET /sim/state`` says about this market"""
        return {"synthetic": True, "kind": self.kind, "banner": self.banner}

    def spec_of(self, venue: str, market_id: str) -> SymbolSpec | None:
        """:return: the market behind a venue's own symbol, or None if it is not listed"""
        return self._by_id.get((venue, market_id))

    # -- prices ---------------------------------------------------------------------------

    def seconds(self, symbol: str, from_s: int, to_s: int) -> Floats:
        """:return: the price in every second of ``[from_s, to_s)``, rounded to the tick"""
        self.prepare(to_s * 1000)
        base = self._paths[symbol].log_prices(from_s, to_s)
        if len(base) < to_s - from_s:  # asked for a time before the history
            base = np.concatenate([np.full(to_s - from_s - len(base), base[0]), base])
        moved = base + self._moves[symbol].at(np.arange(from_s, to_s, dtype=np.float64))
        return self._to_tick(symbol, np.exp(moved))

    def _to_tick(self, symbol: str, prices: Floats) -> Floats:
        spec = self.symbols[symbol]
        tick = float(spec.tick)
        ticks = np.maximum(np.rint(prices / tick), 1.0)
        return np.round(ticks * tick, spec.tick_digits)

    def price(self, symbol: str, at_ms: int) -> float:
        """:return: last price at ``at_ms``"""
        second = at_ms // 1000
        return float(self.seconds(symbol, second, second + 1)[0])

    def move(self, symbol: str, at_ms: int, over_s: float, to_price: float) -> None:
        """
        Script a move of one symbol on top of everything else.

        :param over_s: seconds that it takes; 0 is a gap
        :param to_price: where the price would be at the end if nothing else moved it
        """
        now = self.price(symbol, at_ms)
        self.add_legs([PriceLeg(symbol, at_ms, over_s, math.log(to_price / now))])

    def add_legs(self, legs: Sequence[PriceLeg]) -> None:
        """
        :param legs: scripted moves, in any order
        """
        by_symbol: dict[str, list[PriceLeg]] = defaultdict(list)
        for leg in legs:
            by_symbol[leg.symbol].append(leg)
        for symbol, own in by_symbol.items():
            self._moves[symbol].add(own)
            self._revisions[symbol] += 1

    def revision(self, symbol: str) -> int:
        """:return: how often the script of its price was changed, perhaps also for the past"""
        return self._revisions[symbol]

    def candles(
        self, symbol: str, timeframe_ms: int, from_ms: int, to_ms: int, now_ms: int
    ) -> list[Candle]:
        """
        Candles that open in ``[from_ms, to_ms]``, as the real exchange the last one unfinished.

        :return: rows of open time in ms, open, high, low, close and volume in base units
        """
        span_s = timeframe_ms // 1000
        first_open = max(from_ms, self.first_ms)
        first_s = -(-first_open // timeframe_ms) * span_s
        end_s = min(now_ms // 1000 + 1, (to_ms // timeframe_ms + 1) * span_s)
        if end_s <= first_s:
            return []
        # With the second before, so that a candle is the same whatever else is asked for.
        led = self.seconds(symbol, first_s - 1, end_s)
        prices = led[1:]
        starts = np.arange(0, len(prices), span_s)
        volumes = np.add.reduceat(self._volumes(symbol, led)[1:], starts)
        ends = np.minimum(starts + span_s, len(prices)) - 1
        digits = self.symbols[symbol].step_digits
        return list(
            zip(
                ((starts + first_s) * 1000).tolist(),
                prices[starts].tolist(),
                np.maximum.reduceat(prices, starts).tolist(),
                np.minimum.reduceat(prices, starts).tolist(),
                prices[ends].tolist(),
                np.round(volumes, digits).tolist(),
                strict=True,
            )
        )

    def _volumes(self, symbol: str, prices: Floats) -> Floats:
        """Base units traded in every second: more when the price moves."""
        spec = self.symbols[symbol]
        turnover_s = spec.median_usd * 4
        sigma_s = max(spec.volatility, 1e-6) / math.sqrt(60)
        moves = np.abs(np.diff(np.log(prices), prepend=np.log(prices[0])))
        return np.asarray(turnover_s * (0.5 + np.minimum(moves / sigma_s, 50.0)) / prices)

    # -- forced orders --------------------------------------------------------------------

    def inject(self, order: Order) -> None:
        """
        :param order: one more order; its frame goes out with its ``publish_ms``
        """
        self._injected.append(order)

    def orders(self, from_ms: int, to_ms: int) -> list[Order]:
        """:return: all forced orders published in ``[from_ms, to_ms)``, by time"""
        self.prepare(to_ms)
        published = self.scheduled(from_ms, to_ms)
        published += [o for o in self._injected if from_ms <= o.publish_ms < to_ms]
        return sorted(published, key=lambda order: order.publish_ms)

    def priced(self, draft: Draft) -> Order:
        """:return: the order at the market's price of its time"""
        spec = self.symbols[draft.symbol]
        price = self.price(draft.symbol, draft.event_ms)
        digits = spec.step_digits
        quantity = max(round(draft.notional_usd / price, digits), round(10.0**-digits, digits))
        return Order(
            draft.venue,
            draft.symbol,
            draft.position_side,
            quantity,
            price,
            draft.event_ms,
            draft.event_ms,
        )

    def frames(self, venue: str, bucket: int) -> list[SentFrame]:
        """
        :param bucket: number of the venue's publishing interval since the epoch
        :return: what the venue sends for it
        """
        size = VENUES[venue].dialect.bucket_ms
        orders = self.orders(bucket * size, (bucket + 1) * size)
        mine = [order for order in orders if order.venue == venue]
        return bucket_frames(venue, bucket, mine, self.symbols, self.throttle)

    def tape(self, from_ms: int, to_ms: int) -> list[TapeRow]:
        """:return: frames that clients received in ``[from_ms, to_ms)``, by time"""
        rows = [row for venue in VENUES for row in self.tape_of(venue, from_ms, to_ms)]
        return sorted(rows, key=lambda row: row.received_ms)

    def tape_of(self, venue: str, from_ms: int, to_ms: int) -> Iterator[TapeRow]:
        """:return: those of one venue"""
        dialect = VENUES[venue].dialect
        lead = dialect.bucket_ms + dialect.delay_ms
        buckets: dict[int, list[Order]] = defaultdict(list)
        first = (from_ms - lead) // dialect.bucket_ms * dialect.bucket_ms
        for order in self.orders(max(first, 0), to_ms):
            if order.venue == venue:
                buckets[order.publish_ms // dialect.bucket_ms].append(order)
        for bucket, orders in buckets.items():
            received_ms = emit_ms_of(venue, bucket)
            if from_ms <= received_ms < to_ms:
                for frame in bucket_frames(venue, bucket, orders, self.symbols, self.throttle):
                    yield TapeRow(venue, received_ms, frame.payload)
