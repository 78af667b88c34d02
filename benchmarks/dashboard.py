"""
Ten viewers of a market of 600 pairs in which 500 positions are liquidated a second: what does
an update cost, and does storing wait for it?
"""

import asyncio
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil

from liq_provider.config.settings import load_settings
from liq_provider.core.coverage import Interval
from liq_provider.core.doubts import Doubts
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.core.one_thread import OneThread
from liq_provider.dashboard.page_server import Dashboard
from liq_provider.exchange.bot_exchange import BotExchange
from liq_provider.sidecar.ingest import Ingest
from liq_provider.sidecar.running_minute import RunningMinute
from liq_provider.sidecar.settle_minute import Settler
from liq_provider.sidecar.settling_schedule import next_close
from liq_provider.store.database import open_engine
from liq_provider.store.keys import Keys
from liq_provider.store.numbered_rows import put_minutes
from liq_provider.store.reader import Reader
from liq_provider.store.spool import Spool
from liq_provider.store.writer import Writer

PAIRS, PER_SECOND, VIEWERS, SECONDS = 600, 500, 10, 20
VENUES = ("binance", "bybit", "okx")

# In a process of their own, as browsers are: read the stream, count updates and bytes.
VIEWER = """
import asyncio, sys, aiohttp
async def view(session, url, seconds):
    updates = size = 0
    async with session.get(url) as answer:
        try:
            async with asyncio.timeout(seconds):
                async for line in answer.content:
                    updates += line.startswith(b"event: market")
                    size += len(line)
        except TimeoutError:
            pass
    return updates, size
async def main():
    limits = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=limits, read_bufsize=2**22) as session:
        url, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
        streams = await asyncio.gather(*(view(session, url, seconds) for _ in range(count)))
    print(sum(n for n, _ in streams), sum(s for _, s in streams))
asyncio.run(main())
"""


def remember(writer: Writer, close_ms: int) -> int:
    """A day of minutes in which every coin has something in one of five."""
    rng = np.random.default_rng(1)
    start_ms = close_ms - 1_500 * MINUTE_MS
    rows = []
    for n in range(PAIRS):
        for minute in np.flatnonzero(rng.random(1_498) < 0.2):
            usd = float(rng.lognormal(7, 1.5))
            rows.append(
                {
                    "base_asset": f"C{n}",
                    "minute_ms": start_ms + int(minute) * MINUTE_MS,
                    "venue": VENUES[n % 3],
                    "pair": f"C{n}/USDT:USDT",
                    "long_usd": usd,
                    "short_usd": usd / 3,
                    "filled": False,
                    "long_count": 2,
                    "short_count": 1,
                    "available_at": 0,
                }
            )
    with writer.engine.begin() as connection:
        put_minutes(connection, Keys(connection), rows)
    for venue in VENUES:
        writer.cover(venue, [Interval(start_ms, close_ms)], "import")
    return len(rows)


async def feed(ingest: Ingest, page: Dashboard, waits: list[float]) -> None:
    rng, ordinal, step_s = np.random.default_rng(2), 0, 0.05
    while True:
        now_ms = int(time.time() * 1000)
        items = []
        for _ in range(round(PER_SECOND * step_s)):
            ordinal += 1
            coin, usd = int(rng.integers(PAIRS)), float(rng.lognormal(8, 1.5))
            name = f"C{coin}"
            items.append(
                Liquidation(
                    *(VENUES[coin % 3], name, f"{name}/USDT:USDT", name, "long"),
                    *(100.0, usd / 100 + ordinal / 1e9, usd, now_ms, now_ms),
                )
            )
        begun = time.perf_counter()
        ingest.put(items, 0)
        page.take_liquidations(items)
        await ingest.flush()
        waits.append(time.perf_counter() - begun)
        await asyncio.sleep(max(0.0, step_s - (time.perf_counter() - begun)))


async def look(minute: RunningMinute, page: Dashboard, looking: ThreadPoolExecutor) -> None:
    loop = asyncio.get_running_loop()
    while True:
        begun, now_ms = time.monotonic(), int(time.time() * 1000)
        close_ms = next_close(now_ms)
        # Nothing is settled here; every look reads what a real one does.
        settled_ms = close_ms - MINUTE_MS
        waves = await loop.run_in_executor(looking, minute.look, close_ms, settled_ms, VENUES, {})
        page.take_running(waves)
        await asyncio.sleep(max(0.3, (time.monotonic() - begun) * 5))


@contextmanager
def page_seconds(result: dict[str, float]) -> Iterator[None]:
    """Processor time of the page's threads."""

    def used() -> dict[str, float]:
        times = {t.id: t.user_time + t.system_time for t in psutil.Process().threads()}
        return {t.name: times.get(t.native_id or 0, 0.0) for t in threading.enumerate()}

    before = used()
    yield
    for name, seconds in used().items():
        result[name] = seconds - before.get(name, 0.0)


async def measure(viewers: int, page: Dashboard, waits: list[float]) -> SimpleNamespace:
    waits.clear()
    spent: dict[str, float] = {}
    with page_seconds(spent):
        output = b"0 0"
        if viewers:
            assert page.url is not None
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", VIEWER, f"{page.url}/api/stream"),
                *(str(viewers), str(SECONDS)),
                stdout=subprocess.PIPE,
            )
            output, _ = await process.communicate()
        else:
            await asyncio.sleep(SECONDS)
    updates, size = (int(value) for value in output.split())
    ordered = sorted(waits)
    return SimpleNamespace(
        updates=updates,
        size=size,
        web=spent.get("page", 0.0),
        board=spent.get("page store", 0.0),
        p50=ordered[len(ordered) // 2] * 1000,
        p99=ordered[int(len(ordered) * 0.99)] * 1000,
        rate=len(waits) * PER_SECOND * 0.05 / SECONDS,
    )


async def run(folder: Path) -> None:
    settings = load_settings(
        {"liq_provider": {"dashboard": {"port": 0}, "venues": {"gate": {"enabled": False}}}}, {}
    )
    url = f"sqlite:///{folder / 'store.sqlite'}"
    writer = Writer(open_engine(url))
    close_ms = next_close(int(time.time() * 1000))
    rows = remember(writer, close_ms)
    reader = Reader(url)
    Settler(writer, reader, settings).compute(close_ms - 2 * MINUTE_MS, 0)
    store, looking = OneThread("store"), ThreadPoolExecutor(1)
    ingest = Ingest(writer, store, Spool(folder / "spool"), Doubts(settings.settle_ms))
    page = Dashboard(
        *(settings, url, folder, None, BotExchange("binance"), "1m"),
        lambda: int(time.time() * 1000),
        dict,
    )
    await page.start()
    waits: list[float] = []
    page.take_status({"feeds": {}, "skew_ms": 0})
    minute = RunningMinute(reader, settings)
    working = [
        asyncio.create_task(feed(ingest, page, waits)),
        asyncio.create_task(look(minute, page, looking)),
    ]
    await asyncio.sleep(8)
    alone = await measure(0, page, waits)
    seen = await measure(VIEWERS, page, waits)
    each = seen.updates / VIEWERS
    print(
        f"{PAIRS} pairs, {rows:,} minutes of the past, {seen.rate:.0f} liquidations a second; "
        f"{VIEWERS} viewers, {each / SECONDS:.1f} updates of the market a second each, "
        f"{seen.size / VIEWERS / SECONDS / 1e3:.0f} kB/s each"
    )
    per_update = (seen.board + seen.web) / max(1, seen.updates) * 1000
    print(
        f"server work per update per viewer: {per_update:.1f} ms "
        f"(sending {seen.web / max(1, seen.updates) * 1000:.1f} ms; making it, once for all, "
        f"{seen.board / max(1.0, each) * 1000:.0f} ms)"
    )
    print(
        f"storing a batch: median {alone.p50:.1f} ms without viewers, {seen.p50:.1f} ms with "
        f"(ratio {seen.p50 / alone.p50:.2f}); 99th percentile {alone.p99:.0f} and "
        f"{seen.p99:.0f} ms (ratio {seen.p99 / alone.p99:.2f}); stored a second "
        f"{alone.rate:.0f} and {seen.rate:.0f}"
    )
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    await page.close()
    store.shutdown()
    looking.shutdown()
    writer.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


if __name__ == "__main__":
    main()
