"""The conversation on each venue's websocket: subscriptions, acknowledgements, heartbeats."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

import orjson
from aiohttp import WSMsgType, web

from liq_provider.core.durations import HOUR_MS
from liq_provider.simulator.dialects import DIALECTS, bucket_frames
from liq_provider.simulator.faults import Faults
from liq_provider.simulator.feeds import Client, FeedHub
from liq_provider.simulator.market import SimulatedMarket

BYBIT_ARGS_LIMIT = 21_000
OKX_IDLE_S = 30.0
OKX_SNAPSHOT_BACK_MS = HOUR_MS

Answer = Callable[[Client, str], str | None]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Sockets:
    """Websocket routes of all venues."""

    def __init__(
        self, market: SimulatedMarket, hub: FeedHub, faults: Faults, now_ms: Callable[[], int]
    ) -> None:
        self._market = market
        self._hub = hub
        self._faults = faults
        self._now_ms = now_ms

    def routes(self) -> list[web.RouteDef]:
        """:return: routes for an aiohttp application"""
        return [
            web.get("/market/ws/{streams}", self._binance_bare),
            web.get("/market/stream", self._binance_wrapped),
            web.get("/ws/v5/public", self._okx),
            web.get("/ws/{streams}", self._binance_dead),
            web.get("/stream", self._binance_dead),
            web.get("/v5/public/linear", self._bybit),
            web.get("/v4/ws/usdt", self._gate),
        ]

    async def _binance_bare(self, request: web.Request) -> web.StreamResponse:
        streams = unquote(request.match_info["streams"]).split("/")
        return await self._serve(request, "binance", _binance_answer, topics=streams)

    async def _binance_wrapped(self, request: web.Request) -> web.StreamResponse:
        streams = request.query.get("streams", "").split("/")
        wrap = DIALECTS["binance"].topic
        return await self._serve(request, "binance", _binance_answer, topics=streams, wrap=wrap)

    async def _binance_dead(self, request: web.Request) -> web.StreamResponse:
        """The address without ``/market``: connects, acknowledges, and never speaks."""
        return await self._serve(request, "binance", _binance_answer, dead=True)

    async def _bybit(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, "bybit", self._bybit_answer)

    async def _okx(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, "okx", self._okx_answer, idle_s=OKX_IDLE_S)

    async def _gate(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, "gate", _gate_answer)

    async def _serve(
        self,
        request: web.Request,
        venue: str,
        answer: Answer,
        *,
        topics: list[str] | None = None,
        wrap: str | None = None,
        dead: bool = False,
        idle_s: float | None = None,
    ) -> web.StreamResponse:
        status = self._faults.refusal(venue)
        if status is not None:
            return web.Response(status=status, text="simulated fault")
        # Compression would cost more than the loopback traffic it saves.
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        client = Client(venue, socket, wrap, dead)
        client.transport = request.transport
        client.topics.update(topics or ())
        self._hub.clients.add(client)
        sender = asyncio.create_task(client.send_queued())
        try:
            await _converse(client, answer, idle_s)
        finally:
            self._hub.clients.discard(client)
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender
        return socket

    def _bybit_answer(self, client: Client, text: str) -> str | None:
        message = _as_dict(text)
        op, req_id = message.get("op"), str(message.get("req_id", ""))
        if op == "ping":
            return _bybit_reply(client, "ping", req_id, "pong", True)
        args = message.get("args")
        if op not in ("subscribe", "unsubscribe") or not isinstance(args, list):
            return _bybit_reply(client, str(op), req_id, "error:invalid op", False)
        if len(orjson.dumps(args)) > BYBIT_ARGS_LIMIT:
            reason = f"error:args size exceeds {BYBIT_ARGS_LIMIT}"
            return _bybit_reply(client, op, req_id, reason, False)
        for topic in map(str, args):
            prefix, _, market_id = topic.partition(".")
            listed = self._market.spec_of("bybit", market_id) is not None
            if prefix != "allLiquidation" or not listed:
                # The real exchange refuses the whole request for one unknown topic.
                reason = f"error:handler not found,topic:{topic}"
                return _bybit_reply(client, op, req_id, reason, False)
        change = client.topics.update if op == "subscribe" else client.topics.difference_update
        change(map(str, args))
        return _bybit_reply(client, op, req_id, "", True)

    def _okx_answer(self, client: Client, text: str) -> str | None:
        if text == "ping":
            return "pong"
        message = _as_dict(text)
        op, args = message.get("op"), message.get("args")
        if op not in ("subscribe", "unsubscribe") or not isinstance(args, list):
            return _okx_error(client, "60012", f"Invalid request: {text[:200]}")
        for arg in args:
            channel = arg.get("channel") if isinstance(arg, dict) else None
            if channel != "liquidation-orders" or arg.get("instType") != "SWAP":
                return _okx_error(client, "60018", f"Wrong URL or channel:{channel} doesn't exist")
            client.put(_dumps({"event": op, "arg": arg, "connId": client.conn_id}))
            if op == "subscribe":
                client.topics.add(channel)
                self._put_snapshot(client)
            else:
                client.topics.discard(channel)
        return None

    def _put_snapshot(self, client: Client) -> None:
        """OKX's first message can be the last order from long before the subscription."""
        now = self._now_ms()
        orders = self._market.orders(now - OKX_SNAPSHOT_BACK_MS, now - 120_000)
        mine = [order for order in orders if order.venue == "okx"]
        if mine:
            for frame in bucket_frames("okx", 0, mine[-1:], self._market.symbols, False):
                client.put(frame.text)


async def _converse(client: Client, answer: Answer, idle_s: float | None) -> None:
    """Answer a client's messages until it goes, or is idle for too long."""
    while True:
        sent = client.sent
        try:
            message = await client.socket.receive(timeout=idle_s)
        except TimeoutError:
            if client.sent == sent:
                await client.socket.close(code=4004, message=b"No data received in 30s")
                return
            continue
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return
        text = (
            message.data if isinstance(message.data, str) else message.data.decode(errors="replace")
        )
        reply = answer(client, text)
        if reply is not None:
            client.put(reply)


def _binance_answer(client: Client, text: str) -> str | None:
    message = _as_dict(text)
    method, params = message.get("method"), message.get("params")
    if method in ("SUBSCRIBE", "UNSUBSCRIBE") and isinstance(params, list):
        change = client.topics.update if method == "SUBSCRIBE" else client.topics.difference_update
        change(map(str, params))
        return _dumps({"result": None, "id": message.get("id")})
    return _dumps({"error": {"code": 2, "msg": "Invalid request"}, "id": message.get("id")})


def _bybit_reply(client: Client, op: str, req_id: str, reason: str, success: bool) -> str:
    return _dumps(
        {
            "success": success,
            "ret_msg": reason,
            "conn_id": client.conn_id,
            "req_id": req_id,
            "op": op,
        }
    )


def _gate_answer(client: Client, text: str) -> str | None:
    message = _as_dict(text)
    channel, event = str(message.get("channel")), message.get("event")
    answer = {"time": message.get("time"), "channel": channel, "event": event, "error": None}
    if channel == "futures.ping":
        return _dumps(answer | {"channel": "futures.pong", "event": "", "result": None})
    if channel != DIALECTS["gate"].topic or message.get("payload") != ["!all"]:
        return _dumps(answer | {"error": {"code": 2, "message": "invalid argument"}})
    change = client.topics.add if event == "subscribe" else client.topics.discard
    change(channel)
    return _dumps(answer | {"result": {"status": "success"}})


def _okx_error(client: Client, code: str, reason: str) -> str:
    return _dumps({"event": "error", "code": code, "msg": reason, "connId": client.conn_id})


def _as_dict(text: str) -> dict[str, object]:
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return message if isinstance(message, dict) else {}


def _dumps(value: object) -> str:
    return orjson.dumps(value).decode()
