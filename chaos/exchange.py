"""
The simulated exchange, as a process that notes all it does: the ground truth of a run.

Its log has one JSON object a line: every frame with its orders, the time at which it was sent
and to which connections; connections with the sidecar behind them; prices.
"""

import argparse
import asyncio
import contextlib
import logging
import signal
import time
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from chaos import script
from liq_provider.simulator import HOST
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.faults import Faults
from liq_provider.simulator.feeds import Client, FeedHub
from liq_provider.simulator.framing import SentFrame, bucket_frames, frame_orders
from liq_provider.simulator.market import SimulatedMarket
from liq_provider.simulator.orders import Order
from liq_provider.simulator.symbols import SymbolSpec
from liq_provider.simulator.world import World
from liq_provider.venues import VENUES
from liq_provider.venues.frame import Frame

_PRICES_S = 0.5
_DAMAGED_SHARE = 0.6


class Log:
    """Lines that are on disk when the call returns."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def write(self, kind: str, **values: Any) -> None:
        """Append one line."""
        self._file.write(orjson.dumps({"kind": kind, **values}, option=orjson.OPT_APPEND_NEWLINE))


class Clients(set[Client]):
    """
    The connections that are open.

    :param names: sidecar by the port that it uses
    """

    def __init__(self, log: Log, names: dict[int, str]) -> None:
        super().__init__()
        self._log = log
        self._names = names

    def add(self, client: Client) -> None:
        """A connection was opened."""
        sock = client.transport.get_extra_info("sockname") if client.transport else None
        who = self._names.get(sock[1] if sock else 0, "?")
        self._log.write("open", client=client.number, venue=client.name, who=who, at=_now_ms())
        super().add(client)

    def discard(self, client: object) -> None:
        """A connection is over."""
        if isinstance(client, Client) and client in self:
            self._log.write("close", client=client.number, at=_now_ms())
        super().discard(client)


class RecordingHub(FeedHub):
    """
    Notes every frame that goes out, and damages some while a venue sends garbage.

    :param damage_every: of its frames then, each so-manieth is cut off on its way; 0 for none
    """

    def __init__(
        self,
        market: SimulatedMarket,
        faults: Faults,
        log: Log,
        names: dict[int, str],
        damage_every: int,
    ) -> None:
        super().__init__(market, faults, _now_ms)
        self.clients = Clients(log, names)
        self._log = log
        self._damage_every = damage_every
        self._frames = 0

    def _deliver(self, frame: SentFrame) -> None:
        self._log.write(
            "made", venue=frame.venue, emit=frame.emit_ms, orders=_orders_of(self.market, frame)
        )
        super()._deliver(frame)

    def _broadcast(self, frame: SentFrame) -> None:
        whole, payload = True, frame.payload
        if self._faults.get(frame.venue, "garbage") is not None:
            self._frames += 1
            if self._damage_every and self._frames % self._damage_every == 0:
                whole, payload = False, payload[: int(len(payload) * _DAMAGED_SHARE)]
        readers = [c for c in self.clients if c.name == frame.venue and c.wants(frame)]
        self._log.write(
            "sent",
            venue=frame.venue,
            at=_now_ms(),
            whole=whole,
            to=[client.number for client in readers],
            orders=_orders_of(self.market, frame),
        )
        for client in readers:
            client.put(payload)
            self.sent[frame.venue] += 1


def _orders_of(market: SimulatedMarket, frame: SentFrame) -> list[list[Any]]:
    assert isinstance(market, NotingMarket)
    return market.noted[frame.payload]


class NotingMarket(World):
    """Remembers which orders a frame's text holds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.noted: dict[Frame, list[list[Any]]] = {}

    def frames(self, venue: str, bucket: int) -> list[SentFrame]:
        """:return: what the venue sends for a publishing interval"""
        size = VENUES[venue].dialect.bucket_ms
        orders = self.orders(bucket * size, (bucket + 1) * size)
        made: list[SentFrame] = []
        for group in frame_orders(venue, [o for o in orders if o.venue == venue], throttle=False):
            frames = bucket_frames(venue, bucket, group, self.symbols, self.throttle)
            for frame in frames:
                self.noted[frame.payload] = [_order_line(o, self.symbols[o.symbol]) for o in group]
            made += frames
        return made


def _order_line(order: Order, spec: SymbolSpec) -> list[Any]:
    return [
        order.event_ms,
        spec.id_on(order.venue),
        spec.base,
        order.position_side,
        order.price,
        order.quantity,
    ]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def serve(
    seed: int, minutes: float, ports: dict[int, str], log: Log, damage_every: int
) -> None:
    """
    Serve until cancelled.

    :param ports: which sidecar uses which port; the bot uses the first
    """
    market = script.market(_now_ms(), seed, minutes, NotingMarket)
    first, *others = ports
    sim = Simulator(market, first)
    sim._hub = RecordingHub(market, sim._faults, log, ports, damage_every)
    async with sim:
        assert sim._runner is not None
        for port in others:
            await web.TCPSite(sim._runner, HOST, port).start()
        log.write("start", at=_now_ms(), first=market.first_ms)
        prices = asyncio.create_task(_prices(market, log))
        try:
            await sim.wait()
        finally:
            prices.cancel()


async def _prices(market: SimulatedMarket, log: Log) -> None:
    while True:
        now_ms = _now_ms()
        log.write("prices", at=now_ms, of={s: market.price(s, now_ms) for s in market.symbols})
        await asyncio.sleep(_PRICES_S)


async def _main(arguments: argparse.Namespace) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    ports = {int(port): who for who, port in (p.split("=") for p in arguments.port)}
    with contextlib.suppress(asyncio.CancelledError):
        await serve(
            arguments.seed, arguments.minutes, ports, Log(arguments.log), arguments.damage_every
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--port", action="append", required=True, metavar="WHO=PORT")
    parser.add_argument("--damage-every", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s")
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    asyncio.run(_main(parser.parse_args()))
