"""
A hundred waves in one minute, each of a coin with candles and news of its own, before a model
that takes three seconds: is everything judged, and does anything else wait for it?
"""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import cycle
from pathlib import Path
from typing import Any

from aiohttp import web

from liq_provider.config.settings import load_settings
from liq_provider.core.doubts import Doubts
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.core.one_thread import OneThread
from liq_provider.exchange.bot_exchange import BotExchange
from liq_provider.exchange.wave_candles import WaveCandles
from liq_provider.judge.case_source import CaseSource
from liq_provider.judge.model import ModelJudge
from liq_provider.judge.verdict_log import VerdictLog
from liq_provider.judge.wave_judge import WaveJudge
from liq_provider.measure.minute_results import Anomaly, Settled
from liq_provider.measure.waves import Strength
from liq_provider.news.desk import NewsDesk
from liq_provider.sidecar.ingest import Ingest
from liq_provider.sidecar.market_lists import spare_from_collection
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.stand_in_model import StandIn, well_behaved
from liq_provider.simulator.urls import ccxt_config
from liq_provider.simulator.world import World
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.spool import Spool
from liq_provider.store.writer import Writer

WAVES = 100
MODEL_S = 3.0
PAIR = "BTC/USDT:USDT"


async def slow(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    await asyncio.sleep(MODEL_S)
    return await well_behaved(request, body)


async def wire(request: web.Request) -> web.Response:
    """Three headlines for each coin."""
    when = format_datetime(datetime.now(UTC))
    items = "".join(
        f"<item><title>COIN{n} story {k} of a busy day</title><description>{'word ' * 40}"
        f"</description><pubDate>{when}</pubDate></item>"
        for n in range(WAVES)
        for k in range(3)
    )
    text = f'<rss version="2.0"><channel><title>Wire</title>{items}</channel></rss>'
    return web.Response(text=text, content_type="application/rss+xml")


@asynccontextmanager
async def news_wire() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/feed", wire)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/feed"
    await runner.cleanup()


async def lag(worst: list[float]) -> None:
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(0.005)
        worst.append(time.perf_counter() - begun - 0.005)


async def feed(ingest: Ingest, waits: list[float]) -> None:
    n = 0
    while True:
        now_ms = int(time.time() * 1000)
        item = Liquidation(
            "bybit", "BTCUSDT", PAIR, "BTC", "long", 100.0, 1.0 + n, 100.0, now_ms, now_ms
        )
        begun = time.perf_counter()
        ingest.put([item], 0)
        await ingest.flush()
        waits.append(time.perf_counter() - begun)
        n += 1
        await asyncio.sleep(0.05)


def waves(close_ms: int, pairs: Sequence[str]) -> Settled:
    waves = tuple(
        Anomaly(
            *(f"COIN{n}", close_ms, "SHORT", Strength.STRONG, 6.0 + n, 0.95),
            *(1e6, 9.5e5, 5e4, 30, close_ms),
        )
        for n in range(WAVES)
    )
    names = dict(zip((f.base_asset for f in waves), cycle(pairs), strict=False))
    return Settled(close_ms, waves, names, ("bybit",))


async def run(folder: Path, calls_per_minute: int) -> None:
    server_loop = ThreadPoolExecutor(1)
    ready: asyncio.Future[tuple[str, str, str, Any]] = asyncio.get_running_loop().create_future()
    main = asyncio.get_running_loop()

    def serve() -> None:
        async def both() -> None:
            # In a loop of their own, so that only the sidecar's is measured.
            world = World(int(time.time() * 1000), background=0.0, history_h=2)
            async with StandIn(handler=slow) as model, Simulator(world) as sim, news_wire() as feed:
                stop = asyncio.Event()
                loop = asyncio.get_running_loop()
                end = lambda: loop.call_soon_threadsafe(stop.set)  # noqa: E731
                main.call_soon_threadsafe(ready.set_result, (model.url, sim.url, feed, end))
                await stop.wait()

        asyncio.run(both())

    serving = main.run_in_executor(server_loop, serve)
    model_url, sim_url, feed_url, end = await ready
    section = {
        "llm": {"base_url": model_url, "budget": {"calls_per_minute": calls_per_minute}},
        "news": {"provider": "rss", "feeds": [feed_url]},
    }
    settings = load_settings({"liq_provider": section}, {})
    url = f"sqlite:///{folder / f'store-{calls_per_minute}.sqlite'}"
    writer, store, asking = Writer(open_engine(url)), OneThread("store"), ThreadPoolExecutor(8)

    close_ms = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS
    began_s = time.monotonic()

    def now_ms() -> int:
        """The minute was settled just now, wherever in a minute this runs."""
        return close_ms + 2_000 + round((time.monotonic() - began_s) * 1000)

    async def keep(row: dict[str, Any]) -> None:
        await asyncio.get_running_loop().run_in_executor(store, writer.put_model_call, row)

    model = ModelJudge(settings.llm, "1m", now_ms, keep)
    await main.run_in_executor(asking, model.prepare)
    exchange = BotExchange("binance", ccxt_config(sim_url, "binance"))
    pairs = list((await main.run_in_executor(asking, exchange.pairs_by_coin)).values())
    desk = NewsDesk(settings.news, now_ms)
    candles = WaveCandles(exchange, "1m", MINUTE_MS, settings.trend_candles + 1, asking, asking)
    log = VerdictLog(writer, store, now_ms)
    cases = CaseSource(candles, desk, settings)
    judge = WaveJudge(model, log, cases, settings, now_ms)
    delays: list[float] = []
    waits: list[float] = []
    ingest = Ingest(writer, store, Spool(folder / "spool"), Doubts(settings.settle_ms))
    spare_from_collection()  # as the sidecar does once its market lists are loaded
    watching = [asyncio.create_task(lag(delays)), asyncio.create_task(feed(ingest, waits))]
    begun = time.perf_counter()
    await judge.judge(waves(close_ms, pairs))
    took = time.perf_counter() - begun
    for task in watching:
        task.cancel()
    rows = Reader(url).verdicts(0, 2**62)
    print(
        f"calls_per_minute {calls_per_minute}, {len(pairs)} pairs, {desk.stats.items} headlines: "
        f"{len(rows)} verdicts of {WAVES} waves in "
        f"{took:.1f} s {dict(Counter(row['judge'] for row in rows))}; "
        f"event loop at most {max(delays) * 1000:.0f} ms late; "
        f"{len(waits)} liquidations stored, each within {max(waits) * 1000:.0f} ms"
    )
    await model.close()
    end()
    await serving
    for executor in (store, asking, server_loop):
        executor.shutdown()
    writer.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for limit in (200, 60):
            asyncio.run(run(Path(folder), limit))


if __name__ == "__main__":
    main()
