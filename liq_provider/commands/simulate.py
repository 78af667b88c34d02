"""``simulate``: a loopback exchange, synthetic or from a recording."""

import argparse
import asyncio
import logging
import signal
from collections.abc import Iterator
from pathlib import Path

from liq_provider.commands.support.context import one_of
from liq_provider.core.liquidation import Liquidation
from liq_provider.errors import UsageError
from liq_provider.history.bad_row import BadRow
from liq_provider.history.importer import bundled_markets
from liq_provider.history.order_formats import FORMATS, read
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.serve import SimulateOptions, run
from liq_provider.venues.registry import refuse_unusable

logger = logging.getLogger(__name__)


def simulate(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    refuse_unusable()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s")
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    recording = None
    if arguments.recording:
        if not arguments.format:
            raise UsageError("--recording needs --format")
        one_of("--format", arguments.format, FORMATS)
        recording = list(_records(Path(arguments.recording), arguments.format))
    options = SimulateOptions(
        port=arguments.port,
        seed=arguments.seed,
        scenario="demo" if arguments.demo else "quiet",
        hold=arguments.hold,
        recording=recording,
        speed=arguments.speed,
    )
    asyncio.run(_serve(options))
    return 0


def _records(path: Path, format_name: str) -> Iterator[Liquidation]:
    bad = 0
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    for record in read(path, format_name, bundled_markets()):
        if isinstance(record, BadRow):
            bad += 1
        else:
            yield from record
    if bad:
        logger.warning("%s: %d rows could not be used", path, bad)


async def _serve(options: SimulateOptions) -> None:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await run(options, _ready)
    except asyncio.CancelledError:
        logger.info("The simulator ended.")


def _ready(sim: Simulator) -> None:
    kind = (
        "recorded liquidations, synthesised prices"
        if "speed" in sim.state()
        else ("SYNTHETIC market: nothing here happened on an exchange")
    )
    print(f"Simulator at {sim.url} ({kind}); state at {sim.url}/sim/state", flush=True)
