"""
Candles as Binance words them. Those that are finished are worded once: five hundred pairs ask for
five hundred candles each at every close, and the bot that is measured runs on the same machine.
"""

from dataclasses import dataclass, field

import orjson

from liq_provider.simulator.market import Candle, SimulatedMarket
from liq_provider.simulator.symbols import SymbolSpec
from liq_provider.venues.dialect import plain


@dataclass(slots=True)
class _Finished:
    """
    :param revision: of the symbol's script when they were worded
    :param first_ms: open of the first of them
    :param rows: one after the other, without holes
    """

    revision: int
    first_ms: int
    rows: list[bytes] = field(default_factory=list)


class CandleRows:
    """Wording of one market's candles."""

    def __init__(self, market: SimulatedMarket) -> None:
        self._market = market
        self._finished: dict[tuple[str, int, bool], _Finished] = {}

    def between(
        self, spec: SymbolSpec, span_ms: int, from_ms: int, to_ms: int, now_ms: int, volumes: bool
    ) -> bytes:
        """
        :param span_ms: length of a candle
        :param volumes: False for candles of a price that is not traded, such as the mark
        :return: a JSON list of those that open in ``[from_ms, to_ms]``, the running one included
        """
        first_ms = -(-max(from_ms, self._market.first_ms) // span_ms) * span_ms
        end_ms = min(to_ms, now_ms) // span_ms * span_ms + span_ms
        if end_ms <= first_ms:
            return b"[]"
        running_ms = now_ms // span_ms * span_ms
        done_ms = min(end_ms, running_ms)
        rows = []
        if done_ms > first_ms:
            known = self._known(spec, span_ms, first_ms, done_ms, now_ms, volumes)
            begin = (first_ms - known.first_ms) // span_ms
            rows = known.rows[begin : begin + (done_ms - first_ms) // span_ms]
        if end_ms > running_ms:
            at_ms = max(first_ms, running_ms)
            last = self._market.candles(spec.symbol, span_ms, at_ms, running_ms, now_ms)
            rows += [_row(spec, span_ms, candle, volumes) for candle in last]
        return b"[" + b",".join(rows) + b"]"

    def _known(
        self, spec: SymbolSpec, span_ms: int, first_ms: int, end_ms: int, now_ms: int, volumes: bool
    ) -> _Finished:
        """:return: at least those that open in ``[first_ms, end_ms)``, which are finished"""
        key = (spec.symbol, span_ms, volumes)
        # What is scripted later may be known only from now on, and changes the revision.
        self._market.prepare(now_ms)
        revision = self._market.revision(spec.symbol)
        known = self._finished.get(key)
        if known is None or known.revision != revision or first_ms < known.first_ms:
            known = self._finished[key] = _Finished(revision, first_ms)
        worded_ms = known.first_ms + len(known.rows) * span_ms
        if worded_ms < end_ms:
            new = self._market.candles(spec.symbol, span_ms, worded_ms, end_ms - span_ms, now_ms)
            known.rows += [_row(spec, span_ms, candle, volumes) for candle in new]
        return known


def _row(spec: SymbolSpec, span_ms: int, candle: Candle, volumes: bool) -> bytes:
    at_ms, *prices, volume = candle
    digits = spec.tick_digits
    traded = plain(volume) if volumes else "0"
    return orjson.dumps(
        [
            at_ms,
            *(f"{price:.{digits}f}" for price in prices),
            traded,
            at_ms + span_ms - 1,
            f"{volume * prices[3]:.2f}" if volumes else "0",
            60,
            traded,
            "0",
            "0",
        ]
    )
