"""
A stand-in for a language model on loopback, with the protocol of OpenAI's chat completions.

It is no AI: it counts a few words in headlines and then follows the decision table. It lets
demo and tests run the whole path without a key, and says in every note what it is.
"""

import json
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Self

from aiohttp import web

from liq_provider.config.simulated_marks import STAND_IN
from liq_provider.measure.scales import EVERY_SCORE, score_words
from liq_provider.simulator import HOST

MODEL = STAND_IN
FEED_PATH = "/news/feed.xml"

_HEADLINES = (
    ("wire", "Ethereum upgrade approved by all clients"),
    ("paper", "Developers agree on a date: Ethereum will upgrade in spring"),
    ("wire", "Bitcoin trades sideways, analysts disagree"),
    ("wire", "Avalanche outage halts bridge"),
)

_GOOD = re.compile(r"\b(approv|surg|partnership|adopt|upgrade|listing|record high)\w*", re.I)
_BAD = re.compile(r"\b(hack|exploit|lawsuit|insolven|delist|halt|outage|ban)\w*", re.I)

Handler = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


class StandIn:
    """
    In tests as ``async with StandIn() as server``.

    :param handler: answers instead of ``well_behaved``
    :param models: that it lists
    """

    def __init__(
        self,
        handler: Handler | None = None,
        models: Sequence[dict[str, Any]] = ({"id": MODEL, "object": "model"},),
    ) -> None:
        self.port = 0
        self.handler: Handler = handler or well_behaved
        self.models = list(models)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """:return: value of ``llm.base_url``"""
        return f"http://{HOST}:{self.port}/v1"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/v1/models", self._list)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _list(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"object": "list", "data": self.models})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        return await self.handler(request, body)


async def well_behaved(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """:return: the stand-in's verdict"""
    return web.json_response(completion(json.dumps(verdict(asked(body)))))


def asked(body: dict[str, Any]) -> dict[str, Any]:
    """:return: the data between the markers of a prompt"""
    text = body["messages"][-1]["content"]
    return dict(json.loads("\n".join(text.splitlines()[1:-1])))


def completion(text: str | None, finish_reason: str = "stop", **message: Any) -> dict[str, Any]:
    """:return: an answer of the protocol"""
    return {
        "id": "chatcmpl-standin",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": text, **message},
            }
        ],
        "usage": {"prompt_tokens": 900, "completion_tokens": 120, "total_tokens": 1_020},
    }


def _score(liquidations: dict[str, Any]) -> str:
    """In words, whichever is thresholded: the question calls the classic one ``z``."""
    zscore = next((name for name in EVERY_SCORE if name in liquidations), EVERY_SCORE[0])
    return score_words(zscore, liquidations["z" if zscore == "classic" else zscore])


def verdict(data: dict[str, Any]) -> dict[str, str]:
    """:return: by the decision table, with news read by a few words"""
    strong = data["liquidations"]["strength"] == "strong"
    aligned = data["candles"]["aligned"] == "yes"
    news = _read(data["news"], data["direction"])
    action, confidence = "skip", "low"
    if news == "supports":
        if aligned:
            action, confidence = "enter", "high" if strong else "medium"
        elif strong:
            action = "hold"
    elif news == "none" and aligned and strong:
        action, confidence = "enter", "medium"
    return {
        "symbol": data["symbol"],
        "direction": data["direction"],
        "liq_note": (
            f"{data['liquidations']['strength']}: {_score(data['liquidations'])}, "
            f"purity {data['liquidations']['purity']:.0%}, "
            f"${data['liquidations']['notional_usd']:,.0f} in "
            f"{data['liquidations']['count']} liquidations"
        ),
        "trend_note": f"candles {data['candles']['trend']}, aligned {data['candles']['aligned']}",
        "news_note": f"stand-in: news {news}",
        "news": news,
        "action": action,
        "confidence": confidence,
        "action_reason": (
            f"stand-in, not an AI: {data['liquidations']['strength']} wave, candles "
            f"{'agree' if aligned else 'do not agree'}, news {news}"
        ),
    }


def _read(news: Any, direction: str) -> str:
    if not isinstance(news, list):
        return "none"
    text = " ".join(f"{item['title']} {item['summary']}" for item in news)
    mood = len(_GOOD.findall(text)) - len(_BAD.findall(text))
    if mood == 0:
        return "none"
    return "supports" if (mood > 0) == (direction == "LONG") else "contradicts"


def routes(now_ms: Callable[[], int]) -> list[web.RouteDef]:
    """:return: the stand-in and a feed of synthetic headlines, for the simulated exchange"""

    async def complete(request: web.Request) -> web.StreamResponse:
        return await well_behaved(request, await request.json())

    async def models(request: web.Request) -> web.StreamResponse:
        return web.json_response({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    async def feed(request: web.Request) -> web.StreamResponse:
        when = format_datetime(datetime.fromtimestamp(now_ms() / 1000 - 1_200, UTC))
        items = "".join(
            f"<item><title>SYNTHETIC: {title}</title><pubDate>{when}</pubDate>"
            f"<link>https://synthetic-{source}.example/{number}</link></item>"
            for number, (source, title) in enumerate(_HEADLINES)
        )
        text = f'<rss version="2.0"><channel><title>SYNTHETIC wire</title>{items}</channel></rss>'
        return web.Response(text=text, content_type="application/rss+xml")

    return [
        web.post("/v1/chat/completions", complete),
        web.get("/v1/models", models),
        web.get(FEED_PATH, feed),
    ]
