"""Binance USD-M public REST, as far as ``freqtrade trade`` and ccxt ask for it."""

from collections.abc import Awaitable, Callable

import orjson
from aiohttp import web

from liq_provider.core.durations import DAY_MS, HOUR_MS, MINUTE_MS
from liq_provider.simulator.binance_listing import symbol_info
from liq_provider.simulator.candle_rows import CandleRows
from liq_provider.simulator.market import SimulatedMarket
from liq_provider.simulator.quotes import FUNDING_MS, FUNDING_RATE, Quotes
from liq_provider.simulator.request_weights import MINUTE_LIMIT, RequestWeights
from liq_provider.simulator.symbols import SymbolSpec

PREFIXES = ("/fapi/v1", "/fapi/v2", "/fapi/v3")
SPOT_PREFIX = "/api/v3"
TIMEFRAMES_MS = {
    name: int(name[:-1]) * {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}[name[-1]]
    for name in ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d")
}

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BadSymbol(Exception):
    """The request names a symbol that is not listed."""


class BinanceRest:
    """Binance's answers about one market."""

    def __init__(self, market: SimulatedMarket, now_ms: Callable[[], int]) -> None:
        self._market = market
        self._now_ms = now_ms
        self._quotes = Quotes(market)
        self._rows = CandleRows(market)
        self.weights = RequestWeights(now_ms)

    def routes(self) -> list[web.RouteDef]:
        """:return: routes for an aiohttp application"""
        quotes = self._quotes
        answers: dict[str, Callable[[web.Request], object]] = {
            "ping": lambda _: {},
            "time": lambda _: {"serverTime": self._now_ms()},
            "exchangeInfo": self._exchange_info,
            "klines": self._klines,
            "markPriceKlines": self._mark_klines,
            "indexPriceKlines": self._mark_klines,
            "continuousKlines": self._klines,
            "premiumIndexKlines": lambda _: [],
            "depth": self._depth,
            "ticker/24hr": lambda r: self._each(r, quotes.day),
            "ticker/bookTicker": lambda r: self._each(r, quotes.book_ticker),
            "ticker/price": lambda r: self._each(r, quotes.last),
            "premiumIndex": lambda r: self._each(r, quotes.premium),
            "fundingRate": self._funding,
            "fundingInfo": lambda _: [],
            "openInterest": lambda r: quotes.open_interest(self._spec(r), self._now_ms()),
        }
        paths = [f"{prefix}/{path}" for prefix in PREFIXES for path in answers]
        # ccxt asks the spot address for the time unless it was told of futures first.
        paths += [f"{SPOT_PREFIX}/ping", f"{SPOT_PREFIX}/time"]
        return [
            web.get(path, self._weighed(name, answers[name]))
            for path in paths
            for name in (path.split("/", 3)[3],)
        ]

    def _weighed(self, path: str, answer: Callable[[web.Request], object]) -> _Handler:
        """Answer as long as the minute's weight is not used up, and tell how much was."""

        async def handler(request: web.Request) -> web.StreamResponse:
            try:
                allowed = self.weights.charge(path, request.query)
                response = _answer(answer, request) if allowed else self._too_many(request)
            except ValueError as error:
                response = _error(-1102, f"Malformed parameter: {error}")
            response.headers["X-MBX-USED-WEIGHT-1M"] = str(self.weights.used)
            return response

        return handler

    def _too_many(self, request: web.Request) -> web.Response:
        response = _error(
            -1003,
            f"Too many requests; current limit of IP({request.remote}) is {MINUTE_LIMIT} requests "
            "per minute. Please use the websocket for live updates to avoid polling the API.",
            429,
        )
        response.headers["Retry-After"] = str(self.weights.retry_after_s)
        return response

    def _exchange_info(self, _: web.Request) -> object:
        specs = self._market.symbols.values()
        return {
            "timezone": "UTC",
            "serverTime": self._now_ms(),
            "futuresType": "U_MARGINED",
            "rateLimits": [
                {
                    "rateLimitType": "REQUEST_WEIGHT",
                    "interval": "MINUTE",
                    "intervalNum": 1,
                    "limit": MINUTE_LIMIT,
                }
            ],
            "exchangeFilters": [],
            "assets": [],
            "symbols": [symbol_info(spec) for spec in specs],
        }

    def _spec(self, request: web.Request) -> SymbolSpec:
        name = request.query.get("symbol") or request.query.get("pair") or ""
        spec = self._market.spec_of("binance", name)
        if spec is None:
            raise BadSymbol(name)
        return spec

    def _each(self, request: web.Request, describe: Callable[[SymbolSpec, int], object]) -> object:
        """One symbol if the request names one, else all, as Binance does."""
        now = self._now_ms()
        if "symbol" in request.query:
            return describe(self._spec(request), now)
        return [describe(spec, now) for spec in self._market.symbols.values()]

    def _klines(self, request: web.Request) -> object:
        return self._candle_rows(request, volumes=True)

    def _mark_klines(self, request: web.Request) -> object:
        return self._candle_rows(request, volumes=False)

    def _candle_rows(self, request: web.Request, volumes: bool) -> object:
        spec = self._spec(request)
        query = request.query
        span = TIMEFRAMES_MS.get(query.get("interval", ""))
        if span is None:
            return _error(-1120, "Invalid interval.")
        now = self._now_ms()
        limit = min(max(int(query.get("limit", 500)), 1), 1_500)
        until = min(int(query.get("endTime", now)), now)
        if "startTime" in query:
            # Before the listing Binance gives the first candles that there are.
            since = max(int(query["startTime"]), self._market.first_ms)
            since = -(-since // span) * span
            until = min(until, since + (limit - 1) * span)
        else:
            since = (until // span - limit + 1) * span
        body = self._rows.between(spec, span, since, until, now, volumes)
        return web.Response(body=body, content_type="application/json")

    def _depth(self, request: web.Request) -> object:
        levels = min(max(int(request.query.get("limit", 500)), 1), 100)
        return self._quotes.depth(self._spec(request), self._now_ms(), levels)

    def _funding(self, request: web.Request) -> object:
        spec = self._spec(request)
        now = self._now_ms()
        since = max(int(request.query.get("startTime", now - 7 * DAY_MS)), self._market.first_ms)
        until = min(int(request.query.get("endTime", now)), now)
        return [
            {
                "symbol": spec.id_on("binance"),
                "fundingTime": at,
                "fundingRate": FUNDING_RATE,
                "markPrice": f"{self._market.price(spec.symbol, at):.{spec.tick_digits}f}",
            }
            for at in range(-(-since // FUNDING_MS) * FUNDING_MS, until + 1, FUNDING_MS)
        ]


def _error(code: int, message: str, status: int = 400) -> web.Response:
    body = orjson.dumps({"code": code, "msg": message})
    return web.Response(body=body, status=status, content_type="application/json")


def _answer(answer: Callable[[web.Request], object], request: web.Request) -> web.Response:
    """:raises ValueError: a parameter is malformed"""
    try:
        value = answer(request)
    except BadSymbol:
        return _error(-1121, "Invalid symbol.")
    if isinstance(value, web.Response):
        return value
    return web.Response(body=orjson.dumps(value), content_type="application/json")
