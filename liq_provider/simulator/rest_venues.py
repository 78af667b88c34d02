"""What the venues' files answer by REST: market lists and histories, as far as anybody asks."""

from collections.abc import Awaitable, Callable

import orjson
from aiohttp import web

from liq_provider.simulator.market import SimulatedMarket
from liq_provider.simulator.played import Played
from liq_provider.venues import VENUES
from liq_provider.venues.dialect import PlayedVenue, Query, RefusedQuery

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def venue_routes(market: SimulatedMarket, now_ms: Callable[[], int]) -> list[web.RouteDef]:
    """:return: routes for an aiohttp application"""
    return [
        web.get(venue.dialect.prefix + path, _answered(answer, Played(name, market, now_ms)))
        for name, venue in VENUES.items()
        for path, answer in venue.dialect.rest.items()
    ]


def _answered(answer: Callable[[PlayedVenue, Query], object], played: Played) -> _Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        status = 200
        try:
            value = answer(played, {**request.query, **request.match_info})
        except RefusedQuery as refused:
            status, value = refused.status, refused.body
        return web.Response(
            status=status, body=orjson.dumps(value), content_type="application/json"
        )

    return handler
