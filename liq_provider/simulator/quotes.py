"""Binance's order book, tickers and mark price at one moment."""

from liq_provider.core.durations import DAY_MS, DAY_S, HOUR_MS
from liq_provider.simulator.market import SimulatedMarket
from liq_provider.simulator.symbols import SymbolSpec
from liq_provider.venues.dialect import plain

FUNDING_MS = 8 * HOUR_MS
FUNDING_RATE = "0.00010000"
LEVEL_USD = 50_000.0

Answer = dict[str, object]


class Quotes:
    """Every method takes a contract and the time, and answers as Binance does."""

    def __init__(self, market: SimulatedMarket) -> None:
        self._market = market

    def depth(self, spec: SymbolSpec, now: int, levels: int) -> Answer:
        """:return: an order book whose best bid is the last price, one tick per level"""
        price = self._market.price(spec.symbol, now)
        tick, digits = float(spec.tick), spec.tick_digits
        size = _level_quantity(spec, price)
        return {
            "lastUpdateId": now,
            "E": now,
            "T": now,
            "bids": [[f"{max(price - i * tick, tick):.{digits}f}", size] for i in range(levels)],
            "asks": [[f"{price + (i + 1) * tick:.{digits}f}", size] for i in range(levels)],
        }

    def day(self, spec: SymbolSpec, now: int) -> Answer:
        """:return: the last 24 hours"""
        # Hourly steps are enough for a day's extremes and keep this cheap for all symbols.
        rows = self._market.candles(spec.symbol, HOUR_MS, now - DAY_MS, now, now)
        price = self._market.price(spec.symbol, now)
        first = rows[0][1] if rows else price
        volume = sum(row[5] for row in rows)
        digits = spec.tick_digits
        return {
            "symbol": spec.id_on("binance"),
            "priceChange": f"{price - first:.{digits}f}",
            "priceChangePercent": f"{(price / first - 1) * 100:.3f}",
            "weightedAvgPrice": f"{(price + first) / 2:.{digits}f}",
            "lastPrice": f"{price:.{digits}f}",
            "lastQty": spec.step,
            "openPrice": f"{first:.{digits}f}",
            "highPrice": f"{max((row[2] for row in rows), default=price):.{digits}f}",
            "lowPrice": f"{min((row[3] for row in rows), default=price):.{digits}f}",
            "volume": plain(round(volume, spec.step_digits)),
            "quoteVolume": f"{volume * price:.2f}",
            "openTime": now - DAY_MS,
            "closeTime": now,
            "firstId": 1,
            "lastId": now,
            "count": DAY_S,
        }

    def book_ticker(self, spec: SymbolSpec, now: int) -> Answer:
        """:return: best bid and ask"""
        price = self._market.price(spec.symbol, now)
        digits = spec.tick_digits
        quantity = _level_quantity(spec, price)
        return {
            "symbol": spec.id_on("binance"),
            "bidPrice": f"{price:.{digits}f}",
            "bidQty": quantity,
            "askPrice": f"{price + float(spec.tick):.{digits}f}",
            "askQty": quantity,
            "time": now,
            "lastUpdateId": now,
        }

    def last(self, spec: SymbolSpec, now: int) -> Answer:
        """:return: the last price"""
        price = self._market.price(spec.symbol, now)
        return {
            "symbol": spec.id_on("binance"),
            "price": f"{price:.{spec.tick_digits}f}",
            "time": now,
        }

    def premium(self, spec: SymbolSpec, now: int) -> Answer:
        """:return: mark price and funding"""
        text = f"{self._market.price(spec.symbol, now):.{spec.tick_digits}f}"
        return {
            "symbol": spec.id_on("binance"),
            "markPrice": text,
            "indexPrice": text,
            "estimatedSettlePrice": text,
            "lastFundingRate": FUNDING_RATE,
            "interestRate": FUNDING_RATE,
            "nextFundingTime": (now // FUNDING_MS + 1) * FUNDING_MS,
            "time": now,
        }

    def open_interest(self, spec: SymbolSpec, now: int) -> Answer:
        """:return: an invented, constant open interest"""
        amount = plain(round(spec.median_usd * 50_000 / spec.price, spec.step_digits))
        return {"symbol": spec.id_on("binance"), "openInterest": amount, "time": now}


def _level_quantity(spec: SymbolSpec, price: float) -> str:
    return plain(max(round(LEVEL_USD / price, spec.step_digits), float(spec.step)))
