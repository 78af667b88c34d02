"""A connection behind which nobody answers any more, although the server would."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from liq_provider.core.doubts import Doubts
from liq_provider.core.one_thread import OneThread
from liq_provider.sidecar.ingest import Ingest
from liq_provider.store.database import open_engine
from liq_provider.store.opening import Opening
from liq_provider.store.reader import Reader
from liq_provider.store.spool import Spool
from liq_provider.store.writer import Writer
from tests.store.helpers import T0, order


class Proxy:
    """Between a client and its server; what it swallows is acknowledged and never arrives."""

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self._swallowed: list[asyncio.Event] = []
        self._serving: list[asyncio.Task[None]] = []

    def swallow(self) -> None:
        """From now on for all connections that are there; later ones work."""
        for event in self._swallowed:
            event.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        assert serving is not None
        self._serving.append(serving)
        swallowed = asyncio.Event()
        self._swallowed.append(swallowed)
        theirs, ours = await asyncio.open_connection(*self._server)

        async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                while some := await source.read(65_536):
                    if not swallowed.is_set():
                        target.write(some)
                        await target.drain()

        with suppress(asyncio.CancelledError):
            await asyncio.gather(pump(reader, ours), pump(theirs, writer))
        for end in (ours, writer):
            end.close()
            with suppress(ConnectionError):
                await end.wait_closed()

    async def close(self) -> None:
        """End all connections; nothing is left to the garbage collector."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    address = make_url(url)
    proxy = Proxy(address.host or "", address.port or 0)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield proxy, address.set(port=port).render_as_string(hide_password=False)
    finally:
        server.close()
        await proxy.close()


async def flushed(ingest: Ingest) -> bool:
    for _ in range(300):
        if await ingest.flush(patience_s=0):
            return True
        await asyncio.sleep(0.05)
    return False


async def test_what_hangs_for_long_is_broken_off_and_stored_through_a_new_connection(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxied(postgres_url) as (proxy, url):
        writer = Writer(open_engine(url), at_once=False)
        executor, spool = OneThread("store"), Spool(tmp_path / "spool")
        opening = Opening(writer, url)
        ingest = Ingest(
            *(writer, executor, spool, Doubts(2_000)), opening=opening, hang_up=writer.hang_up
        )
        ingest.put([order(T0)], 0)
        assert await flushed(ingest)
        # From now on: on a busy machine making the tables takes longer than that.
        monkeypatch.setattr("liq_provider.sidecar.ingest._OVERDUE_S", 0.2)
        monkeypatch.setattr("liq_provider.sidecar.ingest._HANG_UP_S", 2.0)
        proxy.swallow()
        ingest.put([order(T0 + 1)], 0)
        assert not await ingest.flush(patience_s=0)
        assert ingest.stats.spooled == 1
        assert await flushed(ingest)
        assert (ingest.stats.stored, ingest.stats.duplicates) == (2, 0)
        writer.close()
        executor.shutdown()
    reader = Reader(postgres_url)
    assert reader.count("liquidations") == 2
    reader.close()


async def test_a_reader_that_hangs_can_be_broken_off_and_reads_again(postgres_url: str) -> None:
    Writer(open_engine(postgres_url)).close()
    async with proxied(postgres_url) as (proxy, url):
        reader = Reader(url)
        reader.hang_up()  # nothing to break off yet
        assert await asyncio.to_thread(reader.count, "liquidations") == 0
        proxy.swallow()
        reading = asyncio.ensure_future(asyncio.to_thread(reader.count, "liquidations"))
        await asyncio.sleep(0.3)
        assert not reading.done()
        reader.hang_up()
        # An idle connection that fails is replaced by a new one before it is used.
        assert await asyncio.wait_for(reading, 60) == 0
        reader.close()
