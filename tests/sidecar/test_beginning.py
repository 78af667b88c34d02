"""
A wave that was under way when the sidecar was not there is not entered; the next one is.

The real sidecar against the simulated exchange, restarted or frozen for three minutes on a clock
that the test moves. What the bot would decide from its stored rows is what a backtest decides.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liq_provider.config.measuring import feature_params_of
from liq_provider.judge.decisions import CandleTrend, Decisions, Rules, decide
from liq_provider.measure.feature_rows import FeatureRows
from liq_provider.sidecar.service import Sidecar
from liq_provider.sidecar.sidecar_config import SidecarConfig
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.store.minute_features import compute
from liq_provider.store.reader import Reader
from tests.sidecars import MINUTE, Time, liquidate, quiet_exchange, remember, sidecar_config, until

START = 1_795_350_000_000
WINDOWS = {"segment_min": 2, "baseline_hours": 1, "zscore": "classic"}
SEEN, UNSEEN, NEXT = 3, 7, 13  # minutes in which a wave begins


def minute(number: int) -> int:
    """Its open."""
    return START + number * MINUTE


class RestartableSidecar:
    """A sidecar that can be started again, and a clock that both sides share."""

    def __init__(self, sim: Simulator, moment: Time, config: SidecarConfig) -> None:
        self.sim, self.moment, self.config = sim, moment, config
        self.reader = Reader(config.store_url)
        self.sent = 0
        self._sidecar: Sidecar | None = None
        self._task: asyncio.Task[Any] | None = None

    async def start(self) -> None:
        self._sidecar = Sidecar(self.config, self.moment.clock())
        self._task = asyncio.create_task(self._sidecar.run())
        await self.live()

    async def stop(self) -> None:
        assert self._sidecar is not None and self._task is not None
        self._sidecar.stop()
        await asyncio.wait_for(self._task, 60)

    async def live(self) -> None:
        def live() -> bool:
            assert self._sidecar is not None
            feeds = self._sidecar.status()["feeds"].values()
            return {feed["state"] for feed in feeds} == {"live"}

        await until(live, "all feeds are live", 60)

    async def wave(self, number: int, usd: float) -> None:
        """Eight longs of BTC, ten seconds into a minute or later."""
        self.moment.jump_to(max(minute(number) + 10_000, self.moment.now_ms()))
        liquidate(self.sim, "bybit", 8, usd)
        self.sent += 8
        before = 40 * 3  # of the past
        await until(
            lambda: self.reader.count("liquidations") >= before + self.sent, "they are stored", 30
        )

    async def close(self, number: int) -> None:
        self.moment.jump_to(minute(number + 1) - 200)
        wanted = minute(number + 1)
        await until(
            lambda: (self.reader.states(["computed_ms"]).get("computed_ms") or 0) >= wanted,
            f"minute {number} is settled",
            30,
        )


async def restarted(stage: RestartableSidecar) -> None:
    await stage.stop()
    stage.moment.jump_to(minute(6) + 20_000)
    await stage.start()


async def frozen(stage: RestartableSidecar) -> None:
    stage.moment.jump_to(minute(4) + 10_000)
    stage.moment.jump_to(minute(7) + 15_000)
    await stage.live()


async def play(
    base_dir: Path, interrupt: Callable[[RestartableSidecar], Any]
) -> tuple[Any, Reader]:
    moment = Time(minute(0) + 20_000)
    async with quiet_exchange(moment) as sim:
        config = sidecar_config(sim, base_dir, **WINDOWS)
        remember(config.store_url, ["BTC"], START, known_min=1)
        stage = RestartableSidecar(sim, moment, config)
        await stage.start()
        try:
            for number in range(SEEN):
                await stage.close(number)
            await stage.wave(SEEN, 40_000.0)
            await stage.close(SEEN)
            await interrupt(stage)
            # The rest of a wave that began unheard.
            await stage.wave(UNSEEN, 80_000.0)
            await stage.wave(UNSEEN + 1, 80_000.0)
            for n in range(UNSEEN + 1, NEXT):
                await stage.close(n)
            await stage.wave(NEXT, 400_000.0)
            await stage.close(NEXT)
        finally:
            with suppress(asyncio.CancelledError):
                await stage.stop()
        return config.settings, stage.reader


def decided(settings: Any, rows: FeatureRows) -> tuple[np.ndarray, Decisions]:
    closes = np.array([minute(n + 1) for n in range(NEXT + 1)], dtype=np.int64)
    falling = CandleTrend(np.full(len(closes), -0.02), np.full(len(closes), 0.01))
    return closes, decide(closes, rows, falling, (), Rules.of(settings), "matrix")


@pytest.mark.parametrize("interrupt", [restarted, frozen])
def test_no_entry_on_what_is_left_of_a_wave_and_one_on_the_next(
    tmp_path: Path, interrupt: Callable[[RestartableSidecar], Any]
) -> None:
    settings, reader = asyncio.run(play(tmp_path, interrupt))
    stored = reader.features(["BTC"], minute(0), minute(NEXT + 1))["BTC"]
    closes, live = decided(settings, stored)
    entered = [int(n) for n in (closes[live.entry] - START) // MINUTE - 1]
    assert entered == [SEEN, NEXT]
    missed = live.sure & ~live.seen
    assert missed.any(), "it would have been entered"
    assert ((closes[missed] - START) // MINUTE - 1 >= UNSEEN).all()
    params, venues = feature_params_of(settings), settings.venues.enabled
    (whole,) = compute(reader, ["BTC"], venues, params, minute(1), minute(NEXT + 1))
    _, replayed = decided(settings, whole.rows())
    for name in ("strength", "wave_ms", "seen", "candidate", "entry"):
        assert np.array_equal(getattr(live, name), getattr(replayed, name)), name
    reader.close()
