"""
The running minute: which waves it would show if it closed as it is now.

The features are those of any minute, by the same functions; what is assumed is that the feeds
that cover the minute so far will have covered it when it closes.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Any

import numpy as np

from liq_provider.config.measuring import feature_params_of, floor_of
from liq_provider.config.settings import Settings
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.loose_tasks import LooseTasks
from liq_provider.errors import StoreError
from liq_provider.measure.features import compute_newest
from liq_provider.measure.minute_grid import MinuteGrid
from liq_provider.measure.minute_results import Anomaly, Computed, NewestMinutes, in_their_waves
from liq_provider.measure.prospects import GROWING_SHARE
from liq_provider.measure.waves import enough_money, enough_orders
from liq_provider.sidecar.pair_of_coin import pair_for_coin
from liq_provider.sidecar.settling_schedule import SettlingSchedule, next_close
from liq_provider.sidecar.venue_feeds import VenueFeed
from liq_provider.store.reader import Reader
from liq_provider.store.settled_sums import SettledSums

logger = logging.getLogger(__name__)

_EVERY_S = 0.3
_AT_ONCE = 40  # coins
# Looking ahead must not compete with storing: it takes at most this share of the time.
_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Running:
    """
    What a running minute shows so far.

    :param close_ms: the close that it will have
    :param settled_ms: close of the newest settled minute
    :param anomalies: above the judge's floor, with their wave's start
    :param rows: of the coins that were looked at, the columns of the table ``features``
    :param pairs: the pair that stands for each of them
    :param growing: what the segment is worth of coins that are not large enough yet and may be
    """

    close_ms: int
    settled_ms: int
    anomalies: tuple[Anomaly, ...] = ()
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pairs: Mapping[str, str] = field(default_factory=dict)
    growing: Mapping[str, float] = field(default_factory=dict)


class RunningMinute:
    """
    Looks at a running minute again and again; the past is read once per minute and coin.

    :param sums: what is read of the past; shared with who settles minutes
    """

    def __init__(self, reader: Reader, settings: Settings, sums: SettledSums | None = None) -> None:
        self._reader = reader
        self._sums = sums or SettledSums(reader)
        self._settings = settings
        self._params = feature_params_of(settings)
        self._floor = floor_of(settings)
        self._bounds = (0, 0)
        self._past: dict[str, MinuteGrid] = {}
        self._seen: dict[str, tuple[float, int]] = {}

    def look(
        self, close_ms: int, settled_ms: int, venues: Sequence[str], names: Mapping[str, str]
    ) -> Running:
        """
        Blocks; run it in a thread.

        :param close_ms: close of the minute that runs
        :param settled_ms: close of the newest settled minute
        :param venues: that cover all since then
        :param names: the pair that stands for a coin on the bot's exchange
        :return: what the coins show that are large enough for a wave and changed since the
            last look, and how large the others are that may be by the close
        :raises StoreError: the store does not answer
        """
        if (settled_ms, close_ms) != self._bounds:
            self._bounds, self._past, self._seen = (settled_ms, close_ms), {}, {}
        start_ms = close_ms - self._params.segment_min * MINUTE_MS
        totals = self._reader.totals(start_ms, close_ms)
        usd, count = np.array(list(totals.values())).reshape(-1, 2).T
        large = enough_money(usd, self._floor) & enough_orders(count, self._floor)
        may_grow = ~large & (usd >= GROWING_SHARE * self._floor.min_segment_usd)
        growing = {base: totals[base][0] for base in compress(totals, may_grow)}
        coins = [base for base in compress(totals, large) if self._seen.get(base) != totals[base]]
        if not coins:
            return Running(close_ms, settled_ms, growing=growing)
        self._seen |= {base: totals[base] for base in coins}
        listed = self._reader.active(start_ms, close_ms)
        # Between two questions to the store a coin may vanish from it.
        coins = [base for base in coins if base in listed or base in names]
        pairs = {base: pair_for_coin(base, listed.get(base, ()), names) for base in coins}
        newest = NewestMinutes(self._computed(coins, venues))
        rows = {row["base_asset"]: row for row in newest.table_rows(pairs, close_ms)}
        marked = newest.anomalies(self._floor)
        before = self._reader.newest_waves(start_ms) if marked else {}
        segment_min = self._settings.segment_min
        anomalies, _ = in_their_waves(marked, before, pairs, segment_min, close_ms)
        return Running(close_ms, settled_ms, anomalies, rows, pairs, growing)

    def _computed(self, coins: Sequence[str], venues: Sequence[str]) -> list[Computed]:
        (settled_ms, close_ms), enabled = self._bounds, self._settings.venues.enabled
        start_ms = close_ms - self._params.before_ms()
        new = [base for base in coins if base not in self._past]
        if new:
            # Piece by piece, so that no other thread waits long for its turn.
            for first in range(0, len(new), _AT_ONCE):
                some = new[first : first + _AT_ONCE]
                self._past |= self._sums.grids(some, enabled, start_ms, settled_ms)
        grids = []
        for base, running in self._reader.grids(coins, enabled, settled_ms, close_ms).items():
            covering = np.array([[name in venues] for name in running.venues])
            covered = np.repeat(covering, running.minutes, axis=1)
            grid = self._past[base].followed_by(replace(running, covered=covered))
            grids.append(grid.for_decision(close_ms))
        last = np.array([1])
        return [
            Computed(base, features, last)
            for base, features in zip(coins, compute_newest(grids, self._params), strict=True)
        ]


class RunningLoop:
    """
    :param minutes: tells which minute is settled
    :param names: gives the pair that stands for a coin
    :param executor: one thread of its own
    :param then: is given what was found
    :ivar failures: looks that ended in an error
    """

    def __init__(
        self,
        minute: RunningMinute,
        venues: Mapping[str, VenueFeed],
        minutes: SettlingSchedule,
        names: Callable[[], Mapping[str, str]],
        executor: Executor,
        now_ms: Callable[[], int],
        then: Callable[[Running], Coroutine[Any, Any, None]],
    ) -> None:
        self.failures = 0
        self._minute = minute
        self._venues = venues
        self._minutes = minutes
        self._names = names
        self._executor = executor
        self._now_ms = now_ms
        self._then = then
        self._waiting = LooseTasks()

    async def run(self) -> None:
        """Look at every running minute until cancelled."""
        failed = False
        try:
            while True:
                begun = time.monotonic()
                try:
                    await self._look()
                except StoreError as error:
                    # The settled minute is judged all the same, only later.
                    self.failures += 1
                    if not failed:
                        logger.warning("Looking at the running minute: %s", error)
                    failed = True
                except Exception:
                    # Looking ahead is a convenience; nothing in it may end the recording.
                    self.failures += 1
                    if not failed:
                        logger.exception("Looking at the running minute failed")
                    failed = True
                else:
                    failed = False
                await asyncio.sleep(max(_EVERY_S, (time.monotonic() - begun) / _SHARE))
        finally:
            for task in self._waiting:
                task.cancel()

    async def _look(self) -> None:
        close_ms, settled_ms = next_close(self._now_ms()), self._minutes.settled_ms
        # Just after a close two minutes are not settled. More, or none at all, means that
        # settling lags or that the clock was set.
        if self._minutes.settling or not 0 < close_ms - settled_ms <= 2 * MINUTE_MS:
            return
        covering = [name for name, v in self._venues.items() if v.covers(settled_ms)]
        if not covering:
            return
        running = await asyncio.get_running_loop().run_in_executor(
            self._executor, self._minute.look, close_ms, settled_ms, covering, dict(self._names())
        )
        if running.rows or running.growing:
            self._waiting.start(self._then(running))
