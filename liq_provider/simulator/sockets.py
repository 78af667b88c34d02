"""The websockets of all venues: who comes in, and the conversation that each venue's file has."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiohttp import WSMsgType, web

from liq_provider.simulator.faults import Faults
from liq_provider.simulator.feeds import Client, FeedHub
from liq_provider.simulator.market import SimulatedMarket
from liq_provider.simulator.played import Played
from liq_provider.venues import VENUES
from liq_provider.venues.dialect import Ping, SocketPath

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def socket_paths_of(venue: str) -> tuple[SocketPath, ...]:
    """:return: the websocket addresses of a venue"""
    return VENUES[venue].socket_paths


class Sockets:
    """Websocket routes of all venues."""

    def __init__(
        self, market: SimulatedMarket, hub: FeedHub, faults: Faults, now_ms: Callable[[], int]
    ) -> None:
        self._hub = hub
        self._faults = faults
        self._played = {name: Played(name, market, now_ms) for name in VENUES}

    def routes(self) -> list[web.RouteDef]:
        """:return: routes for an aiohttp application"""
        return [
            web.get(VENUES[name].dialect.prefix + place.path, self._behind(name, place))
            for name in VENUES
            for place in socket_paths_of(name)
        ]

    def _behind(self, venue: str, place: SocketPath) -> _Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            return await self._serve(request, venue, place)

        return handler

    async def _serve(
        self, request: web.Request, venue: str, place: SocketPath
    ) -> web.StreamResponse:
        status = self._faults.refusal(venue)
        if status is not None:
            return web.Response(status=status, text="simulated fault")
        # Compression would cost more than the loopback traffic it saves.
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        client = Client(venue, socket, self._played[venue], place.wrap, place.dead)
        client.transport = request.transport
        client.topics.update(place.topics({**request.query, **request.match_info}))
        self._hub.clients.add(client)
        tasks = [asyncio.create_task(client.send_queued())]
        ping = VENUES[venue].dialect.ping
        if ping is not None:
            tasks.append(asyncio.create_task(_keep_asking(client, ping)))
        try:
            await _converse(client)
        finally:
            self._hub.clients.discard(client)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return socket


async def _keep_asking(client: Client, ping: Ping) -> None:
    """Ask whether a client is there; one that says nothing is cut off."""
    while True:
        client.put(ping.frame(client.venue.now_ms()))
        await asyncio.sleep(ping.every_s)
        if time.monotonic() - client.heard_s > ping.patience_s:
            client.abort()


async def _converse(client: Client) -> None:
    """Answer a client's messages until it goes, or is idle for too long."""
    dialect = VENUES[client.name].dialect
    while True:
        sent = client.sent
        try:
            message = await client.socket.receive(timeout=dialect.idle_s)
        except TimeoutError:
            if client.sent == sent:
                await client.socket.close(code=4004, message=b"No data received in 30s")
                return
            continue
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return
        client.heard_s = time.monotonic()
        for reply in dialect.answer(client, message.data):
            client.put(reply)
