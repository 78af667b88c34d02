"""The exchange's log says what a connection received."""

import asyncio
import json
from pathlib import Path

from websockets.asyncio.client import connect

from chaos.exchange import Log, serve
from chaos.records import key_of, read_truth
from liq_provider.launch.ports import free_port
from liq_provider.simulator.urls import ws_url


async def test_what_a_sidecar_received_is_noted_with_the_sidecars_name(tmp_path: Path) -> None:
    path, first, second = tmp_path / "truth.jsonl", free_port(), free_port()
    ports = {first: "a", second: "b"}
    serving = asyncio.create_task(serve(1, 0, ports, Log(path), 0))
    received = []
    try:
        while not path.exists() or b'"start"' not in path.read_bytes():
            assert not serving.done()
            await asyncio.sleep(0.05)
        async with connect(ws_url(f"http://127.0.0.1:{second}", "binance")) as socket:
            while len(received) < 2:
                received.append(json.loads(await asyncio.wait_for(socket.recv(), 60))["o"])
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    truth = read_truth(path)
    for order in received:
        side = {"SELL": "long", "BUY": "short"}[order["S"]]
        key = key_of("binance", order["s"], side, order["T"], float(order["ap"]), float(order["q"]))
        (way,) = truth.orders[key].deliveries
        assert (way.who, way.whole) == ("b", True)
        assert way.at_ms >= order["T"]
