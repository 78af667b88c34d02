"""
Liquidations a second from a websocket on loopback into SQLite, beside what SQLite itself does.

A process of its own sends Bybit's frames as fast as they are taken; ``Feed``, ``Ingest`` and
``Writer`` are the sidecar's own, wired as it wires them. The baseline inserts the same rows with
``sqlite3`` and nothing else.

    python benchmarks/ingest.py [--count 200000] [--per-frame 5]
"""

import argparse
import asyncio
import multiprocessing
import random
import resource
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from pathlib import Path

import orjson
from websockets.asyncio.server import ServerConnection, serve

from liq_provider.core.clock import ExchangeClock
from liq_provider.core.coverage import CoverageTracker
from liq_provider.core.doubts import Doubts
from liq_provider.core.markets import Market, MarketTable
from liq_provider.core.one_thread import OneThread
from liq_provider.sidecar.ingest import Ingest
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.spool import Spool
from liq_provider.store.writer import Writer
from liq_provider.stream import Feed, SilenceJudge
from liq_provider.venues import VENUES

SETTLE_MS = 3_000
COINS = [f"C{n}" for n in range(400)]


def frames(count: int, per_frame: int) -> list[bytes]:
    """Distinct orders, spread over 400 markets, ``per_frame`` to a message."""
    rng = random.Random(1)  # noqa: S311
    now_ms = time.time_ns() // 1_000_000
    made = []
    for start in range(0, count, per_frame):
        symbol = f"{COINS[(start // per_frame) % len(COINS)]}USDT"
        data = [
            {
                "T": now_ms + n // 50,
                "s": symbol,
                "S": rng.choice(("Buy", "Sell")),
                "v": f"{n + 1}",
                "p": f"{rng.uniform(1, 2):.4f}",
            }
            for n in range(start, min(start + per_frame, count))
        ]
        frame = {
            "topic": f"allLiquidation.{symbol}",
            "type": "snapshot",
            "ts": now_ms,
            "data": data,
        }
        made.append(orjson.dumps(frame))
    return made


def exchange(count: int, per_frame: int, port: Connection) -> None:
    """The other side: acknowledges the subscription, then sends everything."""

    async def talk(client: ServerConnection) -> None:
        await client.recv()
        await client.send('{"success":true,"op":"subscribe"}')
        await asyncio.sleep(0.5)
        for frame in frames(count, per_frame):
            await client.send(frame, text=True)
        with suppress(Exception):
            await client.wait_closed()

    async def run() -> None:
        async with serve(talk, "127.0.0.1", 0, compression=None) as server:
            port.send(next(iter(server.sockets)).getsockname()[1])
            await server.serve_forever()

    asyncio.run(run())


async def measure(url: str, path: Path, count: int) -> tuple[float, float, int]:
    """:return: liquidations a second of wall time, of CPU time, and how many were lost"""
    clock = ExchangeClock()
    doubts = Doubts(SETTLE_MS)
    tracker = CoverageTracker("bybit", SETTLE_MS)
    table = MarketTable("bybit", [Market("bybit", f"{c}USDT", f"{c}/USDT:USDT", c) for c in COINS])
    writer = Writer(open_engine(f"sqlite:///{path}"))
    with OneThread("store") as executor:
        ingest = Ingest(writer, executor, Spool(path.with_suffix(".spool")), doubts)
        feed = Feed(
            *(VENUES["bybit"], url, table, clock.now_ms, ingest.put, tracker, doubts),
            SilenceJudge(),
        )
        tasks = [asyncio.create_task(work) for work in (feed.run(), ingest.run())]
        while not feed.status().liquidations:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        while ingest.stats.stored + ingest.stats.duplicates + ingest.stats.lost < count:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    writer.close()
    return count / wall_s, count / cpu_s, count - ingest.stats.stored


def baseline(source: Path, path: Path) -> float:
    """:return: rows a second with nothing but ``sqlite3.executemany``, 5,000 to a commit"""
    with closing(sqlite3.connect(source)) as filled:
        rows = filled.execute("SELECT * FROM orders").fetchall()
        (schema,) = filled.execute("SELECT sql FROM sqlite_master WHERE name = 'orders'").fetchone()
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("PRAGMA journal_mode=WAL")
        plain.execute("PRAGMA synchronous=NORMAL")
        plain.execute(schema)
        marks = ",".join("?" * len(rows[0]))
        start_s = time.perf_counter()
        for first in range(0, len(rows), 5_000):
            plain.executemany(
                f"INSERT INTO orders VALUES ({marks})",  # noqa: S608
                rows[first : first + 5_000],
            )
            plain.commit()
        return len(rows) / (time.perf_counter() - start_s)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--per-frame", type=int, default=5)
    arguments = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    other = context.Process(
        target=exchange, args=(arguments.count, arguments.per_frame, theirs), daemon=True
    )
    other.start()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "store.sqlite"
        url = f"ws://127.0.0.1:{ours.recv()}"
        wall, cpu, lost = asyncio.run(measure(url, path, arguments.count))
        stored = Reader(f"sqlite:///{path}").count("liquidations")
        plain = baseline(path, Path(directory) / "plain.sqlite")
    other.terminate()
    other.join()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{arguments.count:,} liquidations, {arguments.per_frame} to a frame")
    print(f"socket to disk   {wall:>10,.0f} /s of wall time")
    print(f"                 {cpu:>10,.0f} /s of CPU time of all threads")
    print(f"sqlite3 alone    {plain:>10,.0f} /s (inserts only, rows ready in memory)")
    print(f"stored {stored:,}, missing {lost:,}; peak memory {peak_mb:,.0f} MB")


if __name__ == "__main__":
    main()
