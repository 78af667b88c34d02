"""The loopback exchange: one port for REST and websockets of all venues."""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Self

from aiohttp import web
from aiohttp.typedefs import Middleware

from liq_provider.errors import UsageError
from liq_provider.simulator import HOST, stand_in_model, urls
from liq_provider.simulator.control import OrderRequest, control_routes, foreign
from liq_provider.simulator.faults import Fault, FaultKind, Faults
from liq_provider.simulator.feeds import FeedHub
from liq_provider.simulator.market import SimulatedMarket
from liq_provider.simulator.orders import Order
from liq_provider.simulator.request_weights import RequestWeights
from liq_provider.simulator.rest_binance import BinanceRest
from liq_provider.simulator.rest_venues import venue_routes
from liq_provider.simulator.sockets import Sockets
from liq_provider.simulator.symbols import SymbolSpec
from liq_provider.venues import VENUES

logger = logging.getLogger(__name__)

SHUTDOWN_S = 1.0
MAX_BODY = 16 * 1024 * 1024

_Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Simulator:
    """
    Serves one market; in tests as ``async with Simulator(world) as sim``.
    """

    def __init__(
        self, market: SimulatedMarket, port: int = 0, clock: Callable[[], float] = time.time
    ) -> None:
        """
        :param port: 0 for any free port
        :param clock: seconds since the epoch; what "now" is for prices and feeds
        """
        self.market = market
        self.port = port
        self.unknown: Counter[str] = Counter()
        self._clock = clock
        self._faults = Faults(self.now_ms)
        self._hub = FeedHub(market, self._faults, self.now_ms)
        self._binance = BinanceRest(market, self.now_ms)
        self._runner: web.AppRunner | None = None
        self._publisher: asyncio.Task[None] | None = None

    def now_ms(self) -> int:
        """:return: the simulator's time in milliseconds"""
        return int(self._clock() * 1000)

    # -- addresses ------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """:return: base address, such as ``http://127.0.0.1:18900``"""
        return f"http://{HOST}:{self.port}"

    def ws_url(self, venue: str) -> str:
        """:return: address of a venue's liquidation websocket"""
        return urls.ws_url(self.url, venue)

    def rest_url(self, venue: str) -> str:
        """:return: base address of a venue's REST"""
        return urls.rest_url(self.url, venue)

    def ccxt_urls(self, venue: str) -> dict[str, str]:
        """:return: the value of ccxt's ``urls["api"]``"""
        return urls.ccxt_urls(self.url, venue)

    @property
    def weights(self) -> RequestWeights:
        """:return: what Binance's REST was asked for, and how much of that was too much"""
        return self._binance.weights

    # -- operations -----------------------------------------------------------------------

    def fault(
        self,
        venue: str,
        kind: FaultKind,
        seconds: float = 0.0,
        status: int = 451,
        delay_s: float = 0.0,
    ) -> None:
        """
        Begin a fault, see ``faults.Fault``.

        :param seconds: how long it lasts; 0 makes sense only for a single disconnection
        :raises ValueError: if venue, kind, status or delay are impossible
        """
        until_ms = self.now_ms() + round(seconds * 1000)
        self._faults.add(Fault(venue, kind, until_ms, status, delay_s))
        if kind in ("disconnect", "refuse"):
            self._hub.drop(venue)
        logger.info("fault: %s %s for %g s", venue, kind, seconds)

    def clear_faults(self) -> None:
        """End all faults."""
        self._faults.clear()

    def liquidate(self, requests: Iterable[OrderRequest]) -> int:
        """
        Publish liquidations now, on top of the market's own.

        :return: how many
        :raises ValueError: if a symbol is not listed; then none is published
        """
        now = self.now_ms()
        orders = [self._order(request, now) for request in requests]
        for order in orders:
            self.market.inject(order)
        return len(orders)

    def _order(self, request: OrderRequest, now: int) -> Order:
        spec = self._spec(request.symbol)
        price = request.price or self.market.price(spec.symbol, now)
        quantity = request.quantity
        if quantity is None:
            quantity = max(
                round((request.notional_usd or 0.0) / price, spec.step_digits), float(spec.step)
            )
        event_ms = now if request.event_ms is None else request.event_ms
        return Order(
            request.venue, spec.symbol, request.position_side, quantity, price, event_ms, now
        )

    def set_price(
        self,
        symbol: str,
        to_price: float | None = None,
        to_pct: float | None = None,
        over_s: float = 0.0,
    ) -> float:
        """
        Move a price from now on, on top of noise and script.

        :param to_price: new price; or ``to_pct``, a change in percent
        :param over_s: how long it takes, in seconds; 0 is a gap
        :return: the price that it moves to
        :raises ValueError: if the symbol is not listed or no target is given
        """
        spec = self._spec(symbol)
        now = self.now_ms()
        if to_price is None:
            if to_pct is None:
                raise ValueError("give either to_price or to_pct")
            to_price = self.market.price(spec.symbol, now) * (1 + to_pct / 100)
        self.market.move(spec.symbol, now, over_s, to_price)
        logger.info("%s moves to %g over %g s", spec.symbol, to_price, over_s)
        return to_price

    def _spec(self, symbol: str) -> SymbolSpec:
        spec = self.market.symbols.get(symbol)
        if spec is None:
            raise ValueError(f"symbol: {symbol!r} is not listed here")
        return spec

    def state(self) -> dict[str, object]:
        """:return: what ``GET /sim/state`` answers"""
        now = self.now_ms()
        clients = Counter(client.name for client in self._hub.clients)
        return {
            **self.market.describe(now),
            "now_ms": now,
            "clients": dict(clients),
            "frames_sent": dict(self._hub.sent),
            "faults": [
                {"venue": f.venue, "kind": f.kind, "seconds_left": (f.until_ms - now) / 1000}
                for f in self._faults.active()
            ],
            "unknown_requests": dict(self.unknown),
            "request_weight": self.weights.state(),
        }

    # -- life -----------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._middleware()], client_max_size=MAX_BODY)
        sockets = Sockets(self.market, self._hub, self._faults, self.now_ms)
        app.add_routes(control_routes(self))
        app.add_routes(sockets.routes())
        app.add_routes(self._binance.routes())
        app.add_routes(venue_routes(self.market, self.now_ms))
        app.add_routes(stand_in_model.routes(self.now_ms))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise UsageError(
                f"simulator: cannot listen on {HOST}:{self.port} ({error.strerror}); "
                "choose another port"
            ) from error
        self.port = self._runner.addresses[0][1]
        self._publisher = asyncio.create_task(self._hub.run())
        logger.info("%s; serving on %s", self.market.banner, self.url)
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._publisher is not None:
            self._publisher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._publisher
        for client in list(self._hub.clients):
            client.abort()
        if self._runner is not None:
            await self._runner.cleanup()

    async def wait(self) -> None:
        """Serve until cancelled; an error of the publisher ends it."""
        if self._publisher is not None:
            await asyncio.shield(self._publisher)

    def _middleware(self) -> Middleware:
        @web.middleware
        async def middleware(request: web.Request, handler: _Next) -> web.StreamResponse:
            wrong = foreign(request.headers.get("Host", ""), request.headers.get("Origin"))
            if wrong is not None:
                return web.Response(status=403, text=wrong)
            venue = _asked_of(request.path)
            fault = self._faults.get(venue, "http_error") if venue is not None else None
            if fault is not None:
                return web.Response(status=fault.status, text="simulated fault")
            try:
                return await handler(request)
            except web.HTTPNotFound:
                if not self.unknown[request.path]:
                    logger.warning("not simulated: %s %s", request.method, request.path)
                self.unknown[request.path] += 1
                raise

        return middleware


def _asked_of(path: str) -> str | None:
    """:return: whose REST API this is, None if nobody's"""
    for name, venue in VENUES.items():
        own = venue.dialect.rest_prefix
        if own and path.startswith(venue.dialect.prefix + own):
            return name
    return None
