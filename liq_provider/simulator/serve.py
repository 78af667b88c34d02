"""What ``liq-provider simulate`` does."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from liq_provider.core.liquidation import Liquidation
from liq_provider.errors import UsageError
from liq_provider.simulator import DEFAULT_PORT
from liq_provider.simulator.demo_script import demo_scenario
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.market import SimulatedMarket
from liq_provider.simulator.recording import Recording
from liq_provider.simulator.scenario import Scenario
from liq_provider.simulator.world import World


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """
    :param port: TCP port on 127.0.0.1; 0 for any free one
    :param seed: of the synthetic market
    :param scenario: ``demo`` for scripted waves, ``quiet`` for background only
    :param hold: the scripted waves wait for ``POST /sim/begin``
    :param history_h: hours of history before the start
    :param recording: liquidations to replay instead of the synthetic market
    :param speed: recorded seconds per second
    :param lead_s: seconds from the start to the recording's first order; negative to have
        part of it as history
    :param align_s: shift the recording by a multiple of this, in seconds
    :param throttle: sample as the venues do; None for on in the synthetic market and off in a
        recording, which went through it already
    """

    port: int = DEFAULT_PORT
    seed: int = 1
    scenario: Literal["demo", "quiet"] = "demo"
    hold: bool = False
    history_h: float = 26.0
    recording: Iterable[Liquidation] | None = None
    speed: float = 1.0
    lead_s: float = 5.0
    align_s: int = 1
    throttle: bool | None = None


def build_market(options: SimulateOptions, start_ms: int) -> SimulatedMarket:
    """
    :param start_ms: now
    :raises UsageError: if the options make no market
    """
    if options.recording is None:
        script = demo_scenario(start_ms, options.seed)
        return World(
            start_ms,
            options.seed,
            history_h=options.history_h,
            scenario=script if options.scenario == "demo" else Scenario(),
            throttle=options.throttle is not False,
            hold=options.hold,
        )
    if options.speed <= 0:
        raise UsageError(f"speed: {options.speed} must be above 0")
    try:
        return Recording(
            options.recording,
            start_ms,
            options.speed,
            options.lead_s,
            options.align_s,
            options.history_h,
            options.throttle is True,
        )
    except ValueError as error:
        raise UsageError(f"recording: {error}") from error


async def run(
    options: SimulateOptions,
    on_ready: Callable[[Simulator], None] | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """
    Serve until cancelled.

    :param on_ready: called once the port is open
    :raises UsageError: if the port is taken or the options make no market
    """
    market = build_market(options, int(clock() * 1000))
    async with Simulator(market, options.port, clock) as sim:
        if on_ready is not None:
            on_ready(sim)
        await sim.wait()
